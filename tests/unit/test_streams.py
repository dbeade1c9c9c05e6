"""What a driver of the streams says while it waits, and when it ends, without Spark and without servers."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import psycopg
import pytest

from app.health import serve
from app.settings import load_settings
from jobs.streams import __main__ as driver
from jobs.streams import lock, progress
from jobs.streams.lock import GRACE_S, DriverLock
from jobs.streams.progress import HANG_S, Progress
from tests.kafka import free_port


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def monotonic(self) -> float:
        return self.now_s

    time = monotonic

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


# ---------------------------------------------------------------- the lock


class Catalog:
    """PostgreSQL, as a driver that tries to get the lock finds it each time: away, or with the lock taken or free."""

    def __init__(self, *finds: str) -> None:
        self._finds = iter(finds)
        self._now = ""

    def connect(self, *_: object) -> "Catalog":
        self._now = next(self._finds)
        if self._now == "away":
            raise psycopg.OperationalError("connection refused")
        return self

    def execute(self, *_: object) -> "Catalog":
        self._now, found = "", self._now or next(self._finds)
        if found == "away":
            raise psycopg.OperationalError("server closed the connection")
        self._held = found == "free"
        return self

    def fetchone(self) -> tuple[bool]:
        return (self._held,)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """What /readyz answers at each pause of a driver that gets its lock in the end."""

    def ask(*finds: str) -> list[str]:
        waiting, port, answers = Progress(), free_port(), list[str]()
        serve(lambda: asdict(waiting.readiness()), "127.0.0.1", port)
        monkeypatch.setattr(lock, "_connect", Catalog(*finds).connect)
        clock = SimpleNamespace(sleep=lambda _: answers.append(detail(port)), monotonic=time.monotonic)
        monkeypatch.setattr(lock, "time", clock)
        DriverLock(load_settings({}), "lake.haggle").acquire(waiting.wait)
        return answers

    return ask


def detail(port: int) -> str:
    with pytest.raises(HTTPError) as refused:
        urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5)
    assert refused.value.code == 503
    answer: dict[str, Any] = json.loads(refused.value.read())
    return str(answer["detail"])


TAKEN = "waiting for the lock: another driver runs"
AWAY = "waiting for the lock: the catalog does not answer"


def test_readyz_of_a_driver_that_waits_for_its_lock_says_so_and_why(asked: Callable[..., list[str]]) -> None:
    assert asked("taken", "taken", "free") == [TAKEN, TAKEN]
    assert asked("away", "away", "taken", "away", "free") == [AWAY, AWAY, TAKEN, AWAY]
    assert asked("free") == []


@pytest.mark.parametrize(("prepared_s", "left_s"), [(0, GRACE_S), (GRACE_S - 2, 2), (2 * GRACE_S, 0)])
def test_the_table_is_read_a_grace_after_the_lock_was_got_and_what_is_done_meanwhile_counts(
    monkeypatch: pytest.MonkeyPatch, prepared_s: float, left_s: float
) -> None:
    clock = Clock()
    monkeypatch.setattr(lock, "_connect", Catalog("taken", "free").connect)
    monkeypatch.setattr(lock, "time", clock)
    own = DriverLock(load_settings({}), "lake.haggle")
    own.acquire(lambda _: None)
    clock.sleep(prepared_s)
    before_s = clock.now_s
    own.wait_out()
    assert clock.now_s - before_s == left_s


# ---------------------------------------------------------------- a query that hangs


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_query_hangs_when_events_wait_and_no_batch_is_finished(clock: Clock) -> None:
    stream = Progress()
    stream.start({})
    for _ in range(int(HANG_S)):
        clock.sleep(1)
        stream.look(5)
    assert not stream.hangs()
    clock.sleep(1)
    assert stream.hangs()


def test_a_query_whose_batch_is_never_finished_hangs_though_nothing_else_waits(clock: Clock) -> None:
    stream = Progress()
    stream.start({})
    stream.begin(3)
    clock.sleep(HANG_S + 1)
    stream.look(0)
    assert stream.hangs()


def test_a_query_hangs_when_its_jvm_answers_no_more_and_so_nobody_looks(clock: Clock) -> None:
    stream = Progress()
    stream.start({})
    stream.look(0)
    clock.sleep(HANG_S + 1)
    assert stream.hangs()


def finish_a_batch(stream: Progress) -> None:
    stream.begin(5)
    stream.end({"r": 5}, 0, 0.0)


SIGNS: dict[str, Callable[[Progress], None]] = {
    "a batch is finished": finish_a_batch,
    "nothing waits": lambda stream: stream.look(0),
    "Kafka does not answer": lambda stream: stream.look(None, "Kafka does not answer"),
    "the query ends by an error": lambda stream: stream.fail("HDFS does not answer"),
    "another query starts": lambda stream: stream.start({}),
}


@pytest.mark.parametrize("sign", SIGNS)
def test_a_query_with_a_sign_of_life_in_time_does_not_hang(clock: Clock, sign: str) -> None:
    stream = Progress()
    stream.start({})
    for _ in range(3):
        clock.sleep(HANG_S)
        SIGNS[sign](stream)
        assert not stream.hangs()


def test_nothing_hangs_while_no_query_runs_however_long_it_waits(clock: Clock) -> None:
    stream = Progress()
    stream.wait(TAKEN)
    clock.sleep(10 * HANG_S)
    assert not stream.hangs()
    stream.start({})
    stream.fail("HDFS does not answer")
    clock.sleep(10 * HANG_S)
    assert not stream.hangs()


def test_a_driver_whose_query_hangs_ends_with_its_jvm_though_that_is_frozen(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(driver, "time", clock)
    jvm = subprocess.Popen(["sleep", "60"])
    jvm.send_signal(signal.SIGSTOP)
    spark: Any = SimpleNamespace(sparkContext=SimpleNamespace(_gateway=SimpleNamespace(proc=jvm)))
    stream = Progress()
    stream.start({})
    driver._end_if_it_hangs(spark, stream)  # noqa: SLF001
    assert (codes, jvm.wait(5)) == ([1], -signal.SIGKILL)


# ---------------------------------------------------------------- what an error says


def test_an_error_of_java_is_said_without_its_stack_and_with_what_is_at_the_bottom_of_it() -> None:
    error = RuntimeError(
        "An error occurred while calling o1.append.\n: org.apache.spark.SparkException: Writing job aborted\n"
        "\tat org.apache.spark.A.a(A.scala:1)\nCaused by: org.apache.spark.SparkException: Task failed\n"
        "\tat org.apache.spark.B.b(B.scala:2)\nCaused by: DSQuotaExceededException: The DiskSpace quota is exceeded\n"
        "\tat org.apache.hadoop.C.c(C.java:3)\n"
    )
    assert driver.words_of(error) == (
        "An error occurred while calling o1.append. : org.apache.spark.SparkException: Writing job aborted; "
        "caused by DSQuotaExceededException: The DiskSpace quota is exceeded"
    )
    assert driver.words_of(ValueError("one\nline")) == "one line"
