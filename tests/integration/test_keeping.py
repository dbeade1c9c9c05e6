"""What maintenance keeps of the aggregates is what they say of the days that are over, whatever happens in between."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from app.contract.events import decode_event
from app.contract.tables import EVENTS
from jobs.economy.behaviours.folder import write_plan
from jobs.economy.behaviours.plan import Setting
from jobs.economy.log import EVENTS_FILE
from jobs.lake import aggregates as stored
from jobs.lake import keeping
from jobs.lake.aggregates import Aggregate, aggregates, midnight
from jobs.lake.keeping import Keeping
from jobs.lake.local import LocalLake
from jobs.lake.tables import read_kept
from jobs.streams.watermark import TABLE
from tests.economy import ECONOMY
from tests.integration.test_components import land
from tests.unit.test_questions import assert_alike

# Spark compiles each of fifteen statements twice, which takes minutes on a machine that does something else too
pytestmark = pytest.mark.timeout(900)
KeptRows = Callable[[Aggregate, date], list[tuple[Any, ...]]]
DAY = timedelta(days=1)


class Lake:
    """A lake whose days up to `over` are over, and the views that were made of it, by the day up to which is kept."""

    def __init__(self, spark: SparkSession, log: Path) -> None:
        self.spark = spark
        self.lines = log.read_bytes().splitlines()
        self.days = sorted({day_of(line) for line in self.lines})
        self.over = date.min
        self.views: list[date | None] = []

    def land(self, choose: Callable[[bytes], bool]) -> None:
        land(self.spark, "planned-4", [line for line in self.lines if choose(line)])

    def keep(self) -> list[str]:
        return Keeping(self.spark, lambda day: day <= self.over).keep()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """One aggregate of each kind, where it matters what happens and not to which: each commit takes its time."""
    two = tuple(aggregate for aggregate in aggregates() if aggregate.name in ("item_days", "pair_edges"))
    monkeypatch.setattr(stored, "aggregates", lambda: two)


def day_of(line: bytes) -> date:
    return decode_event(line).occurred_at.date()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log")
    write_plan(ECONOMY, Setting(players=60, trades=400, days=9, seed=4), folder)
    return folder / EVENTS_FILE


@pytest.fixture
def lake(spark: SparkSession, log: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    spark.sql("create namespace if not exists lake.haggle")
    names = [EVENTS.name, *(aggregate.kept for aggregate in aggregates())]
    for name in names:
        spark.sql(f"drop table if exists lake.haggle.{name}")
    spark.sql(EVENTS.ddl("spark"))
    lake = Lake(spark, log)
    # the catalog of these tests has no views
    monkeypatch.setattr(keeping, "replace_aggregates", lambda _spark, until: lake.views.append(until))
    yield lake
    for name in names:
        spark.sql(f"drop table if exists lake.haggle.{name}")


@pytest.fixture
def kept_rows(log: Path) -> KeptRows:
    local = LocalLake()
    local.load(log)

    def rows(aggregate: Aggregate, until: date) -> list[tuple[Any, ...]]:
        """What DuckDB says of the days before."""
        first = aggregate.extended(None, until)
        return ordered(map(tuple, local.run(first).rows))

    return rows


def ordered(rows: Any) -> list[tuple[Any, ...]]:
    return sorted(rows, key=lambda row: [str(value) for value in row if not isinstance(value, float)])


def found(lake: Lake, aggregate: Aggregate, until: date) -> list[tuple[Any, ...]]:
    rows = lake.spark.table(f"lake.haggle.{aggregate.kept}")
    if not aggregate.is_by_day:
        rows = rows.where(f.col("until") == f.lit(until)).drop("until")
    return ordered(tuple(map(plain, row)) for row in rows.collect())


def plain(value: Any) -> Any:
    # Spark's times have no zone, and are those of this process
    return value.astimezone() if isinstance(value, datetime) else value


@pytest.mark.long
def test_each_aggregate_is_kept_as_it_is_of_the_events(lake: Lake, kept_rows: KeptRows) -> None:
    """First of some days, then of more."""
    first, second = lake.days[3], lake.days[-2]
    lake.land(lambda line: day_of(line) <= first)
    lake.over = first
    assert lake.keep()
    assert lake.keep() == []
    lake.land(lambda line: day_of(line) > first)
    lake.over = second
    until = second + DAY
    assert set(lake.keep()) == {aggregate.kept for aggregate in stored.aggregates()}
    assert lake.views == [None, first + DAY, until]
    assert_kept(lake, kept_rows, until)


@pytest.mark.usefixtures("few")
def test_a_day_that_gets_more_events_after_it_was_kept_is_kept_anew(lake: Lake, kept_rows: KeptRows) -> None:
    def is_late(line: bytes) -> bool:
        return decode_event(line).sequence % 7 == 1

    lake.over = lake.days[3]
    until = lake.over + DAY
    lake.land(lambda line: not is_late(line))
    lake.keep()
    lake.land(is_late)
    lake.keep()
    assert lake.views == [None, until, None, None, until]
    assert_kept(lake, kept_rows, until)


def assert_kept(lake: Lake, kept_rows: KeptRows, until: date) -> None:
    kept = read_kept(lake.spark)
    assert kept is not None
    assert (kept.until, kept.records) == (until, sum(day_of(line) < until for line in lake.lines))
    for aggregate in stored.aggregates():
        rows, due = found(lake, aggregate, until), kept_rows(aggregate, until)
        assert rows, aggregate.name
        assert_alike(rows, due)


@pytest.mark.usefixtures("few")
def test_who_asks_while_it_is_kept_finds_what_the_views_name(
    lake: Lake, kept_rows: KeptRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is ended before the views are replaced, and goes on with the next maintenance."""
    first, second = lake.days[2], lake.days[5]
    lake.land(lambda _: True)
    lake.over = first
    lake.keep()
    lake.over = second
    with monkeypatch.context() as patch:
        patch.setattr(keeping, "replace_aggregates", lambda *_: (_ for _ in ()).throw(RuntimeError("killed")))
        with pytest.raises(RuntimeError, match="killed"):
            lake.keep()
    for until in (first + DAY, second + DAY):
        for aggregate in stored.aggregates():
            rows = found(lake, aggregate, until)
            if aggregate.is_by_day:
                rows = [row for row in rows if row[1] < until]
            assert_alike(rows, kept_rows(aggregate, until))
        assert read_kept(lake.spark).until == first + DAY  # type: ignore[union-attr]
    lake.keep()
    assert lake.views[-1] == read_kept(lake.spark).until == second + DAY  # type: ignore[union-attr]


@pytest.mark.usefixtures("few")
def test_another_version_of_the_aggregates_is_kept_anew(lake: Lake) -> None:
    lake.land(lambda _: True)
    lake.over = lake.days[1]
    lake.keep()
    kept = read_kept(lake.spark)
    assert kept is not None
    old = kept.text.replace(kept.form, "another-form")
    lake.spark.sql(f"alter table {TABLE} set tblproperties ('haggle.kept' = '{old}')")
    assert read_kept(lake.spark) is None
    lake.keep()
    assert read_kept(lake.spark) == kept


@pytest.mark.usefixtures("few")
def test_many_events_are_kept_in_several_steps_each_of_whole_days(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_RECORDS_MAX", 1)
    lake.land(lambda line: day_of(line) <= lake.days[1])
    lake.over = lake.days[1]
    lake.keep()
    assert lake.views == [None, lake.days[1], lake.days[1] + DAY]


@pytest.mark.usefixtures("few")
def test_a_lake_without_a_day_that_is_over_keeps_nothing(lake: Lake) -> None:
    lake.land(lambda _: True)
    assert lake.keep() == []
    assert lake.views == []
    assert read_kept(lake.spark) is None
    assert midnight(date(2026, 1, 2)) == "timestamp '2026-01-02 00:00:00 UTC'"
