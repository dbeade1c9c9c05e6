"""Playing on a stack while something happens to it, and what must be true afterwards. Used by tests of the stack."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psutil
from pyspark.sql import SparkSession

from app.settings import Settings
from jobs.embedded.stack import Stack
from jobs.lake.audit import Check, audit, wait_until_queryable
from jobs.simulate.run import Order, Outcome, simulate
from jobs.streams.session import build_session
from tests.conftest import wait_until

TIMEOUT_S = 240


def play(settings: Settings, order: Order, at: dict[int, Callable[[], Any]] | None = None) -> Outcome:
    """Simulates; calls `at[n]` beside it once n trades are decided."""
    due = dict(at or {})
    calls: list[Future[Any]] = []
    with ThreadPoolExecutor() as pool:

        def progress(outcome: Outcome) -> None:
            calls.extend(pool.submit(due.pop(number)) for number in list(due) if outcome.trades >= number)

        outcome = simulate(settings, order, progress)
    for call in calls:
        call.result()
    assert not due
    return outcome


def exact(settings: Settings) -> list[Check]:
    """The audit's checks, once everything decided is in the table."""
    wait_until_queryable(settings, TIMEOUT_S, lambda _arrived, _decided: None)
    return audit(settings)


@contextmanager
def lake_writer(settings: Settings) -> Iterator[SparkSession]:
    """A Spark session that may write to the lake, as Trino may not."""
    session = build_session(replace(settings, spark_master="local[1]", spark_ui_port=0, spark_driver_memory_mib=512))
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield session
    finally:
        session.stop()


def failed(checks: list[Check]) -> list[str]:
    return [f"{check.name}: {check.seen}" for check in checks if not check.ok]


def kill_9(stack: Stack, name: str) -> None:
    """Kills a process of the stack with its children; supervisord starts it again."""
    process = psutil.Process(wait_until(lambda: running_pid(stack, name), 60))
    for member in [*process.children(recursive=True), process]:
        os.kill(member.pid, signal.SIGKILL)


def running_pid(stack: Stack, name: str) -> int:
    """The process's pid, 0 while it is not running."""
    (info,) = [info for info in stack.process_infos() if info["name"] == name]
    return int(info["pid"])
