"""Keeps the aggregates of jobs/lake/aggregates.py: their answers of days that are over, each day read once.

What is new is merged with what was kept before, and an aggregate shows it when its view names the next day: so what is
kept of a day and its events are never both counted, and a kill leaves nothing half-done. If a day that is kept has more
events than it had (dead letters that were replayed, streams that stood still for longer than `DAY_SETTLE_S`), or if a
version of Haggle has other aggregates, all is kept anew; until then the questions are asked of the events alone.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Final

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from app.contract.tables import CATALOG, EVENTS, SCHEMA
from jobs.lake import aggregates as stored
from jobs.lake.aggregates import KEPT_PROPERTY, Aggregate, Kept, form
from jobs.lake.due import Size
from jobs.lake.tables import read_kept, replace_aggregates

_SCHEMA: Final = f"{CATALOG}.{SCHEMA}"
_TABLE: Final = f"{_SCHEMA}.{EVENTS.name}"
_DAY: Final = timedelta(days=1)
_RECORDS_MAX: Final = 5_000_000
"""How many events are read before what follows from them is kept; a day is never divided."""
_EACH: Final = re.compile(r"cross join unnest\(([\w.]+)\) as (\w+) \(([\w, ]+)\)")
_EACH_OR_NONE: Final = re.compile(r"left join unnest\(([\w.]+)\) as (\w+) \(([\w, ]+)\) on true")
_EACH_OF: Final = re.compile(r"cross join unnest\(array\[([^\]]+)\]\) as (\w+) \((\w+)\)")


class Keeping:
    """What is kept of one lake; `is_over` says of a day that no more of its events are expected."""

    def __init__(self, spark: SparkSession, is_over: Callable[[date], bool]) -> None:
        self._spark = spark
        self._is_over = is_over

    def days(self) -> Size:
        """How many days with events are kept."""
        kept = read_kept(self._spark)
        return Size(sum(1 for day in self._records() if kept and day < kept.until))

    def keep(self) -> list[str]:
        """Keeps what is not kept yet of days that are over; the names of the tables that have changed."""
        records = self._records()
        kept = self._still_right(records)
        changed: list[str] = []
        for until in _steps(records, kept, self._is_over):
            if kept is None:
                self._begin()
            for aggregate in stored.aggregates():
                self._add(aggregate, kept, until)
            replace_aggregates(self._spark, until)
            kept = Kept(until, _before(until, records), form())
            self._say(kept.text)
            changed = [aggregate.kept for aggregate in stored.aggregates()]
        return changed

    def _records(self) -> dict[date, int]:
        """Events of each day, oldest first; dead letters are of none."""
        day = f"partition.{EVENTS.day_of}_day"
        rows = self._spark.table(f"{_TABLE}.partitions").where(f"{day} is not null").select(day, "record_count")
        return dict(sorted((row[0], row[1]) for row in rows.collect()))

    def _still_right(self, records: dict[date, int]) -> Kept | None:
        """What is kept, if its days have as many events as they had; else nobody is to ask for it any more."""
        kept = read_kept(self._spark)
        if kept is None or kept.records == _before(kept.until, records):
            return kept
        self._say("")
        replace_aggregates(self._spark, None)
        return None

    def _begin(self) -> None:
        """Makes the tables, empty; views may name them, if a maintenance was killed before it said what it kept."""
        replace_aggregates(self._spark, None)
        for aggregate in stored.aggregates():
            self._spark.sql(f"drop table if exists {_SCHEMA}.{aggregate.kept} purge")
            self._spark.sql(aggregate.ddl())

    def _add(self, aggregate: Aggregate, kept: Kept | None, until: date) -> None:
        """Puts the days since those that are kept into the aggregate's table, in one commit."""
        table = f"{_SCHEMA}.{aggregate.kept}"
        rows = self._spark.sql(in_spark(aggregate.extended(kept.until if kept else None, until)))
        if aggregate.is_by_day:
            rows.writeTo(table).overwritePartitions()
        else:
            # what the views ask for until they are replaced stays
            others = f.col("until") != f.lit(kept.until) if kept else f.lit(True)
            rows.withColumn("until", f.lit(until)).writeTo(table).overwrite(others)

    def _say(self, text: str) -> None:
        self._spark.sql(f"alter table {_TABLE} set tblproperties ('{KEPT_PROPERTY}' = '{text}')")


def _before(until: date, records: dict[date, int]) -> int:
    """The events of the days before."""
    return sum(count for day, count in records.items() if day < until)


def _steps(records: dict[date, int], kept: Kept | None, is_over: Callable[[date], bool]) -> Iterator[date]:
    """The days up to which is kept, one after the other."""
    waiting = 0
    for day, count in records.items():
        if (kept and day < kept.until) or not is_over(day):
            continue
        if waiting and waiting + count > _RECORDS_MAX:
            yield day
            waiting = 0
        waiting += count
    if waiting:
        yield max(day for day in records if is_over(day)) + _DAY


def in_spark(sql: str) -> str:
    """The statement in Spark's words."""
    sql = _EACH.sub(r"lateral view inline(\1) \2 as \3", sql)
    sql = _EACH_OR_NONE.sub(r"lateral view outer inline(\1) \2 as \3", sql)
    sql = _EACH_OF.sub(r"lateral view explode(array(\1)) \2 as \3", sql)
    return re.sub(r"\brow\(", "struct(", sql).replace("as varchar)", "as string)")
