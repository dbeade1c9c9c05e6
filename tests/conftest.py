"""Fixtures shared by all tests: a real Redis-compatible server, an engine on it, and the whole local stack.

Servers start on free ports in temporary folders and end with the session. Tests do not share a realm.
"""

import contextlib
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from flask.testing import FlaskClient

from app.contract.reasons import Problem
from app.errors import Unavailable
from app.http.app import create_app
from app.settings import Settings, load_settings
from app.store.client import connect
from app.store.functions import Functions, load_library
from app.store.keys import OF_FUNCTIONS, Keys
from app.store.outbox import Outbox
from jobs.local.servers import processes, valkey_binary
from jobs.local.stack import Stack
from tests.kafka import Kafka, free_port

SERVICE_KEY = "a-service-key-of-the-tests"
TOKEN_KEY = "a-token-key-of-the-tests-that-is-long-enough"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults-seed", type=int, default=1, help="first seed of tests/faults: of games, and of moments")
    parser.addoption("--faults-rounds", type=int, default=1, help="with how many seeds each of these tests runs")


def wait_until(true: Callable[[], Any], timeout_s: float = 20, *, pause_s: float = 0.02) -> Any:
    """The first truthy result of `true`; fails after the deadline."""
    deadline = time.monotonic() + timeout_s
    while not (result := true()):
        assert time.monotonic() < deadline, f"not true after {timeout_s} s"
        time.sleep(pause_s)
    return result


class Redis:
    """A durable Redis-compatible server that tests may kill and start again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._command = [valkey_binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        wait_until(self._answers)

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError):
            return bool(redis.Redis.from_url(self.url).ping())
        return False

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    server = Redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker of its own for tests of the relay, which kill it and start it again."""
    server = Kafka(tmp_path_factory.mktemp("kafka"), load_settings(cache_folder()))
    yield server
    server.kill()


def cache_folder() -> dict[str, str]:
    """Where downloads are, if the environment says so."""
    return {name: value for name, value in os.environ.items() if name == "CACHE_FOLDER"}


@pytest.fixture
def settings(redis_server: Redis) -> Settings:
    """Settings of a realm of its own on the real server."""
    return settings_of(redis_server)


def settings_of(server: Redis, **more: str) -> Settings:
    """Settings of a realm of its own on a server, with a service key."""
    environment = {"REDIS_URL": server.url, "REALM": f"t-{uuid.uuid4().hex[:12]}"}
    keys = {"SERVICE_KEYS": SERVICE_KEY, "TOKEN_KEYS": TOKEN_KEY}
    # tests call without a key as often as they like
    return load_settings({**environment, **keys, "STRANGER_RATE": "0", **more})


@pytest.fixture
def client(settings: Settings) -> FlaskClient:
    """The engine, without a socket in between, for a caller with the service key."""
    return client_of(settings)


def client_of(settings: Settings) -> FlaskClient:
    """A caller of the engine that has the service key."""
    client = create_app(settings).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {SERVICE_KEY}"
    return client


def die_before(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the engine lose Redis whenever it is about to call the Lua function, as if it had been killed."""
    call = Functions.call

    def die(self: Functions, called: str, *arguments: Any) -> Any:
        if called == function:
            raise Unavailable(Problem.STORE_UNAVAILABLE, "the engine was killed")
        return call(self, called, *arguments)

    monkeypatch.setattr(Functions, "call", die)


FIELDS = ["player_id", "class", "capacity", "gold", "version", "units", "distinct", "value", "catalog", "items"]
FIELDS += ["held_gold", "held", "offers", "last_trade", "last_minute", "batch", "closed"]


def as_units(units: Any) -> dict[int, int]:
    """Units by item_id; they are stored as a list if the items are 1, 2, 3 and so on."""
    return units if isinstance(units, dict) else dict(enumerate(units, start=1))


class Realm:
    """A look behind the engine: what a realm holds in Redis, and a way to put a player into an odd state."""

    def __init__(self, settings: Settings) -> None:
        # a look of the test, which is not what the engine's bound of its waits is for
        self.redis: Any = connect(replace(settings, redis_timeout_s=60))
        self.keys = Keys(settings.realm)
        load_library(self.redis)

    def snapshot(self) -> dict[str, Any]:
        """Everything but the stored answers."""
        players = int(self.redis.get(self.keys.player_count) or 0)
        states = {player: self.state(player) for player in range(1, players + 1)}
        return {"states": states, "events": self.events(), "sequence": self.redis.get(self.keys.sequence)}

    def events(self) -> list[bytes]:
        return [event.text for event in Outbox(self.redis, self.keys.realm).read(0, 1_000_000)]

    def states(self) -> dict[int, dict[str, Any]]:
        states: dict[int, dict[str, Any]] = self.snapshot()["states"]
        return states

    def state(self, player_id: int) -> dict[str, Any]:
        """What is stored of a player, by the names of app/store/layout.py."""
        state = dict(zip(FIELDS, msgspec.msgpack.decode(self.redis.get(self.keys.player(player_id))), strict=True))
        return {name: as_units(value) if name in ("items", "held") else value for name, value in state.items()}

    def set_gold(self, player_id: int, gold: int) -> None:
        state = list(msgspec.msgpack.decode(self.redis.get(self.keys.player(player_id))))
        state[FIELDS.index("gold")] = gold
        self.redis.set(self.keys.player(player_id), msgspec.msgpack.encode(state))

    def end_time_of_offer(self, offer_id: str) -> None:
        """Puts the end of an open offer into the past."""
        keys = dict(zip(OF_FUNCTIONS, self.keys.of_functions, strict=True))
        self.redis.hset(f"{keys['OFFER_PREFIX']}{offer_id}", "expires_s", 1)
        self.redis.zadd(keys["OFFER_EXPIRY_KEY"], {offer_id: 1})


@pytest.fixture
def realm(settings: Settings) -> Realm:
    return Realm(settings)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole local stack, on free ports; tests that use it are marked `stack` and share it."""
    running = Stack(tmp_path_factory.mktemp("stack"), load_settings(cache_folder()))
    try:
        add_catalog(running)
        running.up(lambda _name, _state: None)
        yield running
    finally:
        running.reset()


GOLDEN = "golden"
"""A catalog that tests may write to, beside `lake`, which Trino only reads."""


def add_catalog(stack: Stack) -> None:
    """Gives the stack's Trino the tests' catalog before its first start: on the same servers, under another name."""
    (trino,) = [process for process in processes(stack._site()) if process.name == "trino"]  # noqa: SLF001
    ((path, lake),) = [(path, text) for path, text in trino.files.items() if path.name == "lake.properties"]
    assert "iceberg.security=read_only\n" in lake
    own = lake.replace("catalog-name=lake", f"catalog-name={GOLDEN}").replace("iceberg.security=read_only\n", "")
    path.parent.mkdir(parents=True)
    path.with_name(f"{GOLDEN}.properties").write_text(own)
