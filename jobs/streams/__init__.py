"""The Spark application: Kafka's events into the Iceberg tables, each exactly once (`python -m jobs.streams`)."""
