"""Replays dead letters: records that were no valid events when they landed, and that a fix has made valid.

A record becomes a row of its event in place of its dead letter, so there is still one row per Kafka record. It is
replayed if this version finds it valid, if the table has no event of its sequence number, and if the stream is past it:
the stream lands nothing older than what it has landed, so nothing lands twice however often this is run.
"""

from dataclasses import dataclass
from typing import Final

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as f

from app.contract.tables import CATALOG, EVENTS, SCHEMA
from app.errors import HaggleError
from jobs.streams import transforms

TABLE: Final = f"{CATALOG}.{SCHEMA}.{EVENTS.name}"
_PLACE: Final = ("kafka_topic_id", "kafka_partition", "kafka_offset")
_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did: events that became rows, and dead letters that stay, by reason."""

    events: int
    sequences: tuple[tuple[str, int], ...]
    left: dict[str, int]


def replay(spark: SparkSession) -> Replayed:
    """Makes rows of all dead letters that can be; raises HaggleError if other writers keep coming in between."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _replay(spark)
        except Py4JJavaError as error:
            # maintenance has rewritten a file that holds a dead letter; what it wrote is read on the next attempt
            if "ValidationException" not in str(error) or attempt == _ATTEMPTS:
                raise HaggleError(
                    f"dead letters cannot be replayed now: {error.java_exception.getMessage()}"
                ) from error
    raise AssertionError("unreachable")


def _replay(spark: SparkSession) -> Replayed:
    # the rows alone: Spark 4.1 cannot plan a merge whose source reads the table that it writes
    ready = _ready(spark.table(TABLE)).localCheckpoint()
    found = [(row["realm"], row["sequence"]) for row in ready.select("realm", "sequence").collect()]
    if found:
        ready.createOrReplaceTempView("ready")
        same = " and ".join(f"events.{name} = ready.{name}" for name in _PLACE)
        spark.sql(f"merge into {TABLE} as events using ready on {same} when matched then update set *")
    left = spark.table(TABLE).where("dead_letter is not null").groupBy("dead_letter").count().collect()
    return Replayed(len(found), tuple(sorted(found)), {row["dead_letter"]: row["count"] for row in left})


def _ready(table: DataFrame) -> DataFrame:
    """The rows that dead letters become: valid now, missing in the table, each sequence number once."""
    dead = table.where(f.col("dead_letter").isNotNull())
    records = dead.select(
        f.col("kafka_key").alias("key"),
        f.col("raw").alias("value"),
        f.col("kafka_topic").alias("topic"),
        f.col("kafka_topic_id").alias("topic_id"),
        f.col("kafka_partition").alias("partition"),
        f.col("kafka_offset").alias("offset"),
        f.col("recorded_at").alias("timestamp"),
    )
    events = table.where(f.col("dead_letter").isNull())
    there = events.select("realm", "sequence")
    passed = events.groupBy("realm").agg(f.max("sequence").alias("newest"))
    rows = transforms.rows(transforms.judge(records), f.col("topic_id"))
    earliest = Window.partitionBy("realm", "sequence").orderBy("recorded_at", "kafka_offset")
    return (
        rows.where(f.col("dead_letter").isNull())
        .join(there, ["realm", "sequence"], "left_anti")
        .join(passed, "realm")
        .where(f.col("sequence") < f.col("newest"))
        .withColumn("place", f.row_number().over(earliest))
        .where("place = 1")
        .select(*[column.name for column in EVENTS.columns])
    )
