"""Metrics that more than one program exposes, and their stages: where events wait on their way to the table."""

from enum import StrEnum
from typing import Final

LAG_EVENTS: Final = "haggle_lag_events"
LAG_EVENTS_HELP: Final = "Events that wait at a stage of their way"
LAG_SECONDS: Final = "haggle_lag_seconds"
LAG_SECONDS_HELP: Final = "Age of the oldest event that waits at a stage, at most; 0 if none waits"
LAG_LABELS: Final = ("stage", "realm")
LAKE_SEQUENCE: Final = "haggle_lake_sequence"


class Stage(StrEnum):
    """Where an event waits; of KAFKA and LAKE all realms are counted together, so their realm is empty."""

    OUTBOX = "outbox"
    KAFKA = "kafka"
    LAKE = "lake"
