"""Redis in trouble: frozen, full, read-only, gone, or without the functions.

Whatever it is, every request gets its answer, which is true or a 503 with Retry-After, soon: none hangs. Reads go on
where Redis can serve them. When the trouble is over, the same engine serves again without being told.
"""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.settings import Settings
from tests.conftest import SERVICE_KEY, Realm, Redis, client_of, settings_of, wait_until
from tests.kafka import free_port

SOON_S = 4
"""By design 2 s; the rest is for a loaded machine."""

TRADE = {"player_1": {"player_id": 1, "gold": 1}, "player_2": {"player_id": 2}}
BATCH = {"mode": "all_or_nothing", "trades": [TRADE] * 200}
COMMANDS = [
    ("PUT", "/create_player", None),
    ("POST", "/v1/players", {"player_class": "farmer"}),
    ("POST", "/v1/trades", TRADE),
    ("POST", "/v1/trades/batch", BATCH),
    ("POST", "/v1/trades/batch", {**BATCH, "mode": "independent"}),
    ("POST", "/v1/offers", TRADE),
    ("POST", "/v1/offers/o/accept", None),
    ("POST", "/v1/offers/o/cancel", None),
]
READS = [
    ("GET", "/v1/players/1", None),
    ("GET", "/v1/players", None),
    ("GET", "/v1/trades/t", None),
    ("GET", "/v1/players/1/trades", None),
    ("GET", "/v1/players/1/offers", None),
    ("GET", "/v1/offers/o", None),
]
READY = ("GET", "/readyz", None)
METRICS = ("GET", "/metrics", None)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A server that these tests may maltreat."""
    own = Redis(tmp_path_factory.mktemp("trouble"))
    yield own
    own.process.send_signal(signal.SIGCONT)
    own.kill()


@pytest.fixture
def own_settings(server: Redis) -> Settings:
    return settings_of(server)


@pytest.fixture
def engine(own_settings: Settings) -> Flask:
    """An engine with two players, the trade t and the open offer o."""
    client = client_of(own_settings)
    for player_class in ("farmer", "banker"):
        client.post("/v1/players", json={"player_class": player_class})
    client.post("/v1/trades", json={**TRADE, "trade_id": "t"})
    client.post("/v1/offers", json={**TRADE, "offer_id": "o"})
    return client.application


Request = tuple[str, str, Any]


def send(engine: Flask, request: Request, key: str | None = None) -> TestResponse:
    method, path, body = request
    headers = {"Authorization": f"Bearer {SERVICE_KEY}", **({"Idempotency-Key": key} if key else {})}
    return engine.test_client().open(path, method=method, json=body, headers=headers)


def assert_unavailable(engine: Flask, *requests: Request) -> None:
    """Every request, all at once, gets a 503 that says to try again, and soon."""
    with ThreadPoolExecutor(len(requests)) as pool:
        started = time.monotonic()
        answers = list(pool.map(lambda request: send(engine, request), requests))
        assert time.monotonic() - started < SOON_S
    for request, answer in zip(requests, answers, strict=True):
        assert answer.status_code == 503, (request, answer.text)
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.content_type == "application/problem+json"
        assert (answer.json or {})["reason"] == "store_unavailable"


def assert_recovers(engine: Flask) -> None:
    """The engine serves again, and decides."""
    wait_until(lambda: (send(engine, READY).json or {})["status"] == "ok")
    for request in COMMANDS[:6]:
        assert send(engine, request).status_code in (200, 201), request
    for request in READS:
        assert send(engine, request).status_code == 200, request
    assert "haggle_redis_up 1.0" in send(engine, METRICS).text


def assert_metrics_say_that_redis_is_away(engine: Flask) -> None:
    answer = send(engine, METRICS)
    assert answer.status_code == 200
    assert "haggle_redis_up 0.0" in answer.text
    assert "haggle_outbox_events" not in answer.text


@contextmanager
def frozen(server: Redis) -> Iterator[None]:
    server.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)


@contextmanager
def full(realm: Realm) -> Iterator[None]:
    realm.redis.config_set("maxmemory", "1mb")
    try:
        yield
    finally:
        realm.redis.config_set("maxmemory", "0")


@contextmanager
def read_only(realm: Realm) -> Iterator[None]:
    realm.redis.replicaof("127.0.0.1", free_port())
    try:
        yield
    finally:
        realm.redis.replicaof("NO", "ONE")


@contextmanager
def gone(server: Redis) -> Iterator[None]:
    server.kill()
    try:
        yield
    finally:
        server.start()


def test_while_redis_is_frozen_each_request_is_a_503_soon(server: Redis, engine: Flask) -> None:
    with frozen(server):
        assert_unavailable(engine, *COMMANDS, *READS, READY)
        assert_metrics_say_that_redis_is_away(engine)
    assert_recovers(engine)


def test_more_requests_than_connections_do_not_queue_while_redis_is_frozen(server: Redis, engine: Flask) -> None:
    with frozen(server):
        assert_unavailable(engine, *[COMMANDS[2]] * 80)
    assert_recovers(engine)


def test_a_trade_that_was_frozen_with_redis_has_one_effect_when_it_is_sent_again(
    server: Redis, engine: Flask, own_settings: Settings
) -> None:
    with frozen(server):
        assert send(engine, COMMANDS[2], "once").status_code == 503
    wait_until(lambda: send(engine, COMMANDS[2], "once").status_code == 201)
    events = [event for event in Realm(own_settings).events() if b'"once"' in event]
    assert len(events) == 1


def test_while_redis_is_full_commands_are_503s_and_reads_go_on(engine: Flask, own_settings: Settings) -> None:
    realm = Realm(own_settings)
    before = realm.snapshot()
    with full(realm):
        assert_unavailable(engine, *COMMANDS)
        for request in (*READS, METRICS):
            assert send(engine, request).status_code == 200, request
        # reads are not taken out of service; the answer says that commands are refused
        assert send(engine, READY).status_code == 200
        assert (send(engine, READY).json or {})["status"] == "redis_full"
        assert realm.snapshot() == before
    assert_recovers(engine)


def test_while_redis_is_read_only_commands_are_503s_and_nothing_changes(engine: Flask, own_settings: Settings) -> None:
    realm = Realm(own_settings)
    before = realm.snapshot()
    with read_only(realm):
        assert_unavailable(engine, *COMMANDS, READY)
        for request in (*READS, METRICS):
            assert send(engine, request).status_code in (200, 503), request
        assert realm.snapshot() == before
    assert_recovers(engine)


def test_while_redis_is_gone_each_request_is_a_503_soon(server: Redis, engine: Flask) -> None:
    with gone(server):
        assert_unavailable(engine, *COMMANDS, *READS, READY)
        assert_metrics_say_that_redis_is_away(engine)
        assert send(engine, ("GET", "/livez", None)).status_code == 200
        assert send(engine, ("GET", "/v1/items", None)).status_code == 200
    assert_recovers(engine)


def test_redis_that_was_restarted_between_two_trades_costs_no_503(server: Redis, engine: Flask) -> None:
    for _ in range(3):
        assert send(engine, COMMANDS[2]).status_code == 201
        server.kill()
        server.start()
    assert send(engine, COMMANDS[2]).status_code == 201


@pytest.mark.parametrize("request_", [*COMMANDS[:6], *READS, READY], ids=lambda request: f"{request[0]} {request[1]}")
def test_redis_without_the_functions_is_given_them_again(
    engine: Flask, own_settings: Settings, request_: Request
) -> None:
    Realm(own_settings).redis.function_flush()
    assert send(engine, request_).status_code in (200, 201)


def test_redis_that_comes_back_empty_is_served_from_the_start(
    engine: Flask, own_settings: Settings, server: Redis
) -> None:
    redis = Realm(own_settings).redis
    server.kill()
    server.start()
    redis.flushall()
    redis.function_flush()
    assert send(engine, COMMANDS[1]).status_code == 201


def test_a_service_that_loses_redis_in_the_middle_of_a_batch_says_which_trades_are_undecided(
    engine: Flask, own_settings: Settings, server: Redis
) -> None:
    store = engine.extensions["haggle"].store
    decide: Callable[..., Any] = store.trades.decide_each

    def decide_and_lose_redis(commands: Any) -> Any:
        results = decide(commands)
        server.process.send_signal(signal.SIGSTOP)
        return results

    store.trades.decide_each = decide_and_lose_redis
    try:
        answer = send(engine, ("POST", "/v1/trades/batch", {**BATCH, "mode": "independent"}), "b")
    finally:
        server.process.send_signal(signal.SIGCONT)
        del store.trades.decide_each
    assert answer.json is not None
    statuses = [result["status"] for result in answer.json["results"]]
    assert statuses == ["accepted"] * 128 + ["undecided"] * 72

    def repeated() -> list[str] | None:
        again = send(engine, ("POST", "/v1/trades/batch", {**BATCH, "mode": "independent"}), "b")
        return [result["status"] for result in (again.json or {}).get("results", [])] or None

    assert wait_until(repeated) == ["accepted"] * 200
    assert sum(b'"trade_accepted"' in event and b'"b.' in event for event in Realm(own_settings).events()) == 200
