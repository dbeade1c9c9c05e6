"""The one family of metrics that says where events wait on their way to the table, and for how long.

Whoever serves a stage exposes its two gauges under these names: the relay the outbox, the streams Kafka and the lake.
`haggle status` shows all of them. The stages hold different events, so their sum is how far an answer in SQL is behind.
"""

from enum import StrEnum
from typing import Final

LAG_EVENTS: Final = "haggle_lag_events"
LAG_EVENTS_HELP: Final = "Events that wait at a stage of their way"
LAG_SECONDS: Final = "haggle_lag_seconds"
LAG_SECONDS_HELP: Final = "Age of the oldest event that waits at a stage, at most; 0 if none waits"
LAG_LABELS: Final = ("stage", "realm")


class Stage(StrEnum):
    """Where an event waits. KAFKA and LAKE are counted over all realms of the topic, so their realm is empty."""

    OUTBOX = "outbox"
    """Decided, and not in Kafka yet: what the relay has to move."""
    KAFKA = "kafka"
    """In Kafka, and not in a micro-batch yet."""
    LAKE = "lake"
    """In the micro-batch under way, and not committed yet."""
