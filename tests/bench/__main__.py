"""Measures the engine and the relay on this machine: `make bench`. Prints Markdown, as in docs/performance.md.

Redis (every write on disk before its answer), gunicorn and the load share the machine. Each round measures the engine
and what it is compared with one after the other, so that ratios are of the same moment; medians are over the rounds.
"""

import argparse
import contextlib
import itertools
import os
import random
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from app.domain import NewPlayer
from app.settings import Settings, load_settings
from app.store import Store
from app.store.client import connect
from app.store.functions import MOST_PER_CALL
from app.store.keys import OF_FUNCTIONS, Keys
from jobs.local.servers import valkey_binary
from jobs.simulate.run import Order, simulate
from tests.bench import relay
from tests.bench.load import Figures, http_status, load, redis_status
from tests.economy import ECONOMY
from tests.kafka import Kafka, free_port

PLAYERS: Final = 1_000
CONNECTIONS: Final = 16
SIZES: Final = (1, 8, 64, 512, 4_096)
CROWD: Final = 1_000_000
MOVED: Final = 200_000
VIEWERS: Final = 200
_KEY: Final = "a-service-key-of-the-benchmark"
_TOKEN_KEY: Final = "a-token-key-of-the-benchmark-that-is-long-enough"
_READ_STATE_WRITE_STATE_WRITE_EVENT: Final = (
    "redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], ARGV[1]) redis.call('XADD', KEYS[2], '*', 'e', ARGV[1]) "
    "return 1"
)


# ---------------------------------------------------------------- servers


@contextlib.contextmanager
def running(command: list[str], port: int, environment: dict[str, str] | None = None) -> Iterator[None]:
    """A server, from when it listens."""
    process = subprocess.Popen(
        command, env={**os.environ, **(environment or {})}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(f"{command[0]} did not start")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


def redis_server() -> str:
    """A server of this machine, built with jemalloc as servers' images are, or else the one of the demo."""
    return shutil.which("valkey-server") or shutil.which("redis-server") or valkey_binary()


@contextlib.contextmanager
def durable_redis(folder: Path) -> Iterator[Settings]:
    """A Redis-compatible server with nothing in it, and settings that point at it."""
    port = free_port()
    command = [redis_server(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    command += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    keys = {"SERVICE_KEYS": _KEY, "TOKEN_KEYS": _TOKEN_KEY, "ORIGINAL_ROUTES": "open", "STRANGER_RATE": "0"}
    with running(command, port):
        yield load_settings({**keys, "REDIS_URL": f"redis://127.0.0.1:{port}/0", "OUTBOX_MAX_EVENTS": "1000000000"})


@contextlib.contextmanager
def gunicorn(settings: Settings, *application: str) -> Iterator[int]:
    """The engine, or another application under the same gunicorn; gives its port."""
    port = free_port()
    environment = {name.upper(): str(getattr(settings, name)) for name in settings.given}
    environment["ENGINE_PORT"] = str(port)
    command = [sys.executable, "-m", "gunicorn", "--config", "python:app.http.gunicorn", *application]
    with running(command, port, environment):
        # both workers have started, and have connections to Redis
        load(port, CONNECTIONS, itertools.repeat(b"GET /readyz HTTP/1.1\r\nHost: bench\r\n\r\n"), 1, http_status)
        yield port


# ---------------------------------------------------------------- requests


def post(path: str, body: Any) -> bytes:
    """A request with a service key."""
    text = msgspec.json.encode(body)
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {_KEY}\r\nContent-Length: {len(text)}\r\n\r\n"
    return head.encode() + text


class Trades:
    """Trades, one item for one, between players drawn by Zipf's law."""

    def __init__(self, players: int, seed: int) -> None:
        self._draw = random.Random(seed)
        self._ids = range(1, players + 1)
        self._weights = list(itertools.accumulate(1 / rank for rank in self._ids))

    def one(self) -> dict[str, Any]:
        """The next trade."""
        first = second = 0
        while first == second:
            first, second = self._draw.choices(self._ids, cum_weights=self._weights, k=2)
        return {"player_1": self._side(first), "player_2": self._side(second)}

    def _side(self, player_id: int) -> dict[str, Any]:
        return {"player_id": player_id, "items": [{"item_id": self._draw.choice((5, 6)), "quantity": 1}], "gold": 0}


def of_each(request: bytes) -> Iterator[bytes]:
    """The same request for ever."""
    return itertools.repeat(request)


def create_players(settings: Settings, number: int) -> None:
    """Farmers, by the engine's own function, not on disk before they are answered for."""
    client, store = connect(settings), Store(connect(settings), settings, ECONOMY)
    client.config_set("appendfsync", "no")
    for _ in range(number):
        store.players.create(NewPlayer("farmer"))
    client.config_set("appendfsync", "always")


# ---------------------------------------------------------------- measurements


class Bench:
    """The measurements; `rounds` of each, `duration_s` long."""

    def __init__(self, rounds: int, duration_s: float) -> None:
        self._rounds = rounds
        self._duration_s = duration_s

    def _load(self, port: int, requests: Iterator[bytes], connections: int = CONNECTIONS) -> Figures:
        figures = load(port, connections, requests, self._duration_s, http_status)
        wrong = {status for status in figures.statuses if status not in ("200", "201", "409")}
        if wrong:
            raise RuntimeError(f"answers with status {', '.join(wrong)}")
        return figures

    def single_trades(self, settings: Settings) -> None:
        """Durable trades, one a request, beside the route that does nothing and a script of three commands."""
        trades, rows = Trades(PLAYERS, 1), []
        with gunicorn(settings) as engine, gunicorn(settings, "tests.bench.nothing:app") as nothing:
            for _ in range(self._rounds):
                requests = [post("/v1/trades", trades.one()) for _ in range(int(6_000 * self._duration_s))]
                idle = self._load(nothing, of_each(post("/nothing", trades.one())))
                busy = self._load(engine, iter(requests))
                script = self._script(settings)
                rows.append((idle.rate, busy.rate, busy.rate / idle.rate, busy.percentile_ms(50),
                             busy.percentile_ms(99), script))  # fmt: skip
        table("Single durable trades, 16 connections",
              ("nothing/s", "trades/s", "ratio", "p50 ms", "p99 ms", "script of 3 commands/s"), rows)  # fmt: skip

        record, answer = (mean_bytes(settings, prefix) for prefix in ("DECIDED_PREFIX", "ANSWERS_PREFIX"))
        print(
            f"of a one-for-one trade, the record takes {record:.0f} bytes and the whole answer {answer:.0f} in memory\n"
        )

    def adjustments(self, settings: Settings) -> None:
        """Durable adjustments, one a request, and in batches of 512, each beside trades in the same round."""
        trades, draw, rows = Trades(PLAYERS, 3), random.Random(3), []

        def adjustment() -> dict[str, Any]:
            # as much as a side of a trade: an item for another
            given, taken = draw.sample((5, 6), 2)
            lines = [{"item_id": given, "quantity": 1}, {"item_id": taken, "quantity": -1}]
            return {"player_id": draw.randint(1, PLAYERS), "items": lines, "reason": "craft"}

        number = int(6_000 * self._duration_s)
        with gunicorn(settings) as engine:
            for _ in range(self._rounds):
                traded = self._load(engine, iter([post("/v1/trades", trades.one()) for _ in range(number)]))
                adjusted = self._load(engine, iter([post("/v1/adjustments", adjustment()) for _ in range(number)]))
                many = self._batch(engine, trades, 512, "independent", 4)
                bodies = ({"adjustments": [adjustment() for _ in range(512)]} for _ in range(number // 50))
                requests = [post("/v1/adjustments/batch", body) for body in bodies]
                given = 512 * self._load(engine, iter(requests), 4).rate
                rows.append((traded.rate, adjusted.rate, adjusted.rate / traded.rate, many, given, given / many))
        table("Single durable adjustments, 16 connections, and batches of 512, 4 connections",
              ("trades/s", "adjustments/s", "ratio", "batched trades/s", "adjustments/s", "ratio"), rows)  # fmt: skip

    def live_page(self, settings: Settings) -> None:
        """Trades a second, single and batched, while nobody looks at the live page and while 200 do."""
        trades, rows = Trades(PLAYERS, 5), []
        with gunicorn(replace(settings, live_viewers=VIEWERS, given=settings.given | {"live_viewers"})) as engine:
            for _ in range(self._rounds):
                rates = []
                for viewers in (0, VIEWERS):
                    requests = [post("/v1/trades", trades.one()) for _ in range(int(6_000 * self._duration_s))]
                    with watched(engine, viewers):
                        single = self._load(engine, iter(requests)).rate
                        rates += [single, self._batch(engine, trades, 512, "independent", 4)]
                rows.append((rates[0], rates[2], rates[2] / rates[0], rates[1], rates[3], rates[3] / rates[1]))
        head = ("trades/s", "beside 200 viewers", "ratio", "batched trades/s", "beside 200 viewers", "ratio")
        table("200 viewers of the live page", head, rows)

    def _script(self, settings: Settings) -> float:
        words = ["EVAL", _READ_STATE_WRITE_STATE_WRITE_EVENT, "2", "{b}:s", "{b}:x", "x" * 300]
        port = settings.redis_url.rsplit(":", 1)[1].split("/")[0]
        if benchmark := shutil.which("valkey-benchmark") or shutil.which("redis-benchmark"):
            number = str(int(10_000 * self._duration_s))
            command = [benchmark, "-p", port, "-c", str(CONNECTIONS), "-n", number, "--csv", *words]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            return float(printed.splitlines()[-1].split('","')[1])
        request = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        return load(int(port), CONNECTIONS, of_each(request.encode()), self._duration_s, redis_status).rate

    def batches(self, settings: Settings) -> None:
        """Trades a second by the size of the batch, in both modes."""
        trades, client = Trades(PLAYERS, 2), connect(settings)
        with gunicorn(settings) as engine:
            # of two batches that are decided together, each would make the other start again
            for mode, connections in (("independent", 4), ("all_or_nothing", 1)):
                rows = []
                for size in SIZES:
                    client.config_resetstat()
                    rates = [self._batch(engine, trades, size, mode, connections) for _ in range(self._rounds)]
                    calls = client.info("commandstats")["cmdstat_fcall"]
                    longest = calls["usec_per_call"] / 1_000
                    rows.append((size, statistics.median(rates), longest))
                table(
                    f"Batches, {mode}, connections: {connections}",
                    ("size", "trades/s", "mean Redis call ms"),
                    rows,
                    median=False,
                )

    def _batch(self, engine: int, trades: Trades, size: int, mode: str, connections: int) -> float:
        # one rejection would reject a whole batch that is decided together: nobody is ever short of a little gold
        kind = without_items if mode == "all_or_nothing" else dict
        number = max(20, int(30_000 * self._duration_s) // size)
        swaps = itertools.cycle([kind(trades.one()) for _ in range(20_000)])
        bodies = ({"mode": mode, "trades": list(itertools.islice(swaps, size))} for _ in range(number))
        requests = [post("/v1/trades/batch", body) for body in bodies]
        return size * self._load(engine, iter(requests), connections).rate

    def waiting(self, settings: Settings) -> None:
        """How long others wait for Redis while the largest batches are decided."""
        trades, rows = Trades(PLAYERS, 3), []
        with gunicorn(settings) as engine:
            for mode in ("independent", "all_or_nothing"):
                swaps = [without_items(trades.one()) for _ in range(SIZES[-1])]
                request = post("/v1/trades/batch", {"mode": mode, "trades": swaps})
                waits = self._waits_beside(settings, engine, request)
                rows.append((mode, len(waits), waits[len(waits) // 2], waits[int(0.999 * len(waits))], waits[-1]))
        head = ("mode", "GETs", "p50 ms", "p99.9 ms", "longest ms")
        table("Waiting for Redis beside batches of 4,096", head, rows, median=False)

    def _waits_beside(self, settings: Settings, engine: int, request: bytes) -> list[float]:
        """How long a GET takes, in milliseconds and by length, while the request is sent again and again."""
        batches = threading.Thread(target=self._load, args=(engine, of_each(request), 1))
        client, waits = connect(settings), []
        client.ping()
        batches.start()
        while batches.is_alive():
            started = time.perf_counter()
            client.get("nothing")
            waits.append(1_000 * (time.perf_counter() - started))
        batches.join()
        return sorted(waits)

    def simulation(self, settings: Settings) -> None:
        """The reference simulation: 1,000 players, 10,000 one-for-one trades, one a request."""
        rows = []
        for _ in range(self._rounds):
            with gunicorn(settings) as engine:
                from_here = load_settings({"ENGINE_URL": f"http://127.0.0.1:{engine}", "SERVICE_KEYS": _KEY})
                outcome = simulate(from_here, Order(), lambda _: None)
                rows.append((outcome.players_s, outcome.trades_s, outcome.trades / outcome.trades_s))
        table("The reference simulation", ("create 1,000 players s", "10,000 trades s", "trades/s"), rows)

    def crowd(self, settings: Settings) -> None:
        """Creations a second at 1,000 and at 1,000,000 players, and what a player and an answer take in memory."""
        request, rows = b"PUT /create_player HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n", []
        create_players(settings, CROWD - count_players(settings))
        with tempfile.TemporaryDirectory() as folder, durable_redis(Path(folder)) as small:
            create_players(small, PLAYERS)
            with gunicorn(small) as few, gunicorn(settings) as many:
                for _ in range(self._rounds):
                    rates = [self._load(engine, of_each(request)).rate for engine in (few, many)]
                    rows.append((*rates, rates[1] / rates[0]))
        table("Creations", ("at 1,000 players/s", "at 1,000,000 players/s", "ratio"), rows)

        client = connect(settings)
        client.delete(Keys(settings.realm).outbox)
        memory = client.info("memory")["used_memory"]
        players = count_players(settings)
        print(f"memory of Redis with {players:,} players and an empty outbox: {memory / 2**30:.2f} GiB, "
              f"{memory / players:.0f} bytes a player\n")  # fmt: skip

    def relay(self, settings: Settings) -> None:
        """Events a second from a full outbox to Kafka, which flushes each batch, and what the flushes cost."""
        kinds = [(settings, MOST_PER_CALL), (replace(settings, realm="singly"), 1)]
        for kind, in_one_call in kinds:
            trades = Trades(PLAYERS, 4)
            create_players(kind, PLAYERS - count_players(kind))
            relay.decide(kind, (trades.one() for _ in itertools.count()), MOVED, in_one_call)
        with tempfile.TemporaryDirectory() as folder:
            kafka = Kafka(Path(folder), load_settings(os.environ))
            try:
                for kind, in_one_call in kinds:
                    self._relay(kind, kafka, in_one_call)
            finally:
                kafka.kill()

    def _relay(self, settings: Settings, kafka: Kafka, in_one_call: int) -> None:
        rows = []
        for number in range(self._rounds):
            modules = ("app.relay", "tests.bench.relay_without_flush")
            with_, without = (
                relay.measure(settings, kafka, f"{settings.realm}-{number}-{place}", module)
                for place, module in enumerate(modules)
            )
            rows.append((with_.events, without.events, with_.events / without.events, with_.relay_us, with_.kafka_us))
        table(
            f"The relay, {MOVED:,} one-for-one trades, decided {in_one_call} a call",
            ("events/s", "without flushes", "ratio", "relay µs/event", "broker µs/event"),
            rows,
        )
        print(f"an event takes {relay.bytes_of_an_entry(settings):.0f} bytes of memory in the outbox\n")


@contextlib.contextmanager
def watched(port: int, viewers: int) -> Iterator[None]:
    """So many look at the live page: connections on which what comes is read and thrown away."""
    head = f"GET /v1/live HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {_KEY}\r\nAccept: text/event-stream\r\n\r\n"
    selector, done = selectors.DefaultSelector(), threading.Event()
    opened = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(viewers)]
    for each in opened:
        each.sendall(head.encode())
        selector.register(each, selectors.EVENT_READ)

    def read() -> None:
        while not done.wait(0.05):
            for key, _ in selector.select(0):
                if not cast("socket.socket", key.fileobj).recv(2**20):
                    raise RuntimeError("a viewer was sent away")

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        done.set()
        reader.join()
        for each in opened:
            each.close()


def count_players(settings: Settings) -> int:
    """Players of the realm."""
    counted: Any = connect(settings).get(Keys(settings.realm).player_count)
    return int(counted or 0)


def mean_bytes(settings: Settings, prefix: str) -> float:
    """What an entry of the hashes with this prefix takes in memory."""
    client: Any = connect(settings)
    name = dict(zip(OF_FUNCTIONS, Keys(settings.realm).of_functions, strict=True))[prefix]
    found = list(itertools.islice(client.scan_iter(f"{name}*", count=1_000), 1_000))
    size: int = sum(client.memory_usage(key, samples=0) for key in found)
    entries: int = sum(client.hlen(key) for key in found)
    return size / entries


def without_items(trade: dict[str, Any]) -> dict[str, Any]:
    """The trade as one of gold for gold, which nobody is ever short of."""
    return {name: {"player_id": side["player_id"], "gold": 1} for name, side in trade.items()}


def table(title: str, head: tuple[str, ...], rows: list[Any], *, median: bool = True) -> None:
    """Prints a Markdown table, with the medians of its columns in the last row."""
    shown = [*rows, [statistics.median(column) for column in zip(*rows, strict=True)]] if median else rows
    print(f"### {title}\n\n| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    for place, row in enumerate(shown):
        mark = "**" if median and place == len(rows) else ""
        print("| " + " | ".join(f"{mark}{figure(value)}{mark}" for value in row) + " |")
    print(flush=True)


def figure(value: Any) -> str:
    """A number with as many digits as mean something."""
    if isinstance(value, str | int):
        return f"{value:,}" if isinstance(value, int) else value
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def main() -> None:
    """Measures all, or what is named."""
    names = ("single_trades", "adjustments", "batches", "live_page", "waiting", "simulation", "crowd", "relay")
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration-s", type=float, default=4)
    parser.add_argument("measurements", nargs="*", choices=[[], *names], help="all unless named")
    given = parser.parse_args()
    bench = Bench(given.rounds, given.duration_s)
    version = subprocess.run([redis_server(), "--version"], check=True, capture_output=True, text=True).stdout
    print(f"Redis-compatible server: {version}")
    for name in given.measurements or names:
        with tempfile.TemporaryDirectory() as folder, durable_redis(Path(folder)) as settings:
            create_players(settings, PLAYERS)
            getattr(bench, name)(settings)


if __name__ == "__main__":
    main()
