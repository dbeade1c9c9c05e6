"""Measures the lake after many small commits: `make bench-soak`. Prints Markdown, as in docs/performance.md.

Each commit appends `--rows` rows as the stream's do: same session, same table, one file and one snapshot. The rows are
those of a real past, renumbered and, but for its creations, repeated. The questions are asked through Trino every so
often, while commits go on. It is run twice, each time on a table made anew: without maintenance, and with one every
`--every` commits in a process of its own, as the timer starts it at 200 trades/s (every 600 commits).
What the questions take on the same rows in few large commits is measured last.
"""

import argparse
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from app.contract.tables import EVENTS
from app.settings import SETTINGS, Settings
from jobs.lake.tables import prepare_lake
from jobs.lake.trino import Lake, parameters_of
from jobs.streams.session import build_session
from jobs.streams.watermark import TABLE
from tests.bench.__main__ import table
from tests.bench.history import REALM
from tests.bench.lake import publish, question_names, started_stack, wait

_TEMPLATES: Final = 20_000
_FRESH_COMMIT_ROWS: Final = 100_000
_ROUNDS: Final = 3


class Soak:
    """A table, commits into it, and what is measured of it."""

    def __init__(self, spark: SparkSession, settings: Settings, rows: int) -> None:
        self._spark = spark
        self._settings = settings
        self._rows = rows
        self._lake = Lake(settings)
        template = spark.table(TABLE).orderBy("sequence").limit(_TEMPLATES)
        self._templates = template.localCheckpoint()
        self._sequence = 0
        self._maintenance: subprocess.Popen[bytes] | None = None
        self.maintenances = 0
        self.commit_s: list[float] = []

    def begin(self) -> None:
        """Makes the table anew."""
        self._spark.sql(f"drop table if exists {TABLE} purge")
        prepare_lake(self._spark)
        self._sequence = self.maintenances = 0
        self.commit_s = []

    def commit(self, rows: int) -> None:
        """Appends the next rows in one commit."""
        started = time.perf_counter()
        self._next(rows).writeTo(TABLE).append()
        self.commit_s.append(time.perf_counter() - started)

    def _next(self, rows: int) -> DataFrame:
        """Rows of the templates, with the sequence numbers, offsets and times that are next."""
        first = self._sequence % (_TEMPLATES - self._rows) if rows <= self._rows else 0
        frame = self._templates
        times = -(-rows // _TEMPLATES)
        if times > 1:
            frame = frame.crossJoin(self._spark.range(times).select((f.col("id") * _TEMPLATES).alias("shift")))
        else:
            frame = frame.where(f.col("sequence").between(first + 1, first + rows)).withColumn("shift", f.lit(0))
        number = f.col("sequence") + f.col("shift") - first + self._sequence
        # a player is created once, however often the past repeats itself
        frame = frame.where((f.col("event_type") != "player_created") | (number == f.col("sequence")))
        frame = frame.withColumn("sequence", number.cast("bigint")).withColumn("kafka_offset", number.cast("bigint"))
        frame = frame.withColumn("occurred_at", f.current_timestamp()).withColumn("recorded_at", f.current_timestamp())
        self._sequence += rows
        return frame.where(f.col("sequence") <= self._sequence).select(*[column.name for column in EVENTS.columns])

    def maintain(self) -> None:
        """Starts a maintenance beside the commits, unless one runs."""
        if self._maintenance is not None and self._maintenance.poll() is None:
            return
        environment = {item.name.upper(): str(getattr(self._settings, item.name)) for item in SETTINGS}
        java = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData"
        command = ["nice", "-n", "15", sys.executable, "-m", "jobs.lake.maintenance"]
        self._maintenance = subprocess.Popen(
            command, env={**os.environ, **environment, "JAVA_TOOL_OPTIONS": java}, stderr=subprocess.DEVNULL
        )
        self.maintenances += 1

    def end_maintenance(self) -> None:
        """Waits for the maintenance that runs."""
        if self._maintenance is not None:
            assert self._maintenance.wait() == 0, "maintenance failed"

    def measure(self) -> list[Any]:
        """A row of the curve."""
        recent = sorted(self.commit_s[-100:])
        ((files, rows),) = self._lake.run('select count(*), sum(record_count) from lake.haggle."events$files"').rows
        snapshots = self._one('select count(*) from lake.haggle."events$snapshots"')
        took = [self._question(name) for name in question_names()]
        commits = len(self.commit_s)
        p50, p95 = (1_000 * recent[int(share * (len(recent) - 1))] for share in (0.5, 0.95))
        return [commits, rows, files, snapshots, self._metadata_kib(), p50, p95, *took]

    def _one(self, sql: str) -> int:
        return int(self._lake.run(sql).rows[0][0])

    def _question(self, name: str) -> float:
        path = f"questions/{name}"
        parameters = parameters_of(path, REALM)
        return statistics.median(self._lake.ask(path, parameters).elapsed_s for _ in range(_ROUNDS))

    def _metadata_kib(self) -> float:
        java: Any = self._spark._jvm  # noqa: SLF001
        loaded = java.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(self._spark._jsparkSession, TABLE)  # noqa: SLF001
        location = loaded.operations().current().metadataFileLocation()
        return float(loaded.io().newInputFile(location).getLength()) / 1_024


@contextmanager
def prepared() -> Iterator[tuple[SparkSession, Settings]]:
    """A stack with a past in its table, whose streams and timer are stopped; and a session as the streams have."""
    with started_stack() as stack:
        settings = stack.settings()
        publish(settings, _TEMPLATES)
        lake = Lake(settings)
        wait(lambda: int(lake.run("select count(*) from lake.haggle.events").rows[0][0]) >= _TEMPLATES)
        stack.stop("streams")
        stack.stop("maintenance")
        spark = build_session(settings)
        spark.sparkContext.setLogLevel("ERROR")
        try:
            yield spark, settings
        finally:
            spark.stop()


def soak(given: argparse.Namespace, run: Soak, *, maintained: bool) -> list[list[Any]]:
    """The curve: a row every `--measure` commits."""
    run.begin()
    rows = []
    for number in range(1, given.commits + 1):
        run.commit(given.rows)
        if maintained and number % given.every == 0:
            run.maintain()
        if number % given.measure == 0:
            rows.append(_beside_commits(run, given.rows))
            print(" ".join(f"{value:,.2f}" for value in rows[-1]), flush=True)
    run.end_maintenance()
    if maintained:
        run.maintain()
        run.end_maintenance()
        rows.append(run.measure())
    return rows


def _beside_commits(run: Soak, rows: int) -> list[Any]:
    """Asks while commits go on, as they do in a game."""
    ended = threading.Event()

    def commits() -> None:
        while not ended.is_set():
            run.commit(rows)

    thread = threading.Thread(target=commits)
    thread.start()
    try:
        return run.measure()
    finally:
        ended.set()
        thread.join()


def fresh(run: Soak, rows: int) -> list[Any]:
    """The same number of rows in commits as large as a backlog's."""
    run.begin()
    while rows > 0:
        run.commit(min(rows, _FRESH_COMMIT_ROWS))
        rows -= _FRESH_COMMIT_ROWS
    return run.measure()


def main() -> None:
    """Runs the curves that are named, or both, and the questions on a fresh table of the same size."""
    parser = argparse.ArgumentParser(prog="make bench-soak", description=__doc__)
    parser.add_argument("--commits", type=int, default=2_000)
    parser.add_argument("--rows", type=int, default=200, help="of each commit")
    parser.add_argument("--every", type=int, default=600, help="commits between two maintenances")
    parser.add_argument("--measure", type=int, default=250, help="commits between two rows of the curve")
    parser.add_argument("curves", nargs="*", choices=[[], "without", "with", "fresh"], help="all unless named")
    given = parser.parse_args()
    curves = given.curves or ["without", "with", "fresh"]
    head = ("commits", "rows", "files", "snapshots", "metadata KiB", "commit p50 ms", "p95 ms", *question_names())
    with prepared() as (spark, settings):
        run = Soak(spark, settings, given.rows)
        for curve in [name for name in curves if name != "fresh"]:
            rows = soak(given, run, maintained=curve == "with")
            table(f"{given.commits:,} commits {curve} maintenance", head, rows, median=False)
        if "fresh" in curves:
            table("Fresh", head, [fresh(run, given.commits * given.rows)], median=False)


if __name__ == "__main__":
    main()
