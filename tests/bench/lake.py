"""Measures the lake on this machine: `make bench-lake`. Prints Markdown, as in docs/performance.md.

`freshness`: single trades at a fixed rate through the whole stack, with maintenance; how long from a trade's answer to
the commit that holds its row. `backlog`: events that wait in Kafka, into the table from the first commit to the last;
beside it, on the same events, a query per table and the Python UDFs of the project that this replaces. `questions`: the
questions, asked hot. `audits`: trades through the whole stack in batches, then the audit of all of them, and one from
there on after some more. All servers share the machine.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Final

import requests
from kafka import KafkaProducer

from app.relay.topic import realm_partition
from app.settings import Settings, load_settings
from jobs import engine
from jobs.lake.audit import audit, wait_until_queryable
from jobs.lake.trino import SQL, Lake
from jobs.local.memory import PeakMemory
from jobs.local.stack import Stack
from jobs.simulate.plan import PlannedTrade, plan_players, plan_trades
from jobs.simulate.run import Order, side_body, simulate
from tests.bench import former
from tests.bench.__main__ import table
from tests.bench.history import REALM, plan_events
from tests.economy import ECONOMY

PLAYERS: Final = 1_000
_TIMEOUT_S: Final = 900
_WARM_UP_S: Final = 60
_BATCH: Final = 512


@contextmanager
def started_stack() -> Iterator[Stack]:
    """A stack of its own in a temporary folder."""
    home = Path(tempfile.mkdtemp(prefix="haggle-bench-"))
    stack = Stack(home, load_settings(os.environ))
    try:
        stack.up(lambda _name, _state: None)
        yield stack
    finally:
        stack.reset()
        shutil.rmtree(home, ignore_errors=True)


# ---------------------------------------------------------------- freshness


def freshness(given: argparse.Namespace) -> None:
    """A round is one run at the rate; medians are over the rounds."""
    rows = []
    for _ in range(given.rounds):
        with started_stack() as stack, PeakMemory(stack) as memory:
            stages = _fresh(stack, given.rate, given.duration_s)
        rows.append([*(value for name in ("all", "relay", "wait", "batch") for value in _percentiles(stages[name]))])
        rows[-1].append(memory.peak_mib)
        print("MiB at the peak:", ", ".join(f"{name} {mib}" for name, mib in memory.mib.items()), flush=True)
    names = ("answer to commit", "to Kafka", "until its batch", "its batch")
    head = [f"{name} {percent}" for name in names for percent in ("p50", "p95", "p99")]
    table(f"Freshness at {given.rate:.0f} trades/s for {given.duration_s:.0f} s (s)", (*head, "peak MiB"), rows)


def _fresh(stack: Stack, rate: float, duration_s: float) -> dict[str, list[float]]:
    settings = stack.settings()
    log = stack.home / "trades.jsonl"
    # the first minute compiles: it is played, and not counted
    order = Order(players=PLAYERS, trades=int(rate * (_WARM_UP_S + duration_s)), rate=rate, log=log)
    simulate(settings, order, lambda _outcome: None)
    wait_until_queryable(settings, _TIMEOUT_S, lambda _arrived, _decided: None)
    counted = [json.loads(line) for line in log.open()][int(rate * _WARM_UP_S) :]
    answered = {entry["request"]["trade_id"]: entry["answered_at"] for entry in counted}
    batches = list(_batches(stack.home / "logs" / "streams.log", settings.realm))
    sql = "select trade_id, sequence, recorded_at from lake.haggle.events where event_type = 'trade_accepted'"
    stages: dict[str, list[float]] = {"all": [], "relay": [], "wait": [], "batch": []}
    for trade_id, sequence, recorded_at in Lake(settings).run(sql).rows:
        if trade_id in answered:
            begun, committed = next(times for last, *times in batches if last >= sequence)
            recorded = recorded_at.timestamp()
            stages["all"].append(committed - answered[trade_id])
            stages["relay"].append(recorded - answered[trade_id])
            stages["wait"].append(begun - recorded)
            stages["batch"].append(committed - begun)
    return stages


def _batches(log: Path, realm: str) -> Iterator[tuple[int, float, float]]:
    """Of each batch: the newest sequence number, and when it began and was committed (seconds since 1970)."""
    for line in log.open():
        if '"batch landed"' in line:
            entry = json.loads(line)
            committed = datetime.fromisoformat(entry["time"]).timestamp()
            begun = committed - entry["number_s"] - entry["append_s"]
            yield entry["sequences"].get(realm, (0, 0))[1], begun, committed


def _percentiles(values: list[float]) -> tuple[float, float, float]:
    ordered = sorted(values)
    middle, high, highest = (ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.95, 0.99))
    return middle, high, highest


# ---------------------------------------------------------------- backlog


def backlog(given: argparse.Namespace) -> None:
    """Streams started on events that wait in Kafka; then the other ways, on the first of the same events."""
    rows = []
    for _ in range(given.rounds):
        with started_stack() as stack:
            stack.stop("streams")
            settings = stack.settings()
            publish(settings, given.events)
            stack.start("streams")
            ours = _landing_rate(settings, given.events)
            stack.stop("streams")
            parts = (former.udf_rate, former.five_queries_rate) if given.compare else ()
            rows.append([ours, *(part(settings, given.compare) for part in parts)])
    others = ("Python UDFs into Parquet", "a query per table") if given.compare else ()
    table(f"Backlog of {given.events:,} events (events/s)", ("one table", *others), rows)


def publish(settings: Settings, events: int) -> None:
    """Puts a past of so many events into the topic, in transactions' way but without them."""
    producer = KafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers.split(","), linger_ms=20, batch_size=256 * 1024
    )
    partition = realm_partition(REALM, len(producer.partitions_for(settings.kafka_topic)))
    for event in plan_events(PLAYERS, events - PLAYERS - 1, seed=1):
        producer.send(settings.kafka_topic, key=REALM.encode(), value=event, partition=partition)
    producer.flush()
    producer.close()


def _landing_rate(settings: Settings, events: int) -> float:
    """Events a second from the first commit to the last, without those of the first."""
    lake = Lake(settings)
    sql = 'select committed_at, summary from lake.haggle."events$snapshots" order by committed_at'
    wait(lambda: _landed(settings) >= events)
    commits = [
        (committed_at.timestamp(), int(summary.get("added-records", 0))) for committed_at, summary in lake.run(sql).rows
    ]
    (first_at, first), (last_at, _) = commits[0], commits[-1]
    slowest = max((after - before for (before, _), (after, _) in pairwise(commits)), default=0.0)
    middle = statistics.median([after - before for (before, _), (after, _) in pairwise(commits)])
    print(f"{len(commits)} commits, {middle:.1f} s apart (median), {slowest:.1f} s at most", flush=True)
    return float((events - first) / (last_at - first_at))


def _landed(settings: Settings) -> int:
    """The newest event in the table, as the streams say: to ask Trino every second would take half a core."""
    try:
        answer = requests.get(f"http://127.0.0.1:{settings.streams_metrics_port}/readyz", timeout=5)
    except requests.ConnectionError:
        return 0
    return int(answer.json()["sequences"].get(REALM, 0))


def wait(true: Callable[[], bool]) -> None:
    """Waits until it is true; looks every second."""
    deadline = time.monotonic() + _TIMEOUT_S
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not true after {_TIMEOUT_S} s")
        threading.Event().wait(1)


# ---------------------------------------------------------------- questions


def questions(given: argparse.Namespace) -> None:
    """Each question's median over the rounds, after one that is not counted."""
    with started_stack() as stack:
        settings = stack.settings()
        publish(settings, given.events)
        lake = Lake(settings)
        wait(lambda: _landed(settings) >= given.events)
        rows = [[name, *ask(lake, name, given.rounds)] for name in question_names()]
    table(f"Questions at {given.events:,} events (s)", ("question", "median", "longest"), rows, median=False)


# ---------------------------------------------------------------- audits


def audits(given: argparse.Namespace) -> None:
    """A row per audit: what it went through, how long it took; and how fast what it proves had come to be."""
    rows: list[Any] = []
    with started_stack() as stack:
        settings = stack.settings()
        for kind, trades in (("all", given.events), ("from there on", given.events // 50)):
            started = time.monotonic()
            play_batches(settings, trades, seed=len(rows))
            decided = time.monotonic()
            wait_until_queryable(settings, _TIMEOUT_S, lambda _arrived, _decided: None)
            landed = time.monotonic()
            checks = audit(settings)
            took_s = time.monotonic() - landed
            assert all(check.ok for check in checks), checks
            rows.append((kind, trades, trades / (decided - started), landed - decided, took_s))
        again = time.monotonic()
        audit(settings, full=True)
        rows.append(("all, again", given.events, 0, 0, time.monotonic() - again))
    head = ("audit", "trades", "decided/s", "until the last was in the lake (s)", "audit (s)")
    table("Audits", head, rows, median=False)


def play_batches(settings: Settings, trades: int, seed: int) -> None:
    """Plays a plan of the simulation in batches, one after the other, with players of its own."""
    players = plan_players(ECONOMY, seed, PLAYERS)
    bodies = [{"username": player.username, "player_class": player.player_class} for player in players]
    ids = [engine.post(settings, "/v1/players", body)["player_id"] for body in bodies]
    for planned in batched(plan_trades(ECONOMY, seed, players, trades), _BATCH):
        sides = [{"player_1": side_body(trade.one, ids), "player_2": side_body(trade.two, ids)} for trade in planned]
        engine.post(settings, "/v1/trades/batch", {"mode": "independent", "trades": sides})


def batched(all_of_them: Iterator[PlannedTrade], size: int) -> Iterator[list[PlannedTrade]]:
    """Lists of so many, the last of those that are left."""
    while some := list(islice(all_of_them, size)):
        yield some


def question_names() -> list[str]:
    """The names of all questions."""
    return [path.stem for path in sorted((SQL / "questions").glob("*.sql"))]


def ask(lake: Lake, name: str, rounds: int) -> tuple[float, float]:
    """Median and longest time of a question, asked hot."""
    took = [lake.ask(f"questions/{name}", ()).elapsed_s for _ in range(rounds + 1)][1:]
    return statistics.median(took), max(took)


def main() -> None:
    """Measures what is named, or all."""
    parts: dict[str, Callable[[Any], None]] = {
        "freshness": freshness,
        "backlog": backlog,
        "questions": questions,
        "audits": audits,
    }
    parser = argparse.ArgumentParser(prog="make bench-lake", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=200.0, help="trades a second, of freshness")
    parser.add_argument("--duration-s", type=float, default=300.0, help="of freshness")
    parser.add_argument("--events", type=int, default=1_000_000, help="of backlog, questions and audits")
    parser.add_argument("--compare", type=int, default=100_000, help="events of the other ways; 0 for none")
    parser.add_argument("measurements", nargs="*", choices=[[], *parts], help="all unless named")
    given = parser.parse_args()
    for name in given.measurements or parts:
        parts[name](given)


if __name__ == "__main__":
    main()
