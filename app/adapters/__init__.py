"""Haggle's side of the servers it talks to: Redis and Kafka."""
