"""The relay, except that Kafka acknowledges what is in its page cache: what flushes cost is measured against it."""

from app.relay import __main__ as relay
from app.relay import topic
from app.settings import Settings

_flushing = topic.topic_config


def topic_config(settings: Settings) -> dict[str, str | None]:
    """The configuration of the topic, without flushes."""
    return {**_flushing(settings), "flush.messages": str(2**63 - 1)}


if __name__ == "__main__":
    topic.topic_config = topic_config
    relay.main()
