"""One micro-batch: Kafka records into rows of `events`, in one commit, each event of a realm once.

What is new in a batch is judged by sequence numbers, which are read from the beginning of each record. In a batch as
the relay writes it they go on where the table ends, each once, and nothing more is to be asked; any other batch is
parsed first, and put in order by a window.
"""

import json
import logging
import time
from collections.abc import Callable
from typing import Any, Final

from pyspark.sql import DataFrame, Observation, Row, SparkSession
from pyspark.sql import functions as f

from app.contract.tables import BATCH, SEQUENCES
from app.errors import HaggleError
from jobs.streams import transforms
from jobs.streams.progress import Progress
from jobs.streams.watermark import TABLE, Watermark

_log = logging.getLogger(__name__)
_NAMED: Final = 10
"""Skips and dead letters that a log line names."""


class TopicReplaced(HaggleError):
    """The topic is another one than the stream has started on: deleted, and made anew."""


def warm_up(spark: SparkSession) -> None:
    """Has Spark plan and compile what a batch takes, on a record that lands nowhere: the first trade need not wait."""
    made_up = spark.range(1).select(
        f.col("id").cast("string").cast("binary").alias("key"),
        f.col("id").cast("string").cast("binary").alias("value"),
        f.lit("").alias("topic"),
        f.lit(0).alias("partition"),
        f.col("id").alias("offset"),
        f.timestamp_seconds("id").alias("timestamp"),
    )
    transforms.numbers(made_up).collect()
    transforms.rows(transforms.judge(made_up), f.lit("")).write.format("noop").mode("append").save()


class Landing:
    """Lands the batches of one query; `mark` is what the table holds of the topic with `topic_id`, and goes on."""

    def __init__(self, mark: Watermark, topic_id: str, current_id: Callable[[], str], progress: Progress) -> None:
        self._mark = mark
        self._at_start = dict(mark.sequences)
        self._topic_id = topic_id
        self._current_id = current_id
        self._progress = progress
        self.error: Exception | None = None

    def land(self, records: DataFrame, batch: int) -> None:
        """Appends the batch's rows in one commit. Raises TopicReplaced before anything of another topic lands."""
        try:
            self._land(records, batch)
        except Exception as error:
            self.error = error  # Spark passes on its text alone, behind much else
            raise

    def _land(self, records: DataFrame, batch: int) -> None:
        started = time.monotonic()
        seen = [row.asDict() for row in transforms.numbers(records).collect()]
        numbered = time.monotonic()
        if not seen:
            return
        self._progress.begin(sum(row["records"] for row in seen))
        sequences = {row["realm"]: [row["first"], row["last"]] for row in seen if row["last"]}
        # with the commit, so that `haggle trace` finds that of an event, and its batch in the log
        summary = {BATCH: str(batch), SEQUENCES: json.dumps(sequences)}
        if all(self._goes_on(row) for row in seen):
            dead = self._append(transforms.judge(records), summary)
            if dead:
                # what begins as an event and is none has no number, as in any other batch
                self._account(transforms.in_order(transforms.judge(records), self._mark.sequences))
            else:
                self._mark.sequences |= {row["realm"]: row["last"] for row in seen}
        else:
            dead = self._land_odd(records, summary)
        self._progress.end(self._mark.sequences, dead, max(row["recorded"] for row in seen))
        took = {"number_s": round(numbered - started, 3), "append_s": round(time.monotonic() - numbered, 3)}
        context = {"batch": batch, **took, "sequences": sequences}
        _log.info("batch landed", extra={"context": context})

    def _goes_on(self, seen: dict[str, Any]) -> bool:
        """The realm's records are the events that are due, each once."""
        due = self._mark.sequences.get(seen["realm"], 0) + 1
        events = (seen["last"] or 0) - due + 1
        return bool(seen["odd"] == 0 and seen["first"] == due and seen["records"] == seen["different"] == events)

    def _append(self, judged: DataFrame, summary: dict[str, str]) -> int:
        """Appends in one commit with that summary; returns how many dead letters that were."""
        counts = Observation()
        observed = transforms.rows(judged, f.lit(self._topic_id)).observe(
            counts, f.count_if(f.col("dead_letter").isNotNull()).alias("dead_letters")
        )
        options = {f"snapshot-property.{name}": text for name, text in summary.items()}
        observed.writeTo(TABLE).options(**options).append()
        return int(counts.get["dead_letters"])

    def _land_odd(self, records: DataFrame, summary: dict[str, str]) -> int:
        """Lands a batch that holds more than the next events: dead letters, events that came before, or a gap."""
        if self._current_id() != self._topic_id:
            raise TopicReplaced("the topic was made anew")
        judged = transforms.judge(records).persist()
        try:
            fresh = self._without_refill(judged)
            if fresh.isEmpty():
                return 0
            ordered = transforms.in_order(fresh, self._mark.sequences).persist()
            try:
                dead = self._append(ordered, summary)
                self._account(ordered)
            finally:
                ordered.unpersist()
        finally:
            judged.unpersist()
        return dead

    def _without_refill(self, judged: DataFrame) -> DataFrame:
        """Leaves out what landed from a topic before this one and was published again; counts it."""
        refilled = {realm: newest for realm, newest in self._at_start.items() if self._mark.is_refilled(realm)}
        if not refilled:
            return judged
        again = transforms.landed_before(refilled)
        count = judged.where(again).count()
        self._progress.count_refilled(count)
        _log.info("events of a topic filled again have landed before", extra={"context": {"events": count}})
        return judged.where(~again)

    def _account(self, ordered: DataFrame) -> None:
        """Goes on from what has landed, and tells what was skipped on the way."""
        self._note(transforms.skips(ordered).limit(1_000).collect())
        self._mark.sequences |= _newest(ordered)

    def _note(self, skips: list[Row]) -> None:
        for skip in skips:
            self._progress.count_skipped(skip["realm"], skip["last"] - skip["first"] + 1)
        for skip in skips[:_NAMED]:
            context = {
                **skip.asDict(),
                "detail": "Kafka held no valid events with these numbers; `haggle audit` names all that are missing",
            }
            _log.error("sequence numbers were skipped", extra={"context": context})


def _newest(ordered: DataFrame) -> dict[str, int]:
    """The newest sequence number that landed, by realm."""
    landed = ordered.where(f.col("dead_letter").isNull())
    newest = landed.groupBy(f.col("event.realm").alias("realm")).agg(f.max("event.sequence").alias("sequence"))
    return {row["realm"]: row["sequence"] for row in newest.collect()}
