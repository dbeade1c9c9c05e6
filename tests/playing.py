"""Playing on a stack while something happens to it, and what must be true afterwards."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any, Final

import psutil
from pyspark.sql import SparkSession

from app.errors import HaggleError
from app.lag import read_lag
from app.settings import Settings
from jobs.lake.audit import Check, audit, read_head, wait_until_queryable
from jobs.lake.ledger import open_ledger
from jobs.lake.moment import newest_sequence
from jobs.lake.trino import Lake
from jobs.local.stack import Stack
from jobs.simulate.run import Order, Outcome, simulate
from jobs.streams.session import build_session
from tests.conftest import wait_until

TIMEOUT_S: Final = 240
QUERY_PAUSE_S: Final = 0.5
"""Between two questions to Trino: asked without a pause, it would take the processor from what is waited for."""
_EACH_ONCE: Final = """
select
    count(*), count(distinct sequence), coalesce(max(sequence), 0),
    count(distinct row(kafka_topic_id, kafka_partition, kafka_offset))
from lake.haggle.events
where realm = ?
"""


# ---------------------------------------------------------------- a game


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


@contextmanager
def traffic(settings: Settings, *, seed: int, rate: int = 100) -> Iterator[None]:
    """Trades and offers that go on until the end of the block, from before its beginning; raises what ended them."""
    ended = threading.Event()

    def go_on() -> None:
        # seeds of a test's own: many short games, since offers come after the trades of one
        for number in count(1_000 * seed):
            if ended.is_set():
                return
            order = Order(players=20, trades=rate, offers=rate // 10, seed=number, rate=rate)
            simulate(settings, order, lambda _: None)

    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(go_on)
        try:
            wait_for_events(settings, rate // 2, playing.done)
            yield
        finally:
            ended.set()
            playing.result()


def wait_for_events(settings: Settings, events: int, ended: Callable[[], bool] = lambda: False) -> None:
    """Waits until so many more commands are decided."""
    due = read_head(settings).sequence + events
    wait_until(lambda: ended() or read_head(settings).sequence >= due, 60, pause_s=0.1)


def made_good(settings: Settings, timeout_s: float = TIMEOUT_S) -> None:
    """Waits until the table has something that is decided from now on: all parts work, also those just broken."""
    lake = Lake(settings)

    def answer(ask: Callable[[], int]) -> int:
        with suppress(HaggleError):  # the engine is not back yet, or Trino
            return ask()
        return 0

    before = wait_until(lambda: answer(lambda: read_head(settings).sequence), timeout_s, pause_s=0.1)
    wait_until_landed(settings, before + 1, timeout_s)
    newest = partial(newest_sequence, lake, settings.realm, before)
    wait_until(lambda: answer(newest) > before, timeout_s, pause_s=QUERY_PAUSE_S)


def wait_until_landed(settings: Settings, sequence: int, timeout_s: float = TIMEOUT_S) -> None:
    """Waits until the streams say that the event is in the table, which costs less than asking Trino."""
    wait_until(lambda: (read_lag(settings).lake_sequence or 0) >= sequence, timeout_s, pause_s=0.1)


# ---------------------------------------------------------------- what must be true


def exact(settings: Settings) -> list[Check]:
    """The audit's checks, once everything decided is in the table."""
    _wait_until_queryable(settings)
    return audit(settings)


def _wait_until_queryable(settings: Settings) -> None:
    wait_until_landed(settings, read_head(settings).sequence)
    wait_until_queryable(settings, TIMEOUT_S, lambda _arrived, _decided: None)


def failed(checks: list[Check]) -> list[str]:
    return [f"{check.name}: {check.seen}" for check in checks if not check.ok]


def assert_exact(settings: Settings, *, full: bool = False) -> None:
    """What is decided by now comes into the table, each event once, and the audit agrees; trades may go on."""
    _wait_until_queryable(settings)
    found = failed(audit(settings, full=full))
    assert not found, found
    ((rows, different, newest, records),) = Lake(settings).run(_EACH_ONCE, (settings.realm,)).rows
    with open_ledger(settings) as ledger:
        lost = sum(loss.count for loss in ledger.losses())
    assert rows == different == records == newest - lost, (rows, different, records, newest, lost)


# ---------------------------------------------------------------- hands on the stack


@contextmanager
def lake_writer(settings: Settings) -> Iterator[SparkSession]:
    """A Spark session that may write to the lake, as Trino may not."""
    session = build_session(replace(settings, spark_master="local[1]", spark_ui_port=0, spark_driver_memory_mib=512))
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield session
    finally:
        session.stop()


def kill_9(stack: Stack, name: str) -> None:
    """Kills a process of the stack with its children; supervisord starts it again."""
    process = psutil.Process(wait_until(lambda: running_pid(stack, name), 60))
    # itself first: it would start children anew, or clean up after them
    for member in [process, *process.children(recursive=True)]:
        with suppress(ProcessLookupError):
            os.kill(member.pid, signal.SIGKILL)


def running_pid(stack: Stack, name: str) -> int:
    """The process's pid, 0 while it is not running."""
    (info,) = [info for info in stack.process_infos() if info["name"] == name]
    return int(info["pid"])
