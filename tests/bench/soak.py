"""Measures the lake after many small commits: `make bench-soak`. Prints Markdown, as in docs/performance.md.

Each commit appends one file of `--rows` rows in one snapshot, as a micro-batch does. The files are written many at a
time and then committed one by one, through the same session as the stream's: what the lake has to bear is the same, and
a day of a game passes in half an hour. The rows are those of a real past, renumbered and, but for its creations,
repeated. The questions are asked through Trino every so often, while commits go on at the pace of a game. It is run
twice, each time on a table made anew: without maintenance, and with one every `--every` commits in a process of its
own, as the timer starts it at 200 trades/s (every 600 commits); while it runs, commits come at the pace of a game too.
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
_FRESH_COMMIT_ROWS: Final = 5 * _TEMPLATES
_ROUNDS: Final = 3
_PACE_S: Final = 0.7
"""From one commit to the next at 200 trades/s."""
_WRITTEN: Final = "lake.haggle.written"
"""Where files stand that are written and not yet committed; the audit, the views and maintenance do not know it."""


class Soak:
    """A table, commits into it, and what is measured of it."""

    def __init__(self, spark: SparkSession, settings: Settings, rows: int) -> None:
        self._spark = spark
        self._settings = settings
        self._rows = rows
        self._lake = Lake(settings)
        template = spark.table(TABLE).orderBy("sequence").limit(_TEMPLATES)
        self._templates = template.localCheckpoint()
        self._files: list[Any] = []
        self._sequence = 0
        self._began = 0.0
        self.maintenances = 0
        self.commit_s: list[float] = []

    def begin(self) -> None:
        """Makes the table anew."""
        self._spark.sql(f"drop table if exists {TABLE} purge")
        prepare_lake(self._spark)
        self._files = []
        self._sequence = self.maintenances = 0
        self.commit_s = []
        self._began = time.monotonic()

    def commit(self) -> None:
        """Commits the next file."""
        if not self._files:
            self._write()
        started = time.perf_counter()
        self._table(TABLE).newAppend().appendFile(self._files.pop(0)).commit()
        self.commit_s.append(time.perf_counter() - started)

    def commit_at_once(self, rows: int) -> None:
        """Appends the next rows, a multiple of the templates, in one commit."""
        self._next(rows // _TEMPLATES).writeTo(TABLE).append()

    def _write(self) -> None:
        """Writes the next files, in the order of their rows, through a table that then forgets them."""
        self._spark.sql(f"drop table if exists {_WRITTEN}")
        empty = self._spark.table(TABLE).limit(0).writeTo(_WRITTEN).partitionedBy(f.partitioning.days("occurred_at"))
        # by default all rows of a day would come together in one file
        empty.using("iceberg").tableProperty("write.distribution-mode", "none").create()
        files = _TEMPLATES // self._rows
        number = ((f.col("sequence") - 1) / self._rows).cast("int") % files
        self._next(1).repartitionById(files, number).writeTo(_WRITTEN).append()
        table = self._table(_WRITTEN)
        written = list(table.currentSnapshot().addedDataFiles(table.io()))
        # of the first ones, some are without rows: those of creations that are not repeated
        assert len(written) >= 0.9 * files, f"{len(written)} files were written for {files} commits"
        self._files = sorted(written, key=lambda file: str(file.location()))

    def _table(self, name: str) -> Any:
        java: Any = self._spark._jvm  # noqa: SLF001
        return java.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(self._spark._jsparkSession, name)  # noqa: SLF001

    def _next(self, times: int) -> DataFrame:
        """The templates so many times, with the sequence numbers, offsets and times that are next."""
        shifts = self._spark.range(times).select((f.col("id") * _TEMPLATES).alias("shift"))
        frame = self._templates.crossJoin(shifts)
        number = f.col("sequence") + f.col("shift") + self._sequence
        # a player is created once, however often the past repeats itself
        frame = frame.where((f.col("event_type") != "player_created") | (number == f.col("sequence")))
        frame = frame.withColumn("sequence", number.cast("bigint")).withColumn("kafka_offset", number.cast("bigint"))
        frame = frame.withColumn("occurred_at", f.current_timestamp()).withColumn("recorded_at", f.current_timestamp())
        self._sequence += times * _TEMPLATES
        return frame.select(*[column.name for column in EVENTS.columns])

    def maintain(self) -> None:
        """A maintenance, beside commits at the pace of a game."""
        environment = {item.name.upper(): str(getattr(self._settings, item.name)) for item in SETTINGS}
        # as many snapshots stay as if the commits had come at the pace of a game
        hurry = _PACE_S * len(self.commit_s) / (time.monotonic() - self._began)
        environment["SNAPSHOT_KEEP_S"] = str(self._settings.snapshot_keep_s / hurry)
        java = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData"
        command = ["nice", "-n", "15", sys.executable, "-m", "jobs.lake.maintenance"]
        environment = {**os.environ, **environment, "JAVA_TOOL_OPTIONS": java}
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process, self.going_on():
            assert process.wait() == 0, "maintenance failed"
        self.maintenances += 1

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Commits go on meanwhile, at the pace of a game."""
        ended = threading.Event()

        def commits() -> None:
            while not ended.wait(_PACE_S):
                self.commit()

        thread = threading.Thread(target=commits)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def measure(self) -> list[Any]:
        """A row of the curve."""
        recent = sorted(self.commit_s[-100:]) or [0.0]
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
        self._lake.ask(path, parameters)  # hot: what was asked before
        return statistics.median(self._lake.ask(path, parameters).elapsed_s for _ in range(_ROUNDS))

    def _metadata_kib(self) -> float:
        operations = self._table(TABLE).operations()
        location = operations.current().metadataFileLocation()
        return float(operations.io().newInputFile(location).getLength()) / 1_024


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
    """The curve: a row every `--measure` commits, and one at rest after the last maintenance."""
    run.begin()
    rows = []
    maintain_at, measure_at = given.every, given.measure
    while len(run.commit_s) < given.commits:
        run.commit()
        if maintained and len(run.commit_s) >= maintain_at:
            run.maintain()
            maintain_at += given.every
        if len(run.commit_s) >= measure_at:
            with run.going_on():
                rows.append(run.measure())
            print(" ".join(f"{value:,.2f}" for value in rows[-1]), flush=True)
            measure_at += given.measure
    if maintained:
        run.maintain()
    rows.append(run.measure())
    print(f"{run.maintenances} maintenances", flush=True)
    return rows


def fresh(run: Soak, rows: int) -> list[Any]:
    """The same number of rows in commits as large as a backlog's."""
    run.begin()
    for _ in range(-(-rows // _FRESH_COMMIT_ROWS)):
        run.commit_at_once(_FRESH_COMMIT_ROWS)
    return run.measure()


def main() -> None:
    """Runs the curves that are named, or both, and the questions on a fresh table of the same size."""
    parser = argparse.ArgumentParser(prog="make bench-soak", description=__doc__)
    parser.add_argument("--commits", type=int, default=2_000)
    parser.add_argument("--rows", type=int, default=200, help="of each commit; 20,000 is a multiple of it")
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
