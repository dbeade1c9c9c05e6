"""The relay, except that Kafka acknowledges what is in its page cache: what flushes cost is measured against it."""

from app.adapters import kafka
from app.entrypoints import relay
from app.settings import Settings

_flushing = kafka.topic_config


def topic_config(settings: Settings) -> dict[str, str | None]:
    """The configuration of the topic, without flushes."""
    return {**_flushing(settings), "flush.messages": str(2**63 - 1)}


if __name__ == "__main__":
    kafka.topic_config = topic_config
    relay.main()
