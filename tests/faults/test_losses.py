"""kill -9 of every part under load, twice each, and the loss of what the stream remembers: then the audit is exact."""

import json
import os
import subprocess
import sys
from typing import Any

import psycopg
import pytest

from app.settings import SETTINGS, Settings
from jobs.embedded.stack import Stack
from jobs.lake.trino import Lake
from jobs.simulate.run import Order
from jobs.streams.session import CHECKPOINTS
from tests.conftest import wait_until
from tests.hdfs import copy, listed, remove
from tests.playing import exact, failed, kill_9, play, running_pid

pytestmark = pytest.mark.faults
EACH_ONCE = """
select
    count(*), count(distinct sequence), max(sequence),
    count(distinct row(kafka_topic_id, kafka_partition, kafka_offset))
from lake.haggle.events
where realm = ?
"""


def assert_each_once(settings: Settings) -> None:
    """Sequence numbers 1 to N, each in one row, each row of another record."""
    ((rows, different, newest, records),) = Lake(settings).run(EACH_ONCE, (settings.realm,)).rows
    assert rows == different == newest == records


def moderate(seed: int, trades: int = 900) -> Order:
    return Order(players=20, trades=trades, seed=seed, rate=100)


PARTS = ["streams", "relay", "kafka", "namenode", "datanode", "catalog", "trino", "redis", "engine"]


@pytest.mark.parametrize("name", PARTS)
def test_kill_9_of_a_process_under_load_twice_loses_and_doubles_nothing(stack: Stack, name: str) -> None:
    settings = stack.settings()
    outcome = play(settings, moderate(4), {100: lambda: kill_9(stack, name), 600: lambda: kill_9(stack, name)})
    assert outcome.trades == 900
    assert failed(exact(settings)) == []
    assert_each_once(settings)


def test_a_lost_checkpoint_is_harmless(stack: Stack) -> None:
    settings = stack.settings()
    play(settings, moderate(5), {200: lambda: remove(settings, CHECKPOINTS), 500: lambda: kill_9(stack, "streams")})
    assert failed(exact(settings)) == []
    assert_each_once(settings)


def test_a_restored_old_checkpoint_is_harmless(stack: Stack) -> None:
    settings = stack.settings()
    exact(settings)
    (old,) = wait_until(lambda: listed(settings, CHECKPOINTS), 60)

    def restore() -> None:
        copy(settings, f"/tmp-checkpoint/{old}", f"{CHECKPOINTS}/{old}")
        kill_9(stack, "streams")

    copy(settings, f"{CHECKPOINTS}/{old}", f"/tmp-checkpoint/{old}")
    play(settings, moderate(6), {200: lambda: kill_9(stack, "streams"), 600: restore})
    assert failed(exact(settings)) == []
    assert_each_once(settings)


def test_a_second_driver_waits_for_the_first_and_appends_nothing(stack: Stack) -> None:
    settings = stack.settings()
    port = {"streams_metrics_port": 0, "spark_ui_port": 0}
    environment = {item.name.upper(): str({**vars_of(settings), **port}[item.name]) for item in SETTINGS}
    environment = os.environ | environment | {"SPARK_LOCAL_IP": "127.0.0.1"}
    second = subprocess.Popen(
        [sys.executable, "-m", "jobs.streams"], env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert second.stderr
    try:
        # it has started Spark before it asks for the lock
        message = json.loads(next(line for line in second.stderr if line.startswith(b"{")))["message"]
        assert message == "waiting for the lock: another driver runs"
        play(settings, moderate(7))
        assert failed(exact(settings)) == []
        assert_each_once(settings)
        assert second.poll() is None
    finally:
        second.kill()
    _, said = second.communicate()
    assert [line for line in said.splitlines() if line.startswith(b"{")] == []


def test_a_driver_that_loses_its_lock_ends_at_once_and_the_next_one_goes_on(stack: Stack) -> None:
    settings = stack.settings()
    before = wait_until(lambda: running_pid(stack, "streams"), 60)

    def take_the_lock_away() -> None:
        with psycopg.connect(settings.catalog_url, autocommit=True) as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'haggle-streams'"
            )

    play(settings, moderate(8), {300: take_the_lock_away})
    assert failed(exact(settings)) == []
    assert_each_once(settings)
    assert running_pid(stack, "streams") != before


def vars_of(settings: Settings) -> dict[str, Any]:
    return {item.name: getattr(settings, item.name) for item in SETTINGS}
