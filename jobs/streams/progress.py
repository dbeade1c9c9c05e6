"""Whether the stream gets on, and how far behind it is: /readyz and /metrics of the streams.

The stream is ready while nothing waits in Kafka, or while batches are finished: a stream that runs but does not get on
is not ready. Readiness probes, `haggle status` and Prometheus ask here.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter, Gauge

from app.contract.metrics import LAKE_SEQUENCE, Stage, lag_gauges

STALL_S: Final = 60.0
"""While events wait, a batch is due within this time."""
HANG_S: Final = 300.0
"""A query that has neither finished a batch nor ended for so long hangs: its batches are bounded, and a server that is
away ends it."""

_lag = lag_gauges()
_sequence = Gauge(LAKE_SEQUENCE, "Newest sequence number in the table", ["realm"])
_landed = Counter("haggle_lake_records", "Kafka records that have landed in the table, dead letters included")
_dead = Counter("haggle_lake_dead_letters", "Kafka records that landed as dead letters")
_skipped = Counter("haggle_lake_skipped_sequences", "Sequence numbers that Kafka did not hold", ["realm"])
_refilled = Counter("haggle_lake_refilled_events", "Events of a topic filled again that had landed before")
_failures = Counter("haggle_lake_query_failures", "Times the query had to start anew")
_batch_seconds = Gauge("haggle_lake_batch_seconds", "Time that the newest batch took, up to its commit")


@dataclass(frozen=True, slots=True)
class Readiness:
    """What /readyz says; ages are in seconds, null before the first batch. `detail` says why it is not ready."""

    ready: bool
    detail: str
    waiting_records: int | None
    last_batch_age_s: float | None
    sequences: Mapping[str, int]


class Progress:
    """Counts what the batches do. `begin` and `end` are called by the batches, `look` about once a second."""

    def __init__(self) -> None:
        self._begun_at = 0.0
        self._running = 0
        self._finished_at = 0.0
        self._recorded = 0.0
        self._waiting: int | None = None
        self._problem = "Spark starts"
        self._stalled_since = time.monotonic()
        self._has_query = False
        self._sequences: dict[str, int] = {}

    # ------------------------------------------------------------ what happens

    def wait(self, reason: str) -> None:
        """No query can start yet, and why."""
        self._problem = reason

    def start(self, sequences: Mapping[str, int]) -> None:
        """A query starts on a table that holds `sequences`."""
        self._show(sequences)
        self._running = 0
        self._has_query, self._stalled_since = True, time.monotonic()

    def begin(self, records: int) -> None:
        """A batch of so many records begins."""
        self._begun_at, self._running = time.monotonic(), records

    def end(self, sequences: Mapping[str, int], dead_letters: int, recorded: float) -> None:
        """The batch is committed; `recorded` is when Kafka got its newest record, in seconds since 1970."""
        now = time.monotonic()
        _landed.inc(self._running)
        _dead.inc(dead_letters)
        _batch_seconds.set(now - self._begun_at)
        self._finished_at = self._stalled_since = now
        self._recorded, self._running = recorded, 0
        self._show(sequences)

    def fail(self, problem: str) -> None:
        """The query has ended and will start anew."""
        _failures.inc()
        self._problem, self._waiting, self._running = problem, None, 0
        self._has_query = False

    def count_refilled(self, events: int) -> None:
        """Events came again from a topic that was filled again."""
        _refilled.inc(events)

    def count_skipped(self, realm: str, sequences: int) -> None:
        """Sequence numbers of a realm were missing."""
        _skipped.labels(realm).inc(sequences)

    def look(self, waiting: int | None, problem: str = "") -> None:
        """So many records wait in Kafka beside those of the batch under way; None if Kafka does not say."""
        self._waiting, self._problem = waiting, problem
        now = time.monotonic()
        if not waiting and not self._running:
            self._stalled_since = now
        _lag.events.labels(Stage.KAFKA, "").set(waiting or 0)
        _lag.seconds.labels(Stage.KAFKA, "").set(max(0.0, time.time() - self._recorded) if waiting else 0)
        _lag.events.labels(Stage.LAKE, "").set(self._running)
        _lag.seconds.labels(Stage.LAKE, "").set(now - self._begun_at if self._running else 0)

    def _show(self, sequences: Mapping[str, int]) -> None:
        self._sequences = dict(sequences)
        for realm, sequence in sequences.items():
            _sequence.labels(realm).set(sequence)

    # ------------------------------------------------------------ what is told

    def hangs(self) -> bool:
        """Whether the query neither gets on nor ends, so that only a new process helps.

        A JVM that no longer answers is among it: then nobody looks whether events wait. Before a query starts nothing
        hangs: it waits for the lock, a server or its executors, or reads the table, for which no time is too long.
        """
        return self._has_query and time.monotonic() - self._stalled_since > HANG_S

    def readiness(self) -> Readiness:
        """What /readyz says now."""
        age_s = round(time.monotonic() - self._finished_at, 1) if self._finished_at else None
        detail = self._problem
        stalled_s = time.monotonic() - self._stalled_since
        if not detail and self._waiting and not self._finished_at:
            detail = "events wait, and the first batch is not finished"
        elif not detail and stalled_s > STALL_S:
            detail = f"events wait, and no batch was finished for {stalled_s:.0f} s"
        return Readiness(not detail, detail, self._waiting, age_s, dict(self._sequences))
