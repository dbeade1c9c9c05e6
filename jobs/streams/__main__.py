"""Composition root of the Spark application: creates the tables, then one query per table until one fails.

Each query reads the topic `read_committed` and appends each micro-batch to its table in one Iceberg commit, which
carries the query's id and the batch's number: a batch that is run again after a crash is recognised and skipped.
"""

import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException, StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from app.contract.tables import (
    CATALOG,
    DEAD_LETTERS,
    OFFERS,
    PLAYER_STATES,
    SCHEMA,
    TABLES,
    TRADE_LINES,
    TRADES,
    Table,
)
from app.logs import configure_logs
from app.settings import Settings, load_settings
from jobs.streams import transforms
from jobs.streams.session import build_session, prepare_folders

_log = logging.getLogger(__name__)

STREAMS: Final[tuple[tuple[Table, Callable[[DataFrame], DataFrame]], ...]] = (
    (TRADES, transforms.trades),
    (TRADE_LINES, transforms.trade_lines),
    (PLAYER_STATES, transforms.player_states),
    (OFFERS, transforms.offers),
    (DEAD_LETTERS, transforms.dead_letters),
)

_FAILURE_WINDOW_S: Final = 600
_MOST_FAILURES: Final = 10
_START_ATTEMPTS: Final = 20
_START_PAUSE_S: Final = 3


def create_tables(spark: SparkSession) -> None:
    """Creates the namespace and the tables that are missing, and adds columns that tables of earlier versions lack."""
    spark.sql(f"create namespace if not exists {CATALOG}.{SCHEMA}")
    for table in TABLES:
        spark.sql(table.ddl("spark"))
        name = f"{CATALOG}.{SCHEMA}.{table.name}"
        there = spark.table(name).columns
        # a later column is nullable, since older rows lack it, and last, since Iceberg adds it there
        for column in [column for column in table.columns if column.nullable and column.name not in there]:
            spark.sql(f"alter table {name} add column {column.name} {column.type.spark}")


def read_records(spark: SparkSession, settings: Settings) -> DataFrame:
    """The topic as a stream of Kafka records, committed ones only."""
    return (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", settings.kafka_bootstrap_servers)
        .option("kafka.isolation.level", "read_committed")
        .option("subscribe", settings.kafka_topic)
        .option("startingOffsets", "earliest")
        .option("failOnDataLoss", "true")
        .option("maxOffsetsPerTrigger", settings.stream_max_events_per_batch)
        .load()
    )


def start_stream(rows: DataFrame, table: Table, settings: Settings) -> StreamingQuery:
    """Appends `rows` to the table, one Iceberg commit per micro-batch; the checkpoint is on HDFS."""
    return (
        rows.writeStream.format("iceberg")
        .outputMode("append")
        .queryName(table.name)
        .trigger(processingTime=f"{settings.stream_trigger_interval_s} seconds")
        .option("checkpointLocation", f"{settings.hdfs_url}/checkpoints/{table.name}")
        .option("fanout-enabled", "true")
        .toTable(f"{CATALOG}.{SCHEMA}.{table.name}")
    )


def supervise(spark: SparkSession, start: Mapping[str, Callable[[], StreamingQuery]]) -> None:
    """Starts the queries, and each again when it fails; raises what ended one that failed too often.

    Spark 4.1 needs this: a query that runs an interrupted batch again commits it and then fails while it reports
    its progress (SPARK-55271); the next start goes on.
    """
    queries = {name: start_query() for name, start_query in start.items()}
    failures: dict[str, list[float]] = {name: [] for name in start}
    while True:
        with contextlib.suppress(StreamingQueryException):
            spark.streams.awaitAnyTermination()
        # the loss of a server ends several queries, and takes a moment to be made good
        time.sleep(_START_PAUSE_S)
        spark.streams.resetTerminated()
        for name in [name for name, query in queries.items() if not query.isActive]:
            error = queries[name].exception()
            recent = [at for at in failures[name] if time.monotonic() - at < _FAILURE_WINDOW_S]
            if len(recent) >= _MOST_FAILURES:
                raise error or RuntimeError(f"the stream into {name} stopped")
            failures[name] = [*recent, time.monotonic()]
            context = {"table": name, "error": str(error)[:500]}
            _log.warning("stream failed and is started again", extra={"context": context})
            queries[name] = _start_again(start[name])


def _start_again(start_query: Callable[[], StreamingQuery]) -> StreamingQuery:
    """Starts a query; the catalog, whose loss ends queries, gets a minute to come back."""
    for _ in range(_START_ATTEMPTS):
        try:
            return start_query()
        except (PySparkException, Py4JJavaError) as error:
            _log.warning("stream does not start yet", extra={"context": {"error": str(error)[:500]}})
            time.sleep(_START_PAUSE_S)
    return start_query()


def main() -> None:
    """Runs the streams until one keeps failing (exit 1, so that whoever started this starts it again) or SIGTERM."""
    settings = load_settings(os.environ)
    configure_logs(settings.log_level)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    spark = build_session(settings)
    spark.sparkContext.setLogLevel("WARN")
    prepare_folders(spark, settings)
    create_tables(spark)
    records = read_records(spark, settings)
    start = {table.name: partial(start_stream, transform(records), table, settings) for table, transform in STREAMS}
    supervise(spark, start)


if __name__ == "__main__":
    main()
