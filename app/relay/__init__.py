"""The realm's background process: moves events from the outbox to Kafka, ends offers whose time is over."""
