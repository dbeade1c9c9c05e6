"""The tables that maintenance derives equal what follows directly from the events."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from app.contract.events import TradeAccepted, decode_event
from app.contract.tables import EVENTS
from jobs.lake.derived import PAIR_EDGES, TRADE_COMPONENTS, derive, prepare, traders
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
    for name in (EVENTS.name, PAIR_EDGES.name, TRADE_COMPONENTS.name):
        spark.sql(f"drop table if exists lake.haggle.{name}")
    spark.sql(EVENTS.ddl("spark"))
    prepare(spark)
    yield spark
    spark.sql(f"drop table {TABLE}")


def rows_of(spark: SparkSession, name: str) -> set[tuple[Any, ...]]:
    found = [tuple(row) for row in spark.table(f"lake.haggle.{name}").collect()]
    assert len(set(found)) == len(found)
    return set(found)


def due_edges(realm: str, lines: list[bytes]) -> set[tuple[Any, ...]]:
    events = [event for line in lines if isinstance(event := decode_event(line), TradeAccepted)]
    given: Counter[tuple[int, int]] = Counter()
    trades: Counter[tuple[int, int]] = Counter()
    for event in events:
        one, two = event.player_1, event.player_2
        given[one.player_id, two.player_id] += one.gold + (one.item_value or 0)
        given[two.player_id, one.player_id] += two.gold + (two.item_value or 0)
        trades[min(one.player_id, two.player_id), max(one.player_id, two.player_id)] += 1
    newest = events[-1].sequence
    return {(realm, *pair, count, given[pair], given[pair[::-1]], newest) for pair, count in trades.items()}


def test_before_anything_has_happened_the_tables_are_empty(lake: SparkSession) -> None:
    derive(lake)
    assert rows_of(lake, PAIR_EDGES.name) == rows_of(lake, TRADE_COMPONENTS.name) == set()
    assert traders(lake) == 0


def test_pairs_and_components_are_those_of_the_events_and_are_made_anew(lake: SparkSession) -> None:
    land(lake, "r", LOGS["r"][:45])
    derive(lake)
    assert rows_of(lake, PAIR_EDGES.name) == due_edges("r", LOGS["r"][:45])
    land(lake, "r", LOGS["r"][45:])
    land(lake, "s", LOGS["s"])
    derive(lake)
    assert rows_of(lake, PAIR_EDGES.name) == due_edges("r", LOGS["r"]) | due_edges("s", LOGS["s"])
    found = rows_of(lake, TRADE_COMPONENTS.name)
    assert traders(lake) == len(found)
    for realm, lines in LOGS.items():
        sizes = Counter(component for its_realm, _, component, _ in found if its_realm == realm)
        ((_, players, *_, components, largest, _, newest),) = questions.answer(
            "q_trade_graph", map(decode_event, lines)
        )
        assert (sizes.total(), len(sizes), max(sizes.values())) == (players, components, largest)
        assert {sequence for its_realm, *_, sequence in found if its_realm == realm} == {newest}
        assert len(sizes) > 1 or realm == "s"
