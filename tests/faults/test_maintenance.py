"""Maintenance beside a stream that goes on: killed in the middle of its work, and expiring what the stream once used.

What is in the table is compared with what the engine decided: sequence numbers 1 to N, each in one row.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.adapters.redis import Keys, connect
from app.settings import SETTINGS, Settings
from jobs.embedded.stack import Stack
from jobs.lake.due import FAN_IN
from jobs.lake.trino import Lake
from jobs.simulate.run import Order, simulate
from tests.conftest import wait_until
from tests.hdfs import hadoop
from tests.playing import kill_9, play

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_800)]
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
"""


@pytest.fixture(scope="module", autouse=True)
def _without_the_timer(stack: Stack) -> Iterator[None]:
    """Each maintenance here is a test's own."""
    stack.stop("maintenance")
    yield
    stack.start("maintenance")


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


def killed(stack: Stack, folder: Path, step: str, at: str, after_s: float, **options: Any) -> None:
    """Kills a maintenance some time after it says `at` within a step; fails if the step ends before it says so."""
    with started(stack, folder, **options) as process:
        assert process.stderr is not None
        within = False
        for line in process.stderr:
            if '"step begins"' in line:
                assert not within, f"{step} ended without {at}"
                within = f'"{step}"' in line
            if within and at in line:
                time.sleep(after_s)
                os.killpg(process.pid, signal.SIGKILL)
                break
        else:
            pytest.fail(f"{step} did not say {at}")
    assert process.returncode == -signal.SIGKILL


def decided(settings: Settings) -> int:
    redis: Any = connect(settings)
    return int(redis.get(Keys(settings.realm).sequence))


def assert_exact(settings: Settings) -> None:
    """The table has each event that the engine decided, once."""
    sql = (
        "select count(*), count(distinct sequence), coalesce(max(sequence), 0) from lake.haggle.events where realm = ?"
    )
    wanted = [decided(settings)] * 3
    found: list[int] = []

    def there() -> bool:
        found[:] = Lake(settings).run(sql, (settings.realm,)).rows[0]
        return (found[2] or 0) >= wanted[2]

    wait_until(there, 600)
    assert found == wanted


@contextmanager
def traffic(settings: Settings, *, seed: int, rate: float = 200, trades: int = 100_000) -> Iterator[None]:
    """Trades that go on until the end of the block."""
    ended = threading.Event()

    class Enough(Exception):
        pass

    def playing() -> None:
        def progress(_outcome: Any) -> None:
            if ended.is_set():
                raise Enough

        with suppress(Enough):
            simulate(settings, Order(players=20, trades=trades, seed=seed, rate=rate), progress)

    thread = threading.Thread(target=playing)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def files(settings: Settings) -> int:
    return int(Lake(settings).run('select count(*) from lake.haggle."events$files"').rows[0][0])


def snapshots(settings: Settings) -> int:
    return int(Lake(settings).run('select count(*) from lake.haggle."events$snapshots"').rows[0][0])


def on_hdfs(settings: Settings, folder: str) -> set[str]:
    lines = hadoop(settings, "org.apache.hadoop.fs.FsShell", "-ls", "-R", "-C", folder).splitlines()
    return {line.split(FOLDER)[-1] for line in lines if "." in line.rsplit("/", 1)[-1]}


def named(settings: Settings) -> set[str]:
    rows = Lake(settings).run('select file_path from lake.haggle."events$files"').rows
    return {path.split(FOLDER)[-1] for (path,) in rows}


def test_compaction_and_expiry_beside_200_trades_a_second_leave_each_event_once(stack: Stack, tmp_path: Path) -> None:
    settings = stack.settings()
    with traffic(settings, seed=21):
        wait_until(lambda: files(settings) >= ENOUGH_FILES, 600)
        steps = maintained(stack, tmp_path, snapshot_keep_s=0, snapshot_keep_last=1)
        before = decided(settings)
        wait_until(lambda: decided(settings) > before, 60)  # the game went on
    assert steps["compact the running day"]["after"]["count"] < steps["compact the running day"]["before"]["count"]
    assert steps["expire snapshots"]["after"]["count"] < steps["expire snapshots"]["before"]["count"]
    assert_exact(settings)


# of each: the step, what Iceberg says, and how long after that it is killed (seconds)
IN_THE_MIDDLE = {
    # new files are written, and no snapshot names them yet
    "compaction before its commit": ("compact the running day", "Rewrite Files Ready to be Committed", 0.0),
    "compaction after its commit": ("compact the running day", "Successfully committed to table", 0.0),
    # snapshots are gone, and the files that they alone named are still there
    "expiry after its commit": ("expire snapshots", "Successfully committed to table", 0.0),
    "expiry while it deletes": ("expire snapshots", "Successfully committed to table", 1.0),
}


@pytest.mark.parametrize("where", IN_THE_MIDDLE)
def test_kill_9_in_the_middle_leaves_the_table_whole_and_the_next_run_ends_well(
    stack: Stack, tmp_path: Path, where: str
) -> None:
    settings = stack.settings()
    with traffic(settings, seed=22):
        wait_until(lambda: files(settings) >= ENOUGH_FILES, 600)
        killed(stack, tmp_path, *IN_THE_MIDDLE[where], snapshot_keep_s=0, snapshot_keep_last=1)
        assert Lake(settings).run("select count(*) from lake.haggle.trades").rows[0][0] > 0
    assert_exact(settings)
    maintained(stack, tmp_path, snapshot_keep_s=0, snapshot_keep_last=1)
    assert_exact(settings)


def test_no_orphan_stays(stack: Stack, tmp_path: Path) -> None:
    """Runs after the kills above, which leave some."""
    settings = stack.settings()
    with traffic(settings, seed=27):
        wait_until(lambda: files(settings) >= ENOUGH_FILES, 600)
    assert_exact(settings)
    # what is younger than any age is an orphan here, so nothing else may write
    stack.stop("streams")
    try:
        killed(stack, tmp_path, *IN_THE_MIDDLE["expiry after its commit"], snapshot_keep_s=0, snapshot_keep_last=1)
        maintained(stack, tmp_path, snapshot_keep_s=0, snapshot_keep_last=1)
        assert on_hdfs(settings, f"{FOLDER}/data") > named(settings)
        maintained(stack, tmp_path, snapshot_keep_s=0, snapshot_keep_last=1, orphan_keep_s=0)
        assert on_hdfs(settings, f"{FOLDER}/data") == named(settings)
    finally:
        stack.start("streams")
    assert_exact(settings)


def test_a_stream_goes_on_where_all_snapshots_but_one_are_expired(stack: Stack, tmp_path: Path) -> None:
    settings = stack.settings()
    with traffic(settings, seed=23, rate=100):
        wait_until(lambda: snapshots(settings) >= 5, 600)
        maintained(stack, tmp_path, snapshot_keep_s=0, snapshot_keep_last=1)
        kill_9(stack, "streams")
        before = decided(settings)
        wait_until(lambda: decided(settings) > before + 500, 300)
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
    stack: Stack, tmp_path: Path
) -> None:
    settings = stack.settings()
    play(settings, Order(players=20, trades=300, seed=24, rate=50))
    assert_exact(settings)
    today = datetime.now(UTC).date()
    tomorrow = datetime.now(UTC) + timedelta(days=1, hours=2)
    maintained(stack, tmp_path, now=tomorrow, snapshot_keep_last=10_000, snapshot_keep_s=0)
    then = decided(settings)
    assert files(settings) <= 5
    play(settings, Order(players=20, trades=100, seed=25))
    assert_exact(settings)
    # the tag outlives the snapshots beside it
    maintained(stack, tmp_path, snapshot_keep_s=0, snapshot_keep_last=1)
    sql = f"select count(*), max(sequence) from lake.haggle.events for version as of 'day-{today}' where realm = ?"
    assert Lake(settings).run(sql, (settings.realm,)).rows == [[then, then]]
    assert_exact(settings)


def test_metadata_files_are_bounded_after_100_commits(stack: Stack) -> None:
    settings = stack.settings()

    def metadata() -> list[str]:
        return sorted(name for name in on_hdfs(settings, f"{FOLDER}/metadata") if name.endswith(".metadata.json"))

    def commits() -> int:
        return max(int(name.rsplit("/", 1)[-1].split("-")[0]) for name in metadata())

    with traffic(settings, seed=26, rate=50):
        wait_until(lambda: commits() >= 100, 1_200)
    assert len(metadata()) <= 11
