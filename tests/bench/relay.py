"""How fast the relay moves events from a full outbox to Kafka: one process, one realm, the relay as it is deployed."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from app.domain import Side, Trade
from app.settings import Settings
from app.store import Store
from app.store.client import connect
from app.store.keys import Keys
from tests.kafka import Kafka, free_port

_EVERYTHING = 1_000_000_000


class Rate(NamedTuple):
    """Events a second, and processor time of relay and broker for each event in microseconds."""

    events: float
    relay_us: float
    kafka_us: float


def decide(settings: Settings, trades: Iterator[dict[str, Any]], number: int, in_one_call: int) -> None:
    """Fills the outbox with the events of trades, decided by the engine's own function."""
    client, store = connect(settings), Store(connect(settings), settings)
    client.config_set("appendfsync", "no")
    for start in range(0, number, in_one_call):
        calls = range(start, min(start + in_one_call, number))
        store.trades.decide_each([_command(f"bench-{call}", next(trades)) for call in calls])
    client.config_set("appendfsync", "always")


def _command(trade_id: str, trade: dict[str, Any]) -> Trade:
    return Trade(trade_id, *(_give(trade[side]) for side in ("player_1", "player_2")))


def _give(side: dict[str, Any]) -> Side:
    items = {line["item_id"]: line["quantity"] for line in side["items"]}
    return Side(side["player_id"], side["gold"], items)


def bytes_of_an_entry(settings: Settings) -> float:
    """What an event takes in the outbox, in memory."""
    client: Any = connect(settings)
    keys = Keys(settings.realm)
    size: int = client.memory_usage(keys.outbox, samples=0)
    return size / int(client.get(keys.sequence))


def measure(settings: Settings, kafka: Kafka, topic: str, module: str) -> Rate:
    """Moves the whole outbox into a new topic; the time counts from the first batch that Kafka has committed."""
    client: Any = connect(settings)
    keys = Keys(settings.realm)
    client.delete(keys.published, keys.topic)
    given = replace(
        settings,
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        kafka_topic=topic,
        kafka_partitions=1,
        relay_metrics_port=free_port(),
        outbox_keep_events=_EVERYTHING,
        log_level="WARNING",
    )
    with _relaying(given, module) as pid:
        published = first = _until(client, keys, 1)
        started, relay_s, kafka_s = time.perf_counter(), _processor_s(pid), _processor_s(kafka.process.pid)
        last = int(client.get(keys.sequence) or 0)
        published = _until(client, keys, last)
        elapsed_s, moved = time.perf_counter() - started, published - first
        relay_s, kafka_s = _processor_s(pid) - relay_s, _processor_s(kafka.process.pid) - kafka_s
    kafka.ask(lambda admin: admin.delete_topics([topic]))
    return Rate(moved / elapsed_s, 1e6 * relay_s / moved, 1e6 * kafka_s / moved)


@contextlib.contextmanager
def _relaying(settings: Settings, module: str) -> Iterator[int]:
    changed = {name for name in Settings.__slots__ if getattr(settings, name) != getattr(Settings(), name)} - {"given"}
    environment = {name.upper(): str(getattr(settings, name)) for name in changed}
    process = subprocess.Popen([sys.executable, "-m", module], env={**os.environ, **environment})
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=60)


def _until(client: Any, keys: Keys, sequence: int) -> int:
    deadline = time.monotonic() + 300
    while (published := int(client.get(keys.published) or 0)) < sequence:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the relay came to event {published} of {sequence}")
        time.sleep(0.005)
    return published


def _processor_s(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
