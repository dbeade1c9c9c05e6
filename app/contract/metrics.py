"""The one family of metrics that says how far each stage of the events' path is behind.

Whoever serves a stage exposes its two gauges under these names, with the labels `stage` and `realm`: the relay the
outbox, the streams Kafka and the lake. `haggle status` shows all of them.
"""

from typing import Final

LAG_EVENTS: Final = "haggle_lag_events"
LAG_EVENTS_HELP: Final = "Events that a stage holds and the next one does not hold yet"
LAG_SECONDS: Final = "haggle_lag_seconds"
LAG_SECONDS_HELP: Final = "Age of the oldest event that a stage holds and the next one does not; 0 if there is none"
LAG_LABELS: Final = ("stage", "realm")

OUTBOX: Final = "outbox"
KAFKA: Final = "kafka"
LAKE: Final = "lake"

STAGES: Final = {
    OUTBOX: "Events that were decided and that Kafka does not hold yet: what the relay has to move.",
    KAFKA: "Events that Kafka holds and that no commit of the table holds yet: what the streams have to land.",
    LAKE: "Events that were decided and that no commit of the table holds yet: how far an answer in SQL is behind.",
}
"""What the lag of each stage means."""
