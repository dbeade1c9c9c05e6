"""A network that loses things: exactly one effect per command, whatever is dropped, delayed, doubled or cut.

Between callers and engine, a proxy that knows requests drops 20 % of them, delays 20 %, sends 20 % twice and cuts 20 %
of the replies; callers send a command again under the same key until they have an answer. Between engine and Redis, a
proxy of bytes cuts connections and delays; the engine answers in time or says 503, and recovers when the proxy heals.
"""

import contextlib
import http.client
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest

from app.contract.events import OfferMade, OfferRejected, TradeAccepted, TradeRejected, decode_event
from app.settings import Settings
from app.store import Store
from tests.conftest import Realm, client_of, wait_until
from tests.history import Replay, Sides
from tests.model import MAX_AMOUNT, ModelRealm, ModelSide
from tests.serving import Caller, served

SEED = 5
CLASSES = ["farmer", "banker", "hunter", "tailor", "trader", "warrior"]
OWN_ITEM = dict(enumerate([5, 18, 7, 9, 11, 19], start=1))
CALLERS = 8
ROUNDS = 6
"""Each caller sends about ten commands a round."""

HANGING_S = 20
"""No request takes that long, even one of many Redis calls on a loaded machine."""


# ---------------------------------------------------------------- commands


class Command(NamedTuple):
    path: str
    body: Any
    key: str


def swap(draw: Random) -> tuple[ModelSide, ModelSide]:
    """A trade that is accepted in any order with others: one unit and a little gold for one unit."""
    one, two = draw.sample(list(OWN_ITEM), 2)
    return ModelSide(one, draw.choice([0, 1]), [(OWN_ITEM[one], 1)]), ModelSide(two, 0, [(OWN_ITEM[two], 1)])


def body_of(sides: Sides) -> dict[str, Any]:
    return {"player_1": sides[0].as_json(), "player_2": sides[1].as_json()}


class Plan:
    """The commands of one caller, in rounds that it sends in order, and what they do, told to the model once each."""

    def __init__(self, caller: int, model: ModelRealm, sides: dict[str, Sides]) -> None:
        self._draw = Random(SEED + caller)
        self._model = model
        self._sides = sides
        self._name = f"c{caller}"
        self.commands: list[Command] = []
        for number in range(ROUNDS):
            self._round(number)

    def _add(self, path: str, body: Any) -> str:
        key = f"{self._name}-{len(self.commands)}"
        self.commands.append(Command(path, body, key))
        return key

    def _round(self, number: int) -> None:
        for _ in range(3):
            self._trade(swap(self._draw))
        self._trade((ModelSide(1, MAX_AMOUNT), ModelSide(2)), "insufficient_gold")
        self._batch("independent", 2)
        self._batch("all_or_nothing", 3)
        self._batch("all_or_nothing" if number % 2 else "independent", 130 if number < 2 else 4)
        for how in ("accept", "decline", "cancel"):
            self._offer(swap(self._draw), how)

    def _trade(self, sides: Sides, reason: str = "") -> None:
        key = self._add("/v1/trades", body_of(sides))
        self._sides[key] = sides
        assert self._model.trade(*sides) == reason

    def _batch(self, mode: str, size: int) -> None:
        trades = [(ModelSide(1 + n % 2, 1), ModelSide(2 - n % 2)) for n in range(size)]
        key = self._add("/v1/trades/batch", {"mode": mode, "trades": [body_of(sides) for sides in trades]})
        self._sides |= {f"{key}.{place}": sides for place, sides in enumerate(trades)}
        assert self._model.together(trades) == [""] * size

    def _offer(self, sides: Sides, how: str) -> None:
        key = self._add("/v1/offers", body_of(sides))
        self._sides[key] = sides
        self._add(f"/v1/offers/{key}/{how}", None)
        assert self._model.make_offer(*sides) == ""
        if how == "accept":
            assert self._model.accept(self._model.offers[-1]) == ""
        else:
            self._model.close(self._model.offers[-1], how)


class Campaign:
    """The plans of all callers, and the check afterwards."""

    def __init__(self) -> None:
        self.model = ModelRealm()
        for player_class in CLASSES:
            self.model.create(player_class)
        self.sides: dict[str, Sides] = {}
        self.plans = [Plan(caller, self.model, self.sides) for caller in range(CALLERS)]
        self.paths = {command.key: command.path for plan in self.plans for command in plan.commands}

    def run(self, insist: Callable[[Command], object]) -> None:
        """Each caller sends its commands in order, each until it has an answer."""
        with ThreadPoolExecutor(CALLERS) as pool:
            for _ in pool.map(lambda plan: [insist(command) for command in plan.commands], self.plans):
                pass

    def check(self, settings: Settings, realm: Realm) -> None:
        """One event for each command, each as the model decides it, and the balances of the model."""
        Store(realm.redis, settings).players.page(0, len(CLASSES))  # finishes what is left of a committed batch
        replay, ids = Replay(self.sides), []
        for event in [decode_event(raw) for raw in realm.events()]:
            replay.apply(event)
            if isinstance(event, TradeAccepted | TradeRejected) and event.offer_id is None:
                ids.append(event.trade_id)
            elif isinstance(event, OfferMade | OfferRejected):
                ids.append(event.offer_id)
        assert sorted(ids) == sorted(self.sides)
        assert replay.sequence == self.model.events
        for player_id, player in self.model.players.items():
            state = realm.state(player_id)
            assert (state["gold"], state["version"], state["items"]) == (player.gold, player.version, player.items)
            assert (state["held_gold"], state["held"], state["offers"]) == (0, {}, 0)


def essence(body: bytes, path: str) -> Any:
    """An answer without what may change: if it is a repeat, how an offer stands, the maker's state since its end."""
    answer = msgspec.json.decode(body)
    if "results" in answer:
        return [{**result, "replayed": None} for result in answer["results"]]
    if path.endswith(("/decline", "/cancel")):
        return answer["offer"]
    return {**answer["offer"], "status": None, "trade_id": None} if "offer" in answer else answer


# ---------------------------------------------------------------- between callers and engine


class Proxy:
    """Listens on `port`; a thread of `_serve` for each connection."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._draw = Random(SEED)
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        raise NotImplementedError

    def draw(self) -> float:
        with self._lock:
            return self._draw.random()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class HttpProxy(Proxy):
    """Drops, delays, doubles or cuts 20 % of requests each; keeps every whole reply of the engine by command."""

    def __init__(self, engine_port: int) -> None:
        self._engine_port = engine_port
        self.replies: dict[str, list[bytes]] = defaultdict(list)
        self.fates: dict[str, int] = defaultdict(int)
        super().__init__()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
            while request := read_message(stream):
                fate = ["drop", "delay", "twice", "cut", "pass"][int(5 * self.draw())]
                self.fates[fate] += 1
                if fate == "drop":
                    return
                if fate == "delay":
                    time.sleep(self.draw() / 20)
                reply = self._send_twice(request) if fate == "twice" else self._send(request)
                if fate == "cut":
                    connection.sendall(reply[: int(len(reply) * self.draw())])
                    return
                connection.sendall(reply)

    def _send_twice(self, request: bytes) -> bytes:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(self._send, [request, request]))[1]

    def _send(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self._engine_port), timeout=60) as engine:
            engine.sendall(request)
            with engine.makefile("rb") as stream:
                reply = read_message(stream)
        key = header(request, b"idempotency-key").decode()
        if b" 503 " not in reply.split(b"\r\n", 1)[0]:
            self.replies[key].append(reply.split(b"\r\n\r\n", 1)[1])
        return reply


def read_message(stream: Any) -> bytes:
    """One HTTP request or reply; b'' at the end."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return b""
        head += line
    return head + bytes(stream.read(int(header(head, b"content-length") or 0)))


def header(message: bytes, name: bytes) -> bytes:
    lines = message.split(b"\r\n\r\n", 1)[0].split(b"\r\n")[1:]
    return dict(line.lower().split(b": ", 1) for line in lines).get(name, b"")


@contextmanager
def running(proxy: Proxy) -> Iterator[None]:
    try:
        yield
    finally:
        proxy.close()


def test_each_command_has_one_effect_through_a_network_that_drops_delays_doubles_and_cuts(
    settings: Settings, realm: Realm
) -> None:
    campaign = Campaign()
    with served(settings, REDIS_TIMEOUT_S="30") as engine_port:
        for player_class in CLASSES:
            Caller(engine_port).send("POST", "/v1/players", {"player_class": player_class})
        proxy = HttpProxy(engine_port)
        callers = threading.local()

        def attempt(command: Command) -> bool:
            callers.own = getattr(callers, "own", None) or Caller(proxy.port)
            with contextlib.suppress(OSError, http.client.HTTPException):
                reply = callers.own.send("POST", command.path, command.body, command.key)
                if reply.json is None:  # it was cut in its head
                    assert reply.status in (200, 201, 409, 503), reply
                    return False
                assert reply.status in (200, 201, 409) or reply.json["reason"] == "batch_contended", reply.json
                return bool(reply.status != 503)
            return False

        with running(proxy):
            campaign.run(lambda command: wait_until(lambda: attempt(command), 120))
    campaign.check(settings, realm)
    for key, replies in proxy.replies.items():
        seen = [essence(reply, campaign.paths[key]) for reply in replies]
        assert seen == [seen[0]] * len(seen)
    assert sum(len(replies) > 1 for replies in proxy.replies.values()) > len(proxy.replies) / 4
    assert min(proxy.fates.values()) > sum(proxy.fates.values()) / 8


# ---------------------------------------------------------------- between engine and Redis


class ByteProxy(Proxy):
    """Passes bytes to and from Redis; while `is_lossy`, it cuts or delays some of them."""

    def __init__(self, redis_port: int) -> None:
        self._redis_port = redis_port
        self.is_lossy = False
        super().__init__()

    def _serve(self, connection: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._redis_port))
        threading.Thread(target=self._pass, args=(server, connection), daemon=True).start()
        self._pass(connection, server)

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65_536):
                fate = self.draw() if self.is_lossy else 1
                if fate < 0.07:
                    target.sendall(chunk[: int(len(chunk) * self.draw())])
                    break
                if fate < 0.14:
                    time.sleep(self.draw() / 5)
                target.sendall(chunk)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def lossy(settings: Settings) -> Iterator[ByteProxy]:
    proxy = ByteProxy(int(settings.redis_url.rsplit(":", 1)[1].split("/")[0]))
    with running(proxy):
        yield proxy


def test_the_engine_answers_in_time_and_truly_through_a_lossy_connection_to_redis_and_recovers(
    settings: Settings, realm: Realm, lossy: ByteProxy
) -> None:
    application = client_of(replace(settings, redis_url=f"redis://127.0.0.1:{lossy.port}/0")).application
    caller = client_of(settings)
    for player_class in CLASSES:
        caller.post("/v1/players", json={"player_class": player_class})
    campaign = Campaign()
    statuses: list[int] = []
    answers: dict[str, Any] = {}

    def attempt(command: Command) -> bool:
        client = application.test_client()
        headers = {"Idempotency-Key": command.key, **caller_headers}
        started = time.monotonic()
        answer = client.post(command.path, json=command.body, headers=headers)
        assert time.monotonic() - started < HANGING_S
        statuses.append(answer.status_code)
        if answer.status_code == 503:
            assert answer.headers["Retry-After"]
            assert answer.content_type == "application/problem+json"
            return False
        assert answer.status_code in (200, 201, 409), answer.text
        answers[command.key] = answer.data
        return b'"undecided"' not in answer.data

    caller_headers = {"Authorization": caller.environ_base["HTTP_AUTHORIZATION"]}
    lossy.is_lossy = True
    campaign.run(lambda command: wait_until(lambda: attempt(command), 120))
    assert statuses.count(503) > 20
    lossy.is_lossy = False
    wait_until(lambda: application.test_client().get("/readyz").status_code == 200)
    campaign.check(settings, realm)
    for plan in campaign.plans:
        for command in plan.commands:
            repeat = caller.post(command.path, json=command.body, headers={"Idempotency-Key": command.key})
            assert essence(repeat.data, command.path) == essence(answers[command.key], command.path)
