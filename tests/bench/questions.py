"""Measures the business questions on this machine: `make bench-questions`. Prints Markdown, as in docs/performance.md.

A plan of the economy's behaviours (priced trades, gifts, offers, adjustments, refusals) goes through Kafka into the
lake, maintenance merges it, the streams stop, and the questions are asked in turn, hot: the median of the rounds, after
thirty that are not counted. Beside it stands the same data in the way of the project that this replaces: every field
of an event is a column of text, nested ones as JSON, in the many small Parquet files that a micro-batch every ten
seconds leaves. It is asked the same SQL by the same Trino, with the texts read where the question names a field.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from kafka import KafkaProducer
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from app.contract.tables import CATALOG, EVENTS, SCHEMA, Column, ColumnType, event_columns
from app.relay.topic import realm_partition
from app.settings import Settings
from jobs.economy.behaviours.folder import write_plan
from jobs.economy.behaviours.plan import Setting
from jobs.economy.log import EVENTS_FILE
from jobs.lake.cut import Cut, at
from jobs.lake.maintenance import Maintenance
from jobs.lake.questions import StoredQuestion, stored_questions
from jobs.lake.trino import Lake
from jobs.streams.session import build_session
from tests.bench.__main__ import table
from tests.bench.lake import started_stack, wait
from tests.economy import ECONOMY

_SEED: Final = 1
_REALM: Final = f"planned-{_SEED}"
_TRADES_OF_A_PLAYER: Final = 50
_DAYS: Final = 60
_FILE_EVENTS: Final = 2_000
"""What ten seconds bring at 200 trades a second."""
_WARM_ROUNDS: Final = 30
"""Until then the JVM compiles what the questions need."""
_FORMER: Final = f"{CATALOG}.former.events"


@contextmanager
def filled(trades: int, folder: Path) -> Iterator[tuple[SparkSession, Settings, int]]:
    """A lake with a plan of so many trades, at rest, after maintenance; and how many events it has."""
    setting = Setting(players=max(100, trades // _TRADES_OF_A_PLAYER), trades=trades, days=_DAYS, seed=_SEED)
    write_plan(ECONOMY, setting, folder)
    with started_stack() as stack:
        settings = stack.settings()
        events = publish(settings, folder / EVENTS_FILE)
        lake = Lake(settings)
        wait(lambda: landed(lake) >= events)
        stack.stop("streams")
        stack.stop("maintenance")
        spark = build_session(settings)
        spark.sparkContext.setLogLevel("ERROR")
        try:
            Maintenance(spark, settings, datetime.now(UTC)).run(lambda _: None)
            yield spark, settings, events
        finally:
            spark.stop()


def publish(settings: Settings, path: Path) -> int:
    """Puts the events of a file into the topic; returns how many."""
    producer = KafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers.split(","), linger_ms=20, batch_size=256 * 1024
    )
    partition = realm_partition(_REALM, len(producer.partitions_for(settings.kafka_topic)))
    lines = path.read_bytes().splitlines()
    for line in lines:
        producer.send(settings.kafka_topic, key=_REALM.encode(), value=line, partition=partition)
    producer.flush()
    producer.close()
    return len(lines)


def landed(lake: Lake) -> int:
    """The newest event of the plan that has landed."""
    sql = f"select coalesce(max(sequence), 0) from {CATALOG}.{SCHEMA}.{EVENTS.name} where realm = '{_REALM}'"
    return int(lake.run(sql).rows[0][0])


# ---------------------------------------------------------------- the former way


def write_former(spark: SparkSession, path: Path, events: int) -> int:
    """The events as text columns in small files, in their order; returns how many files."""
    spark.sql(f"create namespace if not exists {CATALOG}.former")
    files = -(-events // _FILE_EVENTS)
    fields = [f.get_json_object("value", f"$.{column.name}").alias(column.name) for column in event_columns()]
    lines = spark.read.text(path.as_uri()).select(*fields)
    number = (f.col("sequence").cast("bigint") / _FILE_EVENTS).cast("int") % files
    writer = lines.repartitionById(files, number).writeTo(_FORMER).using("iceberg")
    writer.tableProperty("write.distribution-mode", "none").createOrReplace()
    return files


def formerly(question: StoredQuestion, events: int) -> str:
    """The question, asked of the texts."""
    read = ",\n".join(f"{_reading(column)} as {column.name}" for column in event_columns())
    asked = at(Cut(_REALM, events), question.text)
    of_now = f"select * from {CATALOG}.{SCHEMA}.{EVENTS.name}\nwhere realm = '{_REALM}' and sequence <= {events}"
    assert of_now in asked
    return asked.replace(of_now, f"select {read} from {_FORMER}")


def _reading(column: Column) -> str:
    match column.type:
        case ColumnType.STRING:
            return column.name
        case ColumnType.TIMESTAMP:
            return f"cast(from_iso8601_timestamp_nanos({column.name}) as {column.type.trino})"
        case ColumnType.BIGINT:
            return f"cast({column.name} as bigint)"
    return f"cast(json_parse({column.name}) as {column.type.trino})"


# ---------------------------------------------------------------- measuring


def measure(lake: Lake, statements: list[str], rounds: int, warm_rounds: int) -> list[float]:
    """The median of each statement's rounds in seconds; all are asked in turn, at first without being counted."""
    for _ in range(warm_rounds):
        for sql in statements:
            lake.run(sql)
    times = [[lake.run(sql).elapsed_s for sql in statements] for _ in range(rounds)]
    return [statistics.median(of_one) for of_one in zip(*times, strict=True)]


def main() -> None:
    """Measures the questions that are named, or all."""
    names = [question.name for question in stored_questions()]
    parser = argparse.ArgumentParser(prog="make bench-questions", description=__doc__)
    parser.add_argument("--trades", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--former-rounds", type=int, default=1, help="of the former way; 0 leaves it out")
    parser.add_argument("questions", nargs="*", choices=[[], *names], help="all unless named")
    given = parser.parse_args()
    asked = [question for question in stored_questions() if question.name in (given.questions or names)]
    with tempfile.TemporaryDirectory() as name, filled(given.trades, Path(name)) as (spark, settings, events):
        lake = Lake(settings)
        names = [each.name for each in asked]
        medians = measure(lake, [each.sql for each in asked], given.rounds, _WARM_ROUNDS)
        rows: list[list[Any]] = [list(row) for row in zip(names, medians, strict=True)]
        head = ["question", "one table"]
        if given.former_rounds:
            head.append(f"text in {write_former(spark, Path(name) / EVENTS_FILE, events):,} files")
            statements = [formerly(each, events) for each in asked]
            for row, median in zip(rows, measure(lake, statements, given.former_rounds, 0), strict=True):
                row.append(median)
    table(f"Questions at {given.trades:,} trades, {events:,} events (s)", tuple(head), rows, median=False)


if __name__ == "__main__":
    main()
