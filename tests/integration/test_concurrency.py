"""Many callers at once on few players, through the engine as it is served.

Trades, batches of both modes (the large ones are staged and committed in several Redis calls), offers with all their
ends, repeats and reads run against each other for DURATION_S. Meanwhile snapshots of all players are taken, each in one
Redis transaction. Afterwards the whole history must be linearizable, see tests/history.py.
"""

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest

from app.contract.events import Event, TradeAccepted, TradeRejected, decode_event
from app.http import responses
from app.settings import Settings
from app.store import Store
from app.store.functions import MOST_PER_CALL, Functions, full_name
from app.store.layout import read_player
from tests.conftest import Realm, client_of
from tests.economy import CLASSES, ECONOMY
from tests.history import Adjusted, Replay, Sides, Window, assert_real_time_order, essence
from tests.model import ModelSide
from tests.serving import Caller, Reply, served

DURATION_S = 30
THREADS = 64
PLAYERS = 10
CALM = [9, 10]
"""Players that fewer commands name, so that some large batches get through."""

SNAPSHOT_INTERVAL_S = 0.05
ITEMS = [1, 3, 5, 7, 9, 11, 14, 15, 17, 19]


class Command(NamedTuple):
    """A request that changes something; `key` names it, so that it can be sent again."""

    path: str
    body: Any
    key: str


class Exchange(NamedTuple):
    command: Command
    window: Window
    reply: Reply


class Read(NamedTuple):
    """A player's state as a GET showed it."""

    player_id: int
    window: Window
    state: dict[str, Any]


class Change(NamedTuple):
    """A player's state after an event."""

    sequence: int
    state: dict[str, Any]


class Snapshot(NamedTuple):
    """All players at one moment, and the sequence number at it."""

    sequence: int
    window: Window
    states: list[dict[str, Any]]


class Board:
    """What the threads share: offers to answer, commands to repeat, versions seen; and all that was observed."""

    def __init__(self) -> None:
        self.offers: deque[str] = deque(["none"], maxlen=60)
        self.commands: deque[Command] = deque(maxlen=200)
        self.versions = dict.fromkeys(range(1, PLAYERS + 1), 1)
        self.exchanges: list[Exchange] = []
        self.reads: list[Read] = []
        self.snapshots: list[Snapshot] = []


class Trader:
    """One caller, with its own draws."""

    def __init__(self, number: int, port: int, board: Board) -> None:
        self._number = number
        self._sent = 0
        self._draw = Random(number)
        self._caller = Caller(port)
        self._board = board
        self._actions = {
            self._trade: 45, self._batch: 10, self._large_batch: 4, self._offer: 12, self._answer_offer: 16,
            self._adjust: 6, self._repeat: 8, self._read: 5,
        }  # fmt: skip

    def run(self, until: float) -> None:
        while time.monotonic() < until:
            self._draw.choices(list(self._actions), list(self._actions.values()))[0]()
        self._caller.close()

    def _send(self, command: Command) -> Reply:
        self._board.commands.append(command)
        sent = time.monotonic()
        reply = self._caller.send("POST", command.path, command.body, command.key)
        self._board.exchanges.append(Exchange(command, Window(sent, time.monotonic()), reply))
        return reply

    def _key(self) -> str:
        self._sent += 1
        return f"{self._number}-{self._sent}"

    def _side(self, player_id: int, gold: list[int], quantities: list[int]) -> dict[str, Any]:
        items = [{"item_id": self._draw.choice(ITEMS), "quantity": quantity} for quantity in quantities]
        return {"player_id": player_id, "gold": self._draw.choice(gold), "items": items}

    def _pair(self) -> list[int]:
        calm = self._draw.random() < 0.1
        return self._draw.sample(range(1, PLAYERS + 1) if calm else range(1, CALM[0]), 2)

    def _sides(self, gold: list[int]) -> dict[str, Any]:
        one, two = self._pair()
        quantities = [self._draw.choice([[], [1], [2, 3], [40]]) for _ in range(2)]
        return {"player_1": self._side(one, gold, quantities[0]), "player_2": self._side(two, gold, quantities[1])}

    def _trade(self) -> None:
        body = self._sides([0, 1, 100, 5_000])
        if self._draw.random() < 0.3:
            body["player_1"]["version"] = self._board.versions[body["player_1"]["player_id"]]
        self._send(Command("/v1/trades", body, self._key()))

    def _batch(self) -> None:
        size = self._draw.choice([2, 3, 5, 20])
        mode = self._draw.choice(["independent", "all_or_nothing"])
        trades = [self._sides([0, 1, 2]) for _ in range(size)]
        self._send(Command("/v1/trades/batch", {"mode": mode, "trades": trades}, self._key()))

    def _large_batch(self) -> None:
        mode = self._draw.choice(["independent", "all_or_nothing", "all_or_nothing"])
        pair = self._draw.sample(CALM, 2) if self._draw.random() < 0.7 else self._pair()
        trades = []
        for place in range(self._draw.choice([129, 150, 260])):
            giver, receiver = (pair, pair[::-1])[place % 2]
            trades.append({"player_1": {"player_id": giver, "gold": 1}, "player_2": {"player_id": receiver}})
        self._send(Command("/v1/trades/batch", {"mode": mode, "trades": trades}, self._key()))

    def _offer(self) -> None:
        body = {**self._sides([0, 1, 50]), "expires_in_s": self._draw.choice([1, 1, 600])}
        key = self._key()
        if self._send(Command("/v1/offers", body, key)).status == 201:
            self._board.offers.append(key)

    def _answer_offer(self) -> None:
        offer = self._draw.choice(list(self._board.offers))
        how = self._draw.choice(["accept", "accept", "decline", "cancel"])
        self._send(Command(f"/v1/offers/{offer}/{how}", None, self._key()))

    def _adjust(self) -> None:
        quantity = self._draw.choice([-2, -1, 1, 2])
        items = [{"item_id": self._draw.choice(ITEMS), "quantity": quantity}] if self._draw.random() < 0.7 else []
        gold = self._draw.choice([-50, -1, 1, 50])
        body = {"player_id": self._draw.randint(1, PLAYERS), "gold": gold, "items": items, "reason": "loot"}
        self._send(Command("/v1/adjustments", body, self._key()))

    def _repeat(self) -> None:
        """Sends a command again that may still be under way, its own or another's."""
        if commands := list(self._board.commands):
            self._send(self._draw.choice(commands))

    def _read(self) -> None:
        player_id = self._draw.randint(1, PLAYERS)
        sent = time.monotonic()
        state = self._caller.send("GET", f"/v1/players/{player_id}").json
        self._board.reads.append(Read(player_id, Window(sent, time.monotonic()), essence(state)))
        self._board.versions[player_id] = state["version"]


# ---------------------------------------------------------------- snapshots


class Camera:
    """Takes snapshots in one transaction: the sequence number, and what callers would see of all players."""

    def __init__(self, settings: Settings, realm: Realm) -> None:
        self._realm = realm
        self._store, self._functions = Store(realm.redis, settings), Functions(realm.redis, settings)

    def take(self) -> Snapshot:
        sent = time.monotonic()
        pipeline = self._realm.redis.pipeline(transaction=True)
        pipeline.get(self._realm.keys.sequence)
        ids = msgspec.msgpack.encode(list(range(1, PLAYERS + 1)))
        pipeline.fcall(full_name("players"), *self._functions.fixed, ids)
        sequence, packed = pipeline.execute()
        players = [read_player(*pair) for pair in zip(packed[::2], packed[1::2], strict=True)]
        for player in players:
            assert player.max_capacity >= player.item_units == sum(player.items.values())
        states = [essence(msgspec.to_builtins(responses.player(player, ECONOMY))) for player in players]
        return Snapshot(int(sequence), Window(sent, time.monotonic()), states)

    @contextmanager
    def running(self, board: Board) -> Iterator[None]:
        """Takes snapshots all the while, and ends offers whose time is over, as the relay would."""
        stop = threading.Event()

        def run() -> None:
            while not stop.wait(SNAPSHOT_INTERVAL_S):
                board.snapshots.append(self.take())
                self._store.offers.expire(5)

        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(run)
            try:
                yield
            finally:
                stop.set()
            running.result()


def totals(states: list[dict[str, Any]]) -> Counter[int]:
    """Gold, as item 0, and units of every item that all players hold together."""
    amounts: Counter[int] = Counter()
    for state in states:
        amounts.update({0: state["gold"], **state["items"]})
    return amounts


def check_holdings(snapshots: list[Snapshot]) -> None:
    for snapshot in snapshots:
        for state in snapshot.states:
            assert state["gold"] >= state["held_gold"] >= 0
            assert min(state["items"].values()) > 0
            assert all(0 < units <= state["items"].get(item, 0) for item, units in state["held"].items())


# ---------------------------------------------------------------- the history


def decided(exchange: Exchange) -> Iterator[tuple[int, bool, list[dict[str, Any]]]]:
    """What an answer says was decided: sequence number, whether that was before, and the states shown with it."""
    body = exchange.reply.json
    is_replay = exchange.reply.is_replay
    if "adjustment" in body:
        # players are as they are when the answer is made, perhaps after others of the same call
        yield body["adjustment"]["sequence"], is_replay, []
    elif "trade" in body:
        players = [player for name in ("player_1", "player_2") if (player := body.get(name))]
        yield body["trade"]["sequence"], is_replay, players
    elif "results" in body:
        for result in body["results"]:
            yield result["sequence"], result["replayed"], []
    elif exchange.command.path == "/v1/offers" and "offer" in body:
        # a repeat shows the player as it is now
        yield body["offer"]["sequence"], is_replay, [] if is_replay else [body["player_1"]]


def windows_of(exchanges: list[Exchange]) -> dict[int, Window]:
    """When each command took effect: while the one exchange lasted that decided it, and before any repeat's answer."""
    sent: dict[int, float] = {}
    returned: dict[int, float] = defaultdict(lambda: float("inf"))
    for exchange in exchanges:
        for sequence, is_replay, _ in decided(exchange):
            returned[sequence] = min(returned[sequence], exchange.window.returned)
            if not is_replay:
                assert sequence not in sent, f"event {sequence} was decided twice"
                sent[sequence] = exchange.window.sent
    return {sequence: Window(sent[sequence], returned[sequence]) for sequence in sent}


def requested(commands: list[Command]) -> dict[str, Sides]:
    """The sides of every trade and offer that was sent, by its id."""
    found: dict[str, Sides] = {}
    for command in commands:
        if command.path == "/v1/trades/batch":
            trades = enumerate(command.body["trades"])
            found |= {f"{command.key}.{place}": sides_of(trade) for place, trade in trades}
        elif command.body and command.path != "/v1/adjustments":
            found[command.key] = sides_of(command.body)
    return found


def adjusted(commands: list[Command]) -> dict[str, Adjusted]:
    """The player, gold and units of every adjustment that was sent, by its id."""
    return {
        key: (body["player_id"], body["gold"], {line["item_id"]: line["quantity"] for line in body["items"]})
        for path, body, key in commands
        if path == "/v1/adjustments"
    }


def sides_of(body: dict[str, Any]) -> Sides:
    one, two = (
        ModelSide(
            side["player_id"],
            side.get("gold", 0),
            [(line["item_id"], line["quantity"]) for line in side.get("items", [])],
            side.get("version"),
        )
        for side in (body["player_1"], body["player_2"])
    )
    return one, two


def together(commands: list[Command]) -> dict[str, list[str]]:
    """The trade_ids of each batch that is decided together."""
    batches = [command for command in commands if command.body and command.body.get("mode") == "all_or_nothing"]
    return {batch.key: [f"{batch.key}.{place}" for place in range(len(batch.body["trades"]))] for batch in batches}


def check_batches(batches: dict[str, list[str]], events: list[Event]) -> int:
    """All of a batch was accepted, in a row, or nothing was, for one reason; returns how many large ones were."""
    decisions = [event for event in events if isinstance(event, TradeAccepted | TradeRejected)]
    by_id = {event.trade_id: event for event in decisions}
    assert len(by_id) == len(decisions), "a trade was decided twice"
    large = 0
    for trade_ids in batches.values():
        found = [by_id[trade_id] for trade_id in trade_ids if trade_id in by_id]
        reasons = [event.reason for event in found if isinstance(event, TradeRejected)]
        assert len(found) in (0, len(trade_ids))  # 0: it was contended
        assert len(reasons) in (0, len(found))
        if reasons:
            assert sum(reason != "batch_refused" for reason in reasons) == 1
        elif found:
            assert [event.sequence - found[0].sequence for event in found] == list(range(len(found)))
            large += len(found) > MOST_PER_CALL
    return large


def check_repeats(exchanges: list[Exchange]) -> None:
    """Every answer to a command says the same, but how an offer stands and whether it is a repeat."""
    first: dict[str, Any] = {}
    for exchange in exchanges:
        body = exchange.reply.json
        if exchange.reply.status == 503 or exchange.command.path.endswith(("/accept", "/decline", "/cancel")):
            continue
        if "results" in body:
            body = [{**result, "replayed": None} for result in body["results"]]
        elif "offer" in body:
            body = {**body["offer"], "status": None, "trade_id": None}
        elif "adjustment" in body:
            body = body["adjustment"]
        assert first.setdefault(exchange.command.key, body) == body


def check_statuses(exchanges: list[Exchange]) -> None:
    for command, _, reply in exchanges:
        assert (
            reply.status in (200, 201, 409)
            or (reply.status == 404 and "/none/" in command.path)
            or (reply.status == 503 and reply.json["reason"] == "batch_contended" and reply.headers["Retry-After"])
        ), reply.json


def check_states(board: Board, events: list[Event], replay: Replay) -> dict[tuple[int, int], Change]:
    """Replays all events; every answer and snapshot shows the states at its number. Returns each player's changes."""
    answers: dict[int, list[tuple[int, Any]]] = defaultdict(list)
    snapshots: dict[int, list[Any]] = defaultdict(list)
    for exchange in board.exchanges:
        for sequence, _, players in decided(exchange):
            answers[sequence] += [(player["player_id"], essence(player)) for player in players]
    for snapshot in board.snapshots:
        snapshots[snapshot.sequence].append(snapshot.states)
    changes: dict[tuple[int, int], Change] = {}
    for event in events:
        for player_id in replay.apply(event):
            state = replay.shown(player_id)
            changes[player_id, state["version"]] = Change(event.sequence, state)
        for player_id, seen in answers[event.sequence]:
            assert seen == replay.shown(player_id), event
        for states in snapshots[event.sequence]:
            assert totals(states) == replay.model.supply, "created + given - taken = held"
            assert states == [replay.shown(player_id) for player_id in range(1, PLAYERS + 1)]
    return changes


def check_reads(reads: list[Read], changes: dict[tuple[int, int], Change], windows: dict[int, Window]) -> None:
    """A read shows a state that there was, and none whose end had been answered before it, or that began after it."""
    for player_id, window, state in reads:
        assert state == changes[player_id, state["version"]].state
        began, ended = (changes.get((player_id, state["version"] + later)) for later in (0, 1))
        assert not began or windows.get(began.sequence, window).sent <= window.returned
        assert not ended or windows.get(ended.sequence, window).returned >= window.sent


def check_snapshot_order(snapshots: list[Snapshot], windows: dict[int, Window]) -> None:
    """A snapshot holds all that was answered before it was asked for."""
    by_time = sorted((window.returned, sequence) for sequence, window in windows.items())
    answered = 0
    for snapshot in snapshots:
        while by_time and by_time[0][0] < snapshot.window.sent:
            answered = max(answered, by_time.pop(0)[1])
        assert snapshot.sequence >= answered


def test_64_callers_on_10_players_see_a_linearizable_history(settings: Settings, realm: Realm) -> None:
    board, camera = Board(), Camera(settings, realm)
    with served(settings, REDIS_TIMEOUT_S="30") as port:
        for player_class in list(CLASSES)[:PLAYERS]:
            Caller(port).send("POST", "/v1/players", {"player_class": player_class})
        board.snapshots.append(camera.take())
        until = time.monotonic() + DURATION_S
        with ThreadPoolExecutor(THREADS) as pool, camera.running(board):
            for running in [pool.submit(Trader(number, port, board).run, until) for number in range(THREADS)]:
                running.result()
        board.snapshots.append(camera.take())
    events = [decode_event(raw) for raw in realm.events()]
    assert board.snapshots[-1].sequence == len(events)
    check_statuses(board.exchanges)
    check_holdings(board.snapshots)
    check_repeats(board.exchanges)
    windows = windows_of(board.exchanges)
    assert_real_time_order(windows)
    check_snapshot_order(board.snapshots, windows)
    commands = [exchange.command for exchange in board.exchanges]
    batches = together(commands)
    assert check_batches(batches, events) > 0, "no large batch got through"
    decided_together = {trade_id for ids in batches.values() for trade_id in ids}
    replay = Replay(requested(commands), decided_together, adjusted(commands))
    check_reads(board.reads, check_states(board, events, replay), windows)


def test_a_large_batch_whose_twin_is_committed_meanwhile_gets_the_same_results(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, twin = client_of(settings), client_of(settings)
    for player_class in ("banker", "farmer"):
        client.post("/v1/players", json={"player_class": player_class})
    trade = {"player_1": {"player_id": 1, "gold": 1}, "player_2": {"player_id": 2}}
    body = {"mode": "all_or_nothing", "trades": [trade] * 300}
    first: list[Any] = []
    call = Functions.call

    def call_and_be_overtaken(self: Functions, function: str, *arguments: Any) -> Any:
        """The twin is committed between the first look-up of the batch's names and the next."""
        found = call(self, function, *arguments)
        if function == "decisions" and not first:
            first.append(None)
            first[0] = twin.post("/v1/trades/batch", json=body, headers={"Idempotency-Key": "k"}).json
        return found

    monkeypatch.setattr(Functions, "call", call_and_be_overtaken)
    second = client.post("/v1/trades/batch", json=body, headers={"Idempotency-Key": "k"}).json
    assert second is not None
    assert {result["status"] for result in first[0]["results"]} == {"accepted"}
    assert second["results"] == [{**result, "replayed": True} for result in first[0]["results"]]
