"""The trading engine of Haggle: decides trades in Redis and hands every decision to Kafka, once."""
