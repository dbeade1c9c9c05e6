"""The one family of metrics that says where events wait on their way to the table, and for how long.

Whoever serves a stage exposes its two gauges under these names: the relay the outbox, the streams Kafka and the lake.
`haggle status` shows all of them. The stages hold different events, so their sum is how far an answer in SQL is behind.
"""

from enum import StrEnum
from functools import cache
from typing import Final, NamedTuple

from prometheus_client import Gauge

LAG_EVENTS: Final = "haggle_lag_events"
LAG_SECONDS: Final = "haggle_lag_seconds"
LAKE_SEQUENCE: Final = "haggle_lake_sequence"
RELAY_SEQUENCE: Final = "haggle_relay_sequence"
FILES_REWRITTEN: Final = "haggle_redis_files_rewritten_timestamp_seconds"


class Stage(StrEnum):
    """Where an event waits. KAFKA and LAKE are counted over all realms of the topic, so their realm is empty."""

    OUTBOX = "outbox"
    """Decided, and not in Kafka yet: what the relay has to move."""
    KAFKA = "kafka"
    """In Kafka, and not in a micro-batch yet."""
    LAKE = "lake"
    """In the micro-batch under way, and not committed yet."""


class LagGauges(NamedTuple):
    """The two gauges of the family, labelled by stage and realm."""

    events: Gauge
    seconds: Gauge


@cache
def lag_gauges() -> LagGauges:
    """The gauges of this process: made when a program that serves a stage asks for them, and once."""
    labels = ("stage", "realm")
    seconds = "Age of the oldest event that waits at a stage, at most; 0 if none waits"
    return LagGauges(
        Gauge(LAG_EVENTS, "Events that wait at a stage of their way", labels), Gauge(LAG_SECONDS, seconds, labels)
    )
