"""Keeps the table quick and small for years: `haggle maintain`, and `python -m jobs.lake.maintenance` on a timer.

Steps, each alone: a step that fails or takes too long leaves the others their turn. Each commit is Iceberg's own,
beside those of the stream, which goes on; so this may be killed at any moment, and the next run does what is left. A
kill leaves files that no snapshot names, which the step `remove orphans` removes when they are old enough.
"""

import argparse
import json
import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from app.contract.tables import CATALOG, EVENTS, SCHEMA
from app.errors import HaggleError
from app.logs import configure_logs
from app.settings import Settings, load_settings
from jobs.lake import due
from jobs.lake.components import TRADE_COMPONENTS, derive, is_due, traders
from jobs.lake.due import Size
from jobs.lake.forgetting import TABLE, Forgetting
from jobs.lake.keeping import Keeping
from jobs.lake.orphans import remove_former_views, remove_orphans
from jobs.streams.lock import DriverLock
from jobs.streams.session import CHECKPOINTS, build_session, file_system

_MIB: Final = 2**20
_MANIFESTS_MAX: Final = 20
"""Manifests that a query's planning may have to read before they are rewritten; an append merges 100 by itself."""
_ORPHANS_EVERY_S: Final = 86_400
_ORPHANS_AT: Final = "haggle.maintenance.orphans-at"
"""Table property: when orphans were last looked for (seconds since 1970), since listing all files takes its time."""
_COMPONENTS_OF: Final = "haggle.maintenance.components-of"
"""Table property: of how many rows trade_components was made, and when (seconds since 1970)."""
_CANCEL_INTERVAL_S: Final = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """What a step did: `what` was counted before and after, and how long it took; `problem` says why it failed."""

    name: str
    what: str
    before: Size
    after: Size
    seconds: float
    problem: str = ""


class Table:
    """The table in Iceberg's own words, read anew each time: others commit in between."""

    def __init__(self, spark: SparkSession, settings: Settings) -> None:
        self.spark = spark
        self._settings = settings
        self._java: Any = spark._jvm  # noqa: SLF001 - PySpark's way to Iceberg's API

    def load(self, name: str = TABLE) -> Any:
        """Iceberg's table as it is now."""
        session = self.spark._jsparkSession  # noqa: SLF001
        return self._java.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(session, name)

    def rows(self) -> int:
        """Rows of the newest snapshot."""
        return int(self._summary().get("total-records") or 0)

    def data_files(self) -> Size:
        """Data files of the newest snapshot."""
        summary = self._summary()
        return Size(int(summary.get("total-data-files") or 0), int(summary.get("total-files-size") or 0))

    def manifests(self) -> Size:
        """Manifests of the newest snapshot."""
        table = self.load()
        if table.currentSnapshot() is None:
            return Size()
        lengths = [manifest.length() for manifest in table.currentSnapshot().allManifests(table.io())]
        return Size(len(lengths), sum(lengths))

    def snapshots(self) -> Size:
        """Snapshots that can be asked for; the bytes are those of the newest metadata file."""
        table = self.load()
        location = table.operations().current().metadataFileLocation()
        return Size(sum(1 for _ in table.snapshots()), int(table.io().newInputFile(location).getLength()))

    def disk(self) -> Size:
        """Files of all tables and views, whether anything names them or not."""
        files, hadoop = file_system(self.spark, self._settings)
        content = files.getContentSummary(hadoop.Path(self.load().location()).getParent())
        return Size(content.getFileCount(), content.getLength())

    def tags(self) -> set[str]:
        """The names of its tags."""
        return {name for name in self.load().refs() if name.startswith(due.TAG_PREFIX)}

    def days(self, sizes: list[int]) -> list[due.Day]:
        """Its days with files, oldest first, by tier."""
        size = f.col("file_size_in_bytes")
        tier = f.lit(len(sizes))
        for place in reversed(range(len(sizes))):
            tier = f.when(size < sizes[place], place).otherwise(tier)
        files = self.spark.table(f"{TABLE}.files").select(f"partition.{EVENTS.day_of}_day", size, tier.alias("tier"))
        grouped = files.groupBy("occurred_at_day", "tier").agg(f.count("*").alias("files"), f.sum(size).alias("bytes"))
        found: dict[date | None, list[due.Tier]] = {}
        for row in grouped.collect():
            tiers = found.setdefault(row["occurred_at_day"], [due.Tier()] * (len(sizes) + 1))
            tiers[row["tier"]] = due.Tier(row["files"], row["bytes"])
        return [due.Day(day, found[day]) for day in sorted(found, key=lambda day: day or date.max)]

    def _summary(self) -> Any:
        snapshot = self.load().currentSnapshot()
        return snapshot.summary() if snapshot is not None else {}


class Maintenance:
    """The steps, in order. `now` is the moment that all ages are counted from."""

    def __init__(self, spark: SparkSession, settings: Settings, now: datetime) -> None:
        self._spark = spark
        self._settings = settings
        self._now = now
        self._table = Table(spark, settings)
        self._file_bytes = settings.maintenance_file_mib * _MIB
        self._sizes = due.limits(self._file_bytes)
        self._forgetting = Forgetting(spark, settings, now)
        self._keeping = Keeping(spark, self._is_over)

    def run(self, done: Callable[[Step], None]) -> bool:
        """Does all steps and hands each on when it has ended; False if one failed."""
        table = self._table
        steps: list[tuple[str, str, Callable[[], Size], Callable[[], None]]] = [
            ("compact the running day", "data files", table.data_files, self._merge),
            ("compact days that are over", "data files", table.data_files, self._sort_days),
            ("rewrite manifests", "manifests", table.manifests, self._rewrite_manifests),
            ("forget players", "rows with names", lambda: Size(self._forgetting.rows_with_names()), self._forget),
            ("keep aggregates", "days kept", self._keeping.days, self._keep),
            ("connect traders", "players", lambda: Size(traders(self._spark)), self._connect),
            ("tag days", "tags", lambda: Size(len(table.tags())), self._tag_days),
            ("expire snapshots", "snapshots", table.snapshots, self._expire),
            ("remove orphans", "files on HDFS", table.disk, self._remove_orphans),
            ("remove checkpoints", "checkpoints", self._checkpoints, self._remove_checkpoints),
        ]
        ok = True
        for name, what, measure, work in steps:
            step = self._do(name, what, measure, work)
            done(step)
            ok = ok and not step.problem
        return ok

    def _do(self, name: str, what: str, measure: Callable[[], Size], work: Callable[[], None]) -> Step:
        _log.info("step begins", extra={"context": {"step": name}})
        started = time.monotonic()
        before, problem = Size(), ""
        try:
            before = measure()
            with self._bounded():
                work()
            after = measure()
        except (HaggleError, PySparkException, Py4JError) as error:
            after, problem = before, " ".join(str(error).split())[:500]
            _log.error("a step failed", extra={"context": {"step": name, "error": problem}})
        return Step(name, what, before, after, round(time.monotonic() - started, 1), problem)

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        """Cancels what Spark does once the step has had its time; again and again, since a step may have many jobs."""
        ended = threading.Event()

        def cancel() -> None:
            wait_s = self._settings.maintenance_step_s
            while not ended.wait(wait_s):
                _log.warning("a step takes too long", extra={"context": {"after_s": self._settings.maintenance_step_s}})
                self._spark.sparkContext.cancelAllJobs()
                wait_s = _CANCEL_INTERVAL_S

        thread = threading.Thread(target=cancel, name="step-deadline", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    # ------------------------------------------------------------ compaction

    def _is_over(self, day: date | None) -> bool:
        return due.is_over(day, self._now, self._settings.day_settle_s)

    def _merge(self) -> None:
        """Merges small files of days that are not over."""
        for day in self._table.days(self._sizes):
            below = due.merge_below(day, self._sizes)
            if below is not None and not self._is_over(day.day):
                files = {"min-file-size-bytes": below, "min-input-files": due.FAN_IN}
                self._rewrite(day.day, "binpack", files)

    def _sort_days(self) -> None:
        """Rewrites days that are over and have more files than they need, sorted."""
        for day in self._table.days(self._sizes):
            if self._is_over(day.day) and not due.is_compact(day, self._file_bytes):
                self._rewrite(day.day, "sort", {"rewrite-all": "true"})

    def _rewrite(self, day: date | None, strategy: str, options: dict[str, Any]) -> None:
        """One call of Iceberg's procedure; raises HaggleError if it could not rewrite all."""
        options = {
            "target-file-size-bytes": self._file_bytes,
            # a large file is never split again
            "max-file-size-bytes": 2**62,
            "max-file-group-size-bytes": max(self._settings.maintenance_group_mib * _MIB, self._file_bytes),
            "max-concurrent-file-group-rewrites": 1,
            # what is done is committed, so that a kill or the step's end loses one group at the most
            "partial-progress.enabled": "true",
            "partial-progress.max-commits": 10,
            **options,
        }
        pairs = ", ".join(f"'{name}', '{value}'" for name, value in options.items())
        order = ", sort_order => 'realm asc nulls last, sequence asc nulls last'" if strategy == "sort" else ""
        (row,) = self._spark.sql(
            f"call {CATALOG}.system.rewrite_data_files(table => '{SCHEMA}.{EVENTS.name}', strategy => '{strategy}'"
            f'{order}, options => map({pairs}), where => "{_within(day)}")'
        ).collect()
        if row["failed_data_files_count"]:
            raise HaggleError(f"{row['failed_data_files_count']} files of {day} could not be rewritten")

    def _rewrite_manifests(self) -> None:
        """Makes few manifests of many: the planning of each question reads them all."""
        if self._table.manifests().count > _MANIFESTS_MAX:
            name = f"{SCHEMA}.{EVENTS.name}"
            self._spark.sql(
                f"call {CATALOG}.system.rewrite_manifests(table => '{name}', use_caching => false)"
            ).collect()

    # ------------------------------------------------------------ forgotten players

    def _forget(self) -> None:
        """Takes the names of forgotten players out of the rows, and out of tags when their time is over."""
        self._forgetting.clear()
        self._forgetting.drop_tags(self._table.load())

    # ------------------------------------------------------------ what follows from the events

    def _keep(self) -> None:
        """Keeps the aggregates of days that are over."""
        for name in self._keeping.keep():
            self._expire_older(name)

    def _connect(self) -> None:
        """Makes trade_components anew when there is enough that it does not know."""
        rows = self._table.rows()
        known, _, at = str(self._table.load().properties().get(_COMPONENTS_OF) or "0 0").partition(" ")
        if not is_due(rows, int(known), self._now.timestamp() - float(at)):
            return
        derive(self._spark)
        self._expire_older(TRADE_COMPONENTS)
        now_s = int(self._now.timestamp())
        self._spark.sql(f"alter table {TABLE} set tblproperties ('{_COMPONENTS_OF}' = '{rows} {now_s}')").collect()

    def _expire_older(self, name: str) -> None:
        action = self._actions().expireSnapshots(self._table.load(f"{CATALOG}.{SCHEMA}.{name}"))
        action.expireOlderThan(self._millis_ago(self._settings.snapshot_keep_s)).execute()

    # ------------------------------------------------------------ the past

    def _tag_days(self) -> None:
        """Gives days that are over and compact their tags, so that the table can be asked for as it was after them."""
        compact = [
            day.day
            for day in self._table.days(self._sizes)
            if day.day and self._is_over(day.day) and due.is_compact(day, self._file_bytes)
        ]
        keep_days = self._settings.tag_keep_days
        for day in due.days_to_tag(compact, self._table.tags(), self._now.date(), keep_days):
            name = due.tag_name(day)
            self._spark.sql(f"alter table {TABLE} create tag if not exists `{name}` retain {keep_days} days").collect()

    def _expire(self) -> None:
        """Removes old snapshots and tags, and the files that they alone name. The stream needs none of them."""
        action = self._actions().expireSnapshots(self._table.load())
        action.expireOlderThan(self._millis_ago(self._settings.snapshot_keep_s))
        # in a lake that nothing comes to, the newest ones would keep the names of forgotten players
        is_due = self._forgetting.due_until() is not None
        action.retainLast(1 if is_due else self._settings.snapshot_keep_last)
        action.option("stream-results", "true").execute()

    # ------------------------------------------------------------ what nobody names

    def _remove_orphans(self) -> None:
        """Removes files that no table and no view names, once a day."""
        looked_at = float(self._table.load().properties().get(_ORPHANS_AT) or 0)
        if self._now.timestamp() < looked_at + min(_ORPHANS_EVERY_S, self._settings.orphan_keep_s):
            return
        before_ms = self._millis_ago(self._settings.orphan_keep_s)
        remove_former_views(self._spark, self._settings, before_ms)
        remove_orphans(self._spark, before_ms)
        at = int(self._now.timestamp())
        self._spark.sql(f"alter table {TABLE} set tblproperties ('{_ORPHANS_AT}' = '{at}')").collect()

    def _actions(self) -> Any:
        java: Any = self._spark._jvm  # noqa: SLF001
        return java.org.apache.iceberg.spark.actions.SparkActions.get(self._spark._jsparkSession)  # noqa: SLF001

    def _millis_ago(self, age_s: float) -> int:
        return int((self._now.timestamp() - age_s) * 1_000)

    def _checkpoints(self) -> Size:
        return Size(len(self._checkpoint_changes()))

    def _checkpoint_changes(self) -> dict[str, float]:
        files, hadoop = file_system(self._spark, self._settings)
        folder = hadoop.Path(CHECKPOINTS)
        if not files.exists(folder):
            return {}
        found = files.listStatus(folder)
        return {status.getPath().toString(): status.getModificationTime() / 1_000 for status in found}

    def _remove_checkpoints(self) -> None:
        """Removes checkpoints of queries that are no more; the streams do so at each start, but may run for months."""
        files, hadoop = file_system(self._spark, self._settings)
        old = due.old_checkpoints(self._checkpoint_changes(), self._now.timestamp(), self._settings.checkpoint_keep_s)
        for path in old:
            files.delete(hadoop.Path(path), True)


def _within(day: date | None) -> str:
    """The rows of a day, in Spark SQL; of no day are dead letters."""
    if day is None:
        return f"{EVENTS.day_of} is null"
    start = f"timestamp '{day.isoformat()} 00:00:00'"
    return f"{EVENTS.day_of} >= {start} and {EVENTS.day_of} < {start} + interval 1 day"


def maintain(settings: Settings, done: Callable[[Step], None], now: datetime | None = None) -> bool:
    """Does all steps once and hands each on; False if one failed. Raises HaggleError if another maintenance runs.

    Ages are counted from `now`, the present unless given.
    """
    lock = DriverLock(settings, f"{CATALOG}.{SCHEMA}", "maintenance")
    if not lock.try_acquire():
        raise HaggleError("another maintenance of this lake runs, or its catalog does not answer")
    with small_session(settings) as spark:
        lock.watch(lambda: _end_at_once(spark))
        if not spark.catalog.tableExists(TABLE):
            _log.info("there is no table yet", extra={"context": {"table": TABLE}})
            return True
        return Maintenance(spark, settings, now or datetime.now(UTC)).run(done)


@contextmanager
def small_session(settings: Settings) -> Iterator[SparkSession]:
    """A session of one core beside the streams', in a folder of its own that goes with it."""
    folder = tempfile.mkdtemp(prefix="haggle-maintenance-")
    os.environ |= {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    own = replace(
        settings, spark_master="local[1]", spark_driver_memory_mib=settings.maintenance_memory_mib, spark_ui_port=0
    )
    spark = build_session(own, "haggle-maintenance", {"spark.ui.enabled": "false", "spark.local.dir": folder})
    spark.sparkContext.setLogLevel("ERROR")
    try:
        yield spark
    finally:
        spark.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _end_at_once(spark: SparkSession) -> None:
    """Without the lock another maintenance may begin: this one ends."""
    gateway: Any = spark.sparkContext._gateway  # noqa: SLF001 - PySpark's way to its JVM
    gateway.proc.kill()
    os._exit(1)


def as_json(step: Step) -> str:
    """One line for programs."""
    return json.dumps(asdict(step))


def main() -> None:
    """Runs once and writes a line of JSON for each step; exits with 1 if one failed."""
    argparse.ArgumentParser(prog="python -m jobs.lake.maintenance", description=__doc__).parse_args()
    settings = load_settings(os.environ)
    configure_logs(settings.log_level)
    try:
        ok = maintain(settings, lambda step: print(as_json(step), flush=True))
    except HaggleError as error:
        _log.error("maintenance cannot run", extra={"context": {"error": str(error)}})
        sys.exit(1)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
