"""The table of those that trades connect, which maintenance makes, is what follows directly from the events."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from app.contract.events import decode_event
from app.contract.tables import EVENTS
from jobs.lake.components import TRADE_COMPONENTS, derive, traders
from jobs.streams import transforms
from jobs.streams.watermark import TABLE
from tests import questions
from tests.bench.history import plan_events

LOGS = {"r": list(plan_events(30, 25, seed=1, realm="r")), "s": list(plan_events(40, 60, seed=2, realm="s"))}


def land(spark: SparkSession, realm: str, events: list[bytes]) -> None:
    """By the streams' own transforms."""
    schema = "key binary, value binary, topic string, partition int, offset bigint, timestamp timestamp"
    rows = [(realm.encode(), event, "topic", 0, offset) for offset, event in enumerate(events)]
    records: DataFrame = spark.createDataFrame(rows, schema.rpartition(",")[0]).withColumn(
        "timestamp", f.current_timestamp()
    )
    transforms.rows(transforms.judge(records), f.lit("topic-1")).writeTo(TABLE).append()


@pytest.fixture
def lake(spark: SparkSession) -> Iterator[SparkSession]:
    spark.sql("create namespace if not exists lake.haggle")
    for name in (EVENTS.name, TRADE_COMPONENTS):
        spark.sql(f"drop table if exists lake.haggle.{name}")
    spark.sql(EVENTS.ddl("spark"))
    assert traders(spark) == 0
    yield spark
    spark.sql(f"drop table {TABLE}")


def rows_of(spark: SparkSession, name: str) -> set[tuple[Any, ...]]:
    found = [tuple(row) for row in spark.table(f"lake.haggle.{name}").collect()]
    assert len(set(found)) == len(found)
    return set(found)


def test_before_anything_has_happened_the_table_is_empty(lake: SparkSession) -> None:
    derive(lake)
    assert rows_of(lake, TRADE_COMPONENTS) == set()
    assert traders(lake) == 0


def test_components_are_those_of_the_events_and_are_made_anew(lake: SparkSession) -> None:
    land(lake, "r", LOGS["r"][:45])
    derive(lake)
    before = rows_of(lake, TRADE_COMPONENTS)
    land(lake, "r", LOGS["r"][45:])
    land(lake, "s", LOGS["s"])
    derive(lake)
    found = rows_of(lake, TRADE_COMPONENTS)
    assert before
    assert not before & found
    assert traders(lake) == len(found)
    for realm, lines in LOGS.items():
        sizes = Counter(component for its_realm, _, component, _ in found if its_realm == realm)
        ((_, players, *_, components, largest, _, newest),) = questions.answer(
            "q_trade_graph", map(decode_event, lines)
        )
        assert (sizes.total(), len(sizes), max(sizes.values())) == (players, components, largest)
        assert {sequence for its_realm, *_, sequence in found if its_realm == realm} == {newest}
        assert len(sizes) > 1 or realm == "s"
