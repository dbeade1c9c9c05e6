"""The real functions, through HTTP on a real server, compared with the plain-Python model.

Random programs of all commands run in several realms, with requests repeated, the engine made anew and Redis killed in
between. What Hypothesis once shrank to stands below as a test of its own.
"""

import copy
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from app.contract.events import (
    OfferClosed,
    OfferMade,
    PlayerAdjusted,
    PlayerCreated,
    PlayerForgotten,
    PlayerRenamed,
    State,
    TradeAccepted,
    decode_event,
)
from app.settings import Settings
from app.store import Store
from tests.conftest import Realm, Redis, client_of, settings_of
from tests.economy import CLASSES, ITEMS
from tests.model import MAX_AMOUNT, ModelOffer, ModelRealm, ModelSide

MAX_OPEN = 3

huge = st.sampled_from([2**31, MAX_AMOUNT])
quantities = st.one_of(st.integers(1, 3), st.integers(90, 120), st.integers(390, 999), huge)
gold = st.one_of(st.just(0), st.integers(0, 3), st.integers(0, 1_200), st.sampled_from([10_000_000, MAX_AMOUNT]))
items = st.sampled_from([*ITEMS, 16, 99])
sides = st.builds(
    ModelSide,
    player_id=st.integers(1, 5),
    gold=gold,
    lines=st.lists(st.tuples(items, quantities), max_size=3),
    version=st.one_of(st.none(), st.none(), st.integers(1, 6)),
)
modest_sides = st.builds(
    ModelSide,
    player_id=st.integers(1, 3),
    gold=st.integers(0, 200),
    lines=st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9)), max_size=2),
)
either_sides = st.one_of(sides, modest_sides, modest_sides)
numbers = st.integers(0, 30)
commands = st.one_of(
    st.tuples(st.just("create"), st.sampled_from(list(CLASSES))),
    st.tuples(st.just("trade"), either_sides, either_sides),
    st.tuples(st.just("trade"), either_sides, either_sides),
    st.tuples(st.just("enrich"), st.integers(1, 3), st.sampled_from([MAX_AMOUNT, MAX_AMOUNT - 1])),
    st.tuples(st.just("batch"), st.sampled_from(["independent", "all_or_nothing"]),
              st.lists(st.tuples(modest_sides, modest_sides), min_size=1, max_size=4)),
    st.tuples(st.just("make_offer"), either_sides, either_sides),
    st.tuples(st.just("make_offer"), modest_sides, modest_sides),
    st.tuples(st.sampled_from(["accept", "accept", "decline", "cancel", "expire"]), numbers),
    st.tuples(st.just("adjust"), st.integers(1, 4), st.one_of(gold, gold.map(lambda n: -n)),
              st.dictionaries(st.sampled_from([*ITEMS, 16]), st.one_of(st.integers(-9, 9), st.just(90)), max_size=2)),
    st.tuples(st.just("adjust"), st.integers(1, 3), st.integers(-300, 300), st.just({})),
    st.tuples(st.just("rename"), st.integers(1, 3)),
    st.tuples(st.sampled_from(["forget", "rename"]), st.integers(1, 3)),
    st.tuples(st.just("repeat"), numbers),
    st.tuples(st.just("new_engine")),
)  # fmt: skip
programs = st.lists(st.tuples(st.integers(0, 1), commands), min_size=5, max_size=40)


class World:
    """One realm, its engine, and the model that must agree with it."""

    def __init__(self, where: Settings) -> None:
        self.where = where
        self.client = client_of(where)
        self.realm = Realm(where)
        self.model = ModelRealm(MAX_OPEN)
        self._ids = (f"c{number}" for number in count())
        self._offer_ids: list[str] = []
        self._sent: list[tuple[str, Any, TestResponse]] = []
        for player_class in ("farmer", "banker", "warrior"):
            self.create(player_class)

    def run(self, name: str, *rest: Any) -> None:
        """Carries out one command of a program."""
        if name in ("accept", "decline", "cancel", "expire"):
            self.end_offer(name, *rest)
        else:
            getattr(self, name)(*rest)

    def post(self, path: str, body: Any, key: str) -> TestResponse:
        answer = self.client.post(path, json=body, headers={"Idempotency-Key": key})
        self._sent.append((path, (body, key), answer))
        return answer

    def create(self, player_class: str) -> None:
        answer = self.client.post("/v1/players", json={"player_class": player_class})
        assert (answer.status_code, (answer.json or {})["player_id"]) == (201, self.model.create(player_class))

    def enrich(self, player_id: int, amount: int) -> None:
        if not self.model.players[player_id].held_gold:
            self.model.supply[0] += amount - self.model.players[player_id].gold
            self.model.players[player_id].gold = amount
            self.realm.set_gold(player_id, amount)

    def trade(self, one: ModelSide, two: ModelSide) -> None:
        one, two = self._held(one), self._held(two)
        answer = self.post("/v1/trades", sides_json(one, two), next(self._ids))
        if is_too_much(one, two):
            assert answer.status_code == 422
        else:
            expect(answer, self.model.trade(one, two))

    def adjust(self, player_id: int, amount: int, units: dict[int, int]) -> None:
        units = {item: quantity for item, quantity in units.items() if quantity}
        lines = [{"item_id": item, "quantity": quantity} for item, quantity in units.items()]
        body = {"player_id": player_id, "gold": amount, "items": lines, "reason": "correction"}
        answer = self.post("/v1/adjustments", body, next(self._ids))
        if amount or units:
            expect(answer, self.model.adjust(player_id, amount, units))
        else:
            assert answer.status_code == 422

    def rename(self, player_id: int) -> None:
        name = next(self._ids)
        answer = self.client.patch(f"/v1/players/{player_id}", json={"username": name})
        if self.model.players[player_id].closed:
            assert answer.status_code == 409
        else:
            self.model.rename(player_id)
            assert (answer.status_code, (answer.json or {})["username"]) == (200, name)

    def forget(self, player_id: int) -> None:
        answer = self.client.delete(f"/v1/players/{player_id}")
        assert (answer.status_code, (answer.json or {})["username"]) == (200, None)
        if not self.model.players[player_id].closed:
            self.model.forget(player_id)

    def batch(self, mode: str, trades: list[tuple[ModelSide, ModelSide]]) -> None:
        trades = [(self._held(one), self._held(two)) for one, two in trades]
        body = {"mode": mode, "trades": [sides_json(one, two) for one, two in trades]}
        answer = self.post("/v1/trades/batch", body, next(self._ids))
        decide = self.model.together if mode == "all_or_nothing" else lambda all_: [self.model.trade(*t) for t in all_]
        assert answer.json is not None
        assert [result.get("reason", "") for result in answer.json["results"]] == decide(trades)

    def make_offer(self, one: ModelSide, two: ModelSide) -> None:
        one, two = self._held(one), self._held(two)
        offer_id = next(self._ids)
        answer = self.post("/v1/offers", sides_json(one, two), offer_id)
        if is_too_much(one, two):
            assert answer.status_code == 422
            return
        reason = self.model.make_offer(one, two)
        expect(answer, reason)
        if not reason:
            self._offer_ids.append(offer_id)

    def end_offer(self, how: str, number: int) -> None:
        """Accepts, declines, cancels or expires one of the offers made so far."""
        if not self._offer_ids:
            return
        place = number % len(self._offer_ids)
        offer, offer_id = self.model.offers[place], self._offer_ids[place]
        outcome = {"decline": "declined", "cancel": "cancelled", "expire": "expired"}.get(how, "accepted")
        if how == "expire":
            self._expire(offer_id, offer)
            return
        answer = self.post(f"/v1/offers/{offer_id}/{how}", None, next(self._ids))
        if offer.status != "open":
            repeated = offer.status == outcome and how != "accept"
            assert answer.status_code == (200 if repeated else 409)
        elif how == "accept":
            expect(answer, self.model.accept(offer))
        else:
            self.model.close(offer, outcome)
            assert (answer.status_code, (answer.json or {})["offer"]["status"]) == (200, outcome)

    def _expire(self, offer_id: str, offer: ModelOffer) -> None:
        """Puts the offer's end into the past, and lets the sweep or an acceptance find it."""
        if offer.status != "open":
            return
        self.realm.end_time_of_offer(offer_id)
        self.model.close(offer, "expired")
        if len(self._offer_ids) % 2:
            answer = self.client.post(f"/v1/offers/{offer_id}/accept")
            assert (answer.status_code, (answer.json or {})["reason"]) == (409, "offer_not_open")
        else:
            assert Store(self.realm.redis, self.where).offers.expire(10) == 1

    def repeat(self, number: int) -> None:
        """Sends one of the earlier commands again: the same answer, and no effect."""
        if not self._sent:
            return
        path, (body, key), first = self._sent[number % len(self._sent)]
        if path.endswith(("/decline", "/cancel")) or first.json is None or first.json.get("reason") == "offer_not_open":
            return
        again = self.client.post(path, json=body, headers={"Idempotency-Key": key})
        assert again.status_code == first.status_code
        assert lasting(again.json) == lasting(first.json)

    def new_engine(self) -> None:
        self.client = client_of(self.where)

    def _held(self, side: ModelSide) -> ModelSide:
        """The side with items that the player holds, so that many random trades are accepted."""
        player = self.model.players.get(side.player_id)
        owned = sorted(player.items) if player else []
        if not owned or any(item not in ITEMS and item > 20 for item, _ in side.lines):
            return copy.deepcopy(side)
        return replace(side, lines=[(owned[item % len(owned)], quantity) for item, quantity in side.lines])

    def compare(self) -> None:
        for player_id, player in self.model.players.items():
            stored = self.realm.states()[player_id]
            derived = (player.gold, player.version, player.units, len(player.items), player.item_value)
            assert tuple(stored[name] for name in ("gold", "version", "units", "distinct", "value")) == derived
            assert stored["items"] == player.items
            assert (stored["held_gold"], stored["held"]) == (player.held_gold, +player.held)
            shown = self.client.get(f"/v1/players/{player_id}").json
            assert shown is not None
            assert {item["item_id"]: item["quantity"] for item in shown["inventory"]["items"]} == player.items
            assert shown["inventory"]["current_capacity"] == player.capacity - player.units
        for offer_id, offer in zip(self._offer_ids, self.model.offers, strict=True):
            assert (self.client.get(f"/v1/offers/{offer_id}").json or {})["status"] == offer.status
        self._check_events()

    def _check_events(self) -> None:
        """Every event is valid and in sequence, and the newest state of each player in them is the stored one."""
        events = [decode_event(raw) for raw in self.realm.events()]
        assert [event.sequence for event in events] == list(range(1, self.model.events + 1))
        newest: dict[int, State] = {}
        for event in events:
            if isinstance(event, PlayerCreated | PlayerRenamed | PlayerForgotten | PlayerAdjusted):
                newest[event.player_id] = event.state
            elif isinstance(event, TradeAccepted):
                newest |= {side.player_id: side.state for side in (event.player_1, event.player_2)}
            elif isinstance(event, OfferMade | OfferClosed):
                newest[event.player_1.player_id] = event.player_1.state
        for player_id, state in newest.items():
            player = self.model.players[player_id]
            totals = (state.version, state.item_units, state.distinct_items, state.item_value)
            assert totals == (player.version, player.units, len(player.items), player.item_value)
            assert all(player.items.get(line.item_id, 0) == line.quantity for line in state.items)


def sides_json(one: ModelSide, two: ModelSide) -> dict[str, Any]:
    return {"player_1": one.as_json(), "player_2": two.as_json()}


def is_too_much(*both: ModelSide) -> bool:
    return any(units > MAX_AMOUNT for side in both for units in side.items.values())


def expect(answer: TestResponse, reason: str) -> None:
    assert answer.json is not None
    assert (answer.status_code, answer.json.get("reason", "")) == (409 if reason else 201, reason)


def lasting(answer: Any) -> Any:
    """The answer without what may have changed since: if it is a repeat, and how an offer and its players stand."""
    if "results" in answer:
        return [{**result, "replayed": True} for result in answer["results"]]
    if "adjustment" in answer:
        return answer["adjustment"]
    if "trade" in answer and "player_1" in answer:
        return {**answer, **{name: named(answer[name]) for name in ("player_1", "player_2")}}
    if "offer" in answer:
        return {**answer["offer"], "status": "", "trade_id": ""}
    return answer


def named(player: Any) -> Any:
    """Without its name, which is the one that it has now."""
    return player and {**player, "username": ""}


def total(model: ModelRealm) -> Counter[int]:
    """Gold (under 0) and units of every item that all players hold together."""
    amounts: Counter[int] = Counter()
    for player in model.players.values():
        amounts.update({0: player.gold, **player.items})
    return amounts


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A server that these tests may kill."""
    server = Redis(tmp_path_factory.mktemp("rules"))
    yield server
    server.kill()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=programs, killed_after=st.integers(0, 120))
@example(
    program=[
        (0, ("make_offer", ModelSide(1, 5), ModelSide(2, 1))),
        (0, ("trade", ModelSide(1, 496), ModelSide(2))),
        (0, ("accept", 0)),
        (0, ("repeat", 2)),
    ],
    killed_after=2,
)
def test_random_programs_end_like_the_model(own_server: Redis, program: list[Any], killed_after: int) -> None:
    worlds = [World(settings_of(own_server, OFFERS_MAX_OPEN=str(MAX_OPEN))) for _ in range(2)]
    for place, (number, command) in enumerate(program):
        if place == killed_after:
            own_server.kill()
            own_server.start()
        worlds[number].run(*command)
        assert total(worlds[number].model) == worlds[number].model.supply
    for world in worlds:
        world.compare()


def test_a_batch_of_any_size_that_is_decided_together_ends_like_the_model(redis_server: Redis) -> None:
    world = World(settings_of(redis_server))
    for _ in range(20):
        world.create("farmer")
    for size in (1, 2, 127, 128, 129, 700):
        one_way = [(ModelSide(1 + n % 20, 0, [(5, 1)]), ModelSide(2 + n % 20, 3)) for n in range(size)]
        world.batch("all_or_nothing", [(one, two) for one, two in one_way if one.player_id != two.player_id])
        world.batch("all_or_nothing", [*one_way, (ModelSide(4, 10**9), ModelSide(5)), *one_way[:3]])
        world.repeat(len(world._sent) - 1)  # noqa: SLF001
        world.repeat(len(world._sent) - 2)  # noqa: SLF001
    world.compare()


def test_realms_do_not_share_idempotency_keys(redis_server: Redis) -> None:
    key = uuid.uuid4().hex
    for _ in range(2):
        world = World(settings_of(redis_server))
        answer = world.post("/v1/trades", sides_json(ModelSide(1, 5), ModelSide(2)), key)
        assert (answer.status_code, "Idempotent-Replayed" in answer.headers) == (201, False)
