"""How far the table has come: read from the table itself, whose every commit holds a prefix of each realm.

A file's least and greatest values stand in Iceberg's metadata, so a file of one realm and one Kafka partition is not
opened; only what was recorded since the oldest file that mixes them is read.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from app.contract.tables import CATALOG, EVENTS, SCHEMA

TABLE = f"{CATALOG}.{SCHEMA}.{EVENTS.name}"


@dataclass(slots=True)
class Watermark:
    """Newest sequence number by realm, and newest offset by Kafka partition of the topic with the id asked for.

    `started` are the realms of which events of this topic have landed. `is_first_topic` is False when rows of another
    topic have landed: this one was made anew and filled again.
    """

    sequences: dict[str, int] = field(default_factory=dict)
    offsets: dict[int, int] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    is_first_topic: bool = True

    def is_refilled(self, realm: str) -> bool:
        """The realm may begin with events that have landed from a topic before this one."""
        return not self.is_first_topic and realm not in self.started

    def merge(self, other: "Watermark") -> None:
        """Takes the greater of both, everywhere."""
        for realm, sequence in other.sequences.items():
            self.sequences[realm] = max(sequence, self.sequences.get(realm, 0))
        for partition, offset in other.offsets.items():
            self.offsets[partition] = max(offset, self.offsets.get(partition, -1))
        self.started |= other.started
        self.is_first_topic = self.is_first_topic and other.is_first_topic


def read_watermark(spark: SparkSession, topic_id: str) -> Watermark:
    """What the table holds of the realms, and of the topic with this id."""
    files = _files(spark)
    mark = Watermark()
    newest = (f.max("sequence").alias("sequence"), f.max("offset").alias("offset"))
    for row in files.where(~f.col("is_mixed")).groupBy("realm", "topic_id", "partition").agg(*newest).collect():
        mark.merge(_of(row.asDict(), topic_id))
    since = files.where("is_mixed").agg(f.min("since")).collect()[0][0]
    if files.where("is_mixed").limit(1).count():
        mark.merge(_scan(spark, topic_id, since))
    return mark


def _files(spark: SparkSession) -> DataFrame:
    """A row per data file: its realm, topic and partition if it has one of each, and its newest numbers."""
    metrics = {name: f.col(f"readable_metrics.{name}") for name in ("realm", "kafka_topic_id", "kafka_partition")}
    same = [metric["lower_bound"] == metric["upper_bound"] for metric in metrics.values()]
    # a file of dead letters alone has no realm
    no_realm = metrics["realm"]["lower_bound"].isNull()
    one = (no_realm | same[0]) & same[1] & same[2]
    return spark.table(f"{TABLE}.data_files").select(
        metrics["realm"]["lower_bound"].alias("realm"),
        metrics["kafka_topic_id"]["lower_bound"].alias("topic_id"),
        metrics["kafka_partition"]["lower_bound"].alias("partition"),
        f.col("readable_metrics.sequence.upper_bound").alias("sequence"),
        f.col("readable_metrics.kafka_offset.upper_bound").alias("offset"),
        f.col("readable_metrics.recorded_at.lower_bound").alias("since"),
        (~f.coalesce(one, f.lit(False))).alias("is_mixed"),
    )


def _scan(spark: SparkSession, topic_id: str, since: datetime | None) -> Watermark:
    table = spark.table(TABLE)
    recent = table.where(f.col("recorded_at") >= f.lit(since)) if since else table
    keys = ("realm", f.col("kafka_topic_id").alias("topic_id"), f.col("kafka_partition").alias("partition"))
    newest = (f.max("sequence").alias("sequence"), f.max("kafka_offset").alias("offset"))
    mark = Watermark()
    for row in recent.groupBy(*keys).agg(*newest).collect():
        mark.merge(_of(row.asDict(), topic_id))
    return mark


def _of(row: dict[str, Any], topic_id: str) -> Watermark:
    is_here, has_events = row["topic_id"] == topic_id, row["realm"] is not None
    return Watermark(
        sequences={row["realm"]: row["sequence"]} if has_events else {},
        offsets={row["partition"]: row["offset"]} if is_here else {},
        started={row["realm"]} if is_here and has_events else set(),
        is_first_topic=is_here,
    )
