"""Maintenance beside a stream that goes on: killed in the middle of its work, and expiring what the stream once used.

Each maintenance here is a test's own, and not the stack's.
"""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.settings import SETTINGS, Settings
from jobs.lake.due import FAN_IN, limits, tier_of
from jobs.lake.trino import Lake
from jobs.local.stack import Stack
from tests.conftest import wait_until
from tests.hdfs import hadoop
from tests.playing import QUERY_PAUSE_S, assert_exact, kill_9, made_good, traffic

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600), pytest.mark.usefixtures("without_the_timer")]
FOLDER = "/warehouse/haggle/events"
CODE = """
import os, sys
from dataclasses import replace
from datetime import datetime
from app.logs import configure_logs
from app.settings import load_settings
from jobs.lake.maintenance import as_json, maintain
configure_logs("INFO")
# ages below those that the settings allow: nothing else writes here, or nothing of that age is looked at
orphan_keep_s, now = float(sys.argv[1]), datetime.fromisoformat(sys.argv[2])
settings = replace(load_settings(os.environ), orphan_keep_s=orphan_keep_s)
sys.exit(0 if maintain(settings, lambda step: print(as_json(step), flush=True), now) else 1)
"""
COMPACTION, EXPIRY = "compact the running day", "expire snapshots"
COMMITTED = "Successfully committed to table"
NO_ORPHANS_S = 1e9
ENOUGH_FILES = FAN_IN + 5
LOG4J = """
rootLogger.level=error
rootLogger.appenderRef.stderr.ref=stderr
appender.stderr.type=Console
appender.stderr.name=stderr
appender.stderr.target=SYSTEM_ERR
appender.stderr.layout.type=PatternLayout
appender.stderr.layout.pattern=%m%n
logger.iceberg.name=org.apache.iceberg
logger.iceberg.level=info
logger.calls.name=org.apache.hadoop.ipc.ProtobufRpcEngine2
logger.calls.level=debug
"""


@contextmanager
def started(
    stack: Stack, folder: Path, *, now: datetime | None = None, orphan_keep_s: float = NO_ORPHANS_S, **more: Any
) -> Iterator[subprocess.Popen[str]]:
    """A maintenance that says on standard error what Iceberg does; it is killed at the end if it still runs."""
    log4j = folder / "log4j2.properties"
    log4j.write_text(LOG4J)
    settings = stack.settings()
    environment = {item.name.upper(): str(getattr(settings, item.name)) for item in SETTINGS}
    environment |= {name.upper(): str(value) for name, value in more.items()}
    java = f"-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile={log4j}"
    arguments = [str(orphan_keep_s), (now or datetime.now(UTC)).isoformat()]
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, *arguments],
        env={**os.environ, **environment, "JAVA_TOOL_OPTIONS": java},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def maintained(stack: Stack, folder: Path, **options: Any) -> dict[str, dict[str, Any]]:
    """A maintenance that ends well; its steps by name."""
    with started(stack, folder, **options) as process:
        out, said = process.communicate(timeout=600)
    assert process.returncode == 0, said[-3_000:]
    return {step["name"]: step for step in map(json.loads, out.splitlines())}


def killed(stack: Stack, folder: Path, step: str, at: Sequence[str], **options: Any) -> None:
    """Kills a maintenance once it has said all of `at` within a step, in that order; fails if the step ends before."""
    due = [f'"{step}"', *at]
    with started(stack, folder, **options) as process:
        assert process.stderr is not None
        for line in process.stderr:
            assert '"step begins"' not in line or len(due) > len(at), f"{step} ended before it said {due}"
            if due[0] in line:
                due.pop(0)
            if not due:
                break
        assert not due, f"maintenance ended before it said {due}"
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def wait_until_due(settings: Settings) -> None:
    """Waits until compaction has something to do: enough files of one tier, with some to spare for those of no day."""
    sizes = limits(settings.maintenance_file_mib * 2**20)
    lake = Lake(settings)

    def is_due() -> bool:
        rows = lake.run('select file_size_in_bytes from lake.haggle."events$files"').rows
        return max(Counter(tier_of(size, sizes) for (size,) in rows).values(), default=0) >= ENOUGH_FILES

    wait_until(is_due, 300, pause_s=2)


def snapshots(settings: Settings) -> int:
    return int(Lake(settings).run('select count(*) from lake.haggle."events$snapshots"').rows[0][0])


def on_hdfs(settings: Settings, folder: str) -> set[str]:
    lines = hadoop(settings, "org.apache.hadoop.fs.FsShell", "-ls", "-R", "-C", folder).splitlines()
    return {line.split(FOLDER)[-1] for line in lines if "." in line.rsplit("/", 1)[-1]}


def named(settings: Settings) -> set[str]:
    rows = Lake(settings).run('select file_path from lake.haggle."events$files"').rows
    return {path.split(FOLDER)[-1] for (path,) in rows}


def test_compaction_and_expiry_beside_200_trades_a_second_leave_each_event_once(
    stack: Stack, settings: Settings, tmp_path: Path, seed: int
) -> None:
    with traffic(settings, seed=seed, rate=200):
        wait_until_due(settings)
        steps = maintained(stack, tmp_path, snapshot_keep_s=0, snapshot_keep_last=1)
        made_good(settings)
    for name in (COMPACTION, EXPIRY):
        assert steps[name]["after"]["count"] < steps[name]["before"]["count"]
    assert_exact(settings, full=True)


# of each: the step, and what Iceberg and the client of HDFS say, one after the other, until it is killed
IN_THE_MIDDLE = [
    # new files are written, and no snapshot names them yet
    (COMPACTION, ["Rewrite Files Ready to be Committed"]),
    (COMPACTION, [COMMITTED]),
    # snapshots are gone, and the files that they alone named are still there
    (EXPIRY, [COMMITTED]),
    # while it deletes; the commit itself deletes one file, an old one of the table's metadata
    (EXPIRY, [COMMITTED, *["Call: delete took"] * 4]),
]


def test_kill_9_in_the_middle_leaves_the_table_whole_and_the_next_run_goes_on(
    stack: Stack, settings: Settings, tmp_path: Path, seed: int
) -> None:
    with traffic(settings, seed=seed, rate=60):
        for step, said in IN_THE_MIDDLE:
            if step == COMPACTION:
                wait_until_due(settings)
            killed(stack, tmp_path, step, said, snapshot_keep_s=0, snapshot_keep_last=1)
            made_good(settings)
            assert_exact(settings)
        maintained(stack, tmp_path, snapshot_keep_s=0, snapshot_keep_last=1)
    assert_exact(settings, full=True)


def test_no_orphan_stays_and_a_stream_starts_where_one_snapshot_is_left(
    stack: Stack, settings: Settings, tmp_path: Path, seed: int
) -> None:
    with traffic(settings, seed=seed):
        wait_until_due(settings)
        # what is younger than any age is an orphan here, so nothing else may write
        stack.stop("streams")
        try:
            killed(stack, tmp_path, EXPIRY, [COMMITTED], snapshot_keep_s=0, snapshot_keep_last=1)
            assert on_hdfs(settings, f"{FOLDER}/data") > named(settings)
            maintained(stack, tmp_path, snapshot_keep_s=0, snapshot_keep_last=1, orphan_keep_s=0)
            assert on_hdfs(settings, f"{FOLDER}/data") == named(settings)
            assert snapshots(settings) == 1
        finally:
            stack.start("streams")
        made_good(settings)
    assert_exact(settings, full=True)


def test_a_stream_goes_on_where_all_snapshots_but_one_are_expired(
    stack: Stack, settings: Settings, tmp_path: Path, seed: int
) -> None:
    with traffic(settings, seed=seed):
        wait_until(lambda: snapshots(settings) >= 5, 120, pause_s=QUERY_PAUSE_S)
        steps = maintained(stack, tmp_path, snapshot_keep_s=0, snapshot_keep_last=1)
        assert steps[EXPIRY]["after"]["count"] < steps[EXPIRY]["before"]["count"]
        made_good(settings)
        kill_9(stack, "streams")
        made_good(settings)
    assert_exact(settings)


def test_two_maintenances_never_run_at_once(stack: Stack, tmp_path: Path) -> None:
    with started(stack, tmp_path) as first:
        assert first.stderr is not None
        assert any('"step begins"' in line for line in first.stderr)
        with started(stack, tmp_path) as second:
            _, said = second.communicate(timeout=120)
    assert second.returncode != 0
    assert "another maintenance of this lake runs" in said


def test_a_day_that_is_over_is_sorted_into_one_file_and_can_be_asked_for_by_its_tag(
    stack: Stack, settings: Settings, tmp_path: Path, seed: int
) -> None:
    today, lake = datetime.now(UTC).date(), Lake(settings)
    files = f"select file_count from lake.haggle.\"events$partitions\" where partition.occurred_at_day = date '{today}'"

    def rows(version: str = "") -> Any:
        sql = f"select count(*), max(sequence) from lake.haggle.events {version} where realm = ?"
        return lake.run(sql, (settings.realm,)).rows

    with traffic(settings, seed=seed):
        wait_until_due(settings)
    assert_exact(settings)
    before = rows()
    tomorrow = datetime.now(UTC) + timedelta(days=1, hours=2)
    maintained(stack, tmp_path, now=tomorrow, snapshot_keep_last=10_000, snapshot_keep_s=0)
    assert lake.run(files).rows == [[1]]
    with traffic(settings, seed=seed):
        made_good(settings)
    # the tag outlives the snapshots beside it
    maintained(stack, tmp_path, snapshot_keep_s=0, snapshot_keep_last=1)
    assert rows(f"for version as of 'day-{today}'") == before != rows()
    assert_exact(settings)


def test_metadata_files_are_bounded_however_many_commits_there_are(settings: Settings, seed: int) -> None:
    """Of the files of kills before, which leave some, nothing is said here."""

    def commits() -> list[int]:
        """The numbers of those commits whose metadata files are there."""
        folder = on_hdfs(settings, f"{FOLDER}/metadata")
        found = [name.rsplit("/", 1)[-1] for name in folder if name.endswith(".metadata.json")]
        return sorted(int(name.split("-")[0]) for name in found)

    first, known = commits()[-1], snapshots(settings)
    with traffic(settings, seed=seed, rate=50):
        wait_until(lambda: snapshots(settings) > known + 30, 300, pause_s=2)
    assert commits()[-1] > first + 30
    assert len([number for number in commits() if number > first]) <= 11
