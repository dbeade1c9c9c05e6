"""kill -9 of every part under load, twice each, and the loss of what the stream remembers: then the audit is exact.

Trades go on all the time. A loss counts as made good once a trade that was made after it is in the table.
"""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from app.settings import SETTINGS, Settings
from jobs.local.stack import Stack
from jobs.streams.session import CHECKPOINTS
from tests.conftest import wait_until
from tests.faults.conftest import first_seed
from tests.hdfs import copy, listed, remove
from tests.kafka import free_port
from tests.playing import assert_exact, kill_9, made_good, running_pid, traffic, wait_for_events

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600), pytest.mark.usefixtures("game")]
RATE = 50
PARTS = ["streams", "relay", "kafka", "namenode", "datanode", "catalog", "trino", "redis", "engine"]


@pytest.fixture(scope="module")
def game(settings: Settings, request: pytest.FixtureRequest) -> Iterator[None]:
    with traffic(settings, seed=first_seed(request.config), rate=RATE):
        yield


@pytest.mark.parametrize("name", PARTS)
def test_kill_9_of_a_process_under_load_twice_loses_and_doubles_nothing(
    stack: Stack, settings: Settings, name: str, seed: int
) -> None:
    draw = random.Random(f"{name} {seed}")
    for _ in range(2):
        wait_for_events(settings, draw.randrange(2 * RATE))
        kill_9(stack, name)
        made_good(settings)
    assert_exact(settings)


def test_a_lost_checkpoint_is_harmless(stack: Stack, settings: Settings) -> None:
    remove(settings, CHECKPOINTS)
    made_good(settings)
    kill_9(stack, "streams")
    made_good(settings)
    assert_exact(settings)


def test_a_restored_old_checkpoint_is_harmless(stack: Stack, settings: Settings) -> None:
    stack.stop("streams")
    old = listed(settings, CHECKPOINTS)[0]
    copy(settings, f"{CHECKPOINTS}/{old}", f"/kept/{old}")
    stack.start("streams")
    made_good(settings)
    stack.stop("streams")
    assert old not in listed(settings, CHECKPOINTS)
    copy(settings, f"/kept/{old}", f"{CHECKPOINTS}/{old}")
    stack.start("streams")
    made_good(settings)
    assert_exact(settings)


def test_two_drivers_append_nothing_twice(stack: Stack, settings: Settings, tmp_path: Path) -> None:
    log = tmp_path / "second.log"
    with second_driver(settings, log) as second:
        # it has started Spark before it asks for the lock
        wait_until(lambda: messages(log), 120, pause_s=0.2)
        made_good(settings)
        assert messages(log) == ["waiting for the lock: another driver runs"]
        stack.stop("streams")
        made_good(second)
        assert "the query starts" in messages(log)
        stack.start("streams")
        wait_until(lambda: "waiting for the lock" in own_log(stack, "streams")[-2_000:], 60, pause_s=0.2)
    made_good(settings)
    assert_exact(settings)


@contextmanager
def second_driver(settings: Settings, log: Path) -> Iterator[Settings]:
    """A driver beside the stack's own, on the same lake; killed in the end. Yields its settings."""
    second = replace(settings, streams_metrics_port=free_port(), spark_ui_port=0)
    own = {item.name.upper(): str(getattr(second, item.name)) for item in SETTINGS}
    java = {"SPARK_LOCAL_IP": "127.0.0.1", "JAVA_TOOL_OPTIONS": "-XX:+UseSerialGC"}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "jobs.streams"],
            env={**os.environ, **own, **java},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield second
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def messages(log: Path) -> list[str]:
    """What the process itself has said, without its JVM."""
    return [json.loads(line)["message"] for line in log.read_text().splitlines() if line.startswith("{")]


def own_log(stack: Stack, name: str) -> str:
    return (stack.home / "logs" / f"{name}.log").read_text(errors="replace")


def test_a_driver_that_loses_its_lock_ends_at_once_and_the_next_one_goes_on(stack: Stack, settings: Settings) -> None:
    before = wait_until(lambda: running_pid(stack, "streams"), 60)
    with psycopg.connect(settings.catalog_url, autocommit=True) as connection:
        ended = connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'haggle-streams'"
        ).fetchall()
    assert ended == [(True,)]
    wait_until(lambda: running_pid(stack, "streams") not in (0, before), 30, pause_s=0.1)
    made_good(settings)
    assert_exact(settings)
