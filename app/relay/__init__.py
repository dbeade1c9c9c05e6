"""The realm's background process: moves events to Kafka, ends offers whose time is over, forgets what is too old."""
