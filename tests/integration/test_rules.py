"""The real function, through HTTP on a real server, compared with the plain-Python model."""

from dataclasses import replace
from typing import Any

from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.contract.economy import CLASSES, ITEMS
from app.contract.events import State, TradeAccepted, decode_event
from tests.conftest import Realm, Redis, client_of, settings_of
from tests.model import MAX_AMOUNT, ModelRealm, ModelSide

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
trades = st.tuples(st.just("trade"), sides, sides)
creations = st.tuples(st.just("create"), st.sampled_from(list(CLASSES)))
riches = st.tuples(st.just("enrich"), st.integers(1, 3), st.sampled_from([MAX_AMOUNT, MAX_AMOUNT - 1]))
programs = st.lists(st.one_of(creations, trades, trades, trades, riches), min_size=5, max_size=40)


def held_trade(model: ModelRealm, one: ModelSide, two: ModelSide) -> tuple[ModelSide, ModelSide]:
    """The same trade with items that the players hold, so that many random trades are accepted."""

    def holding(side: ModelSide) -> ModelSide:
        player = model.players.get(side.player_id)
        held = sorted(player.items) if player else []
        if not held or any(item not in ITEMS for item, _ in side.lines):
            return side
        return replace(side, lines=[(held[item % len(held)], quantity) for item, quantity in side.lines])

    return holding(one), holding(two)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=programs)
def test_random_programs_end_like_the_model(redis_server: Redis, program: list[Any]) -> None:
    where = settings_of(redis_server)
    client, realm, model = client_of(where), Realm(where), ModelRealm()
    for player_class in ("farmer", "banker", "warrior"):
        create(client, model, player_class)
    for command in program:
        if command[0] == "create":
            create(client, model, command[1])
        elif command[0] == "enrich":
            model.players[command[1]].gold = command[2]
            realm.set_gold(command[1], command[2])
        else:
            before = total(model)
            trade(client, model, *held_trade(model, command[1], command[2]))
            assert total(model) == before
    compare(client, realm, model)


def create(client: FlaskClient, model: ModelRealm, player_class: str) -> None:
    answer = client.post("/v1/players", json={"player_class": player_class})
    assert answer.status_code == 201
    assert answer.json["player_id"] == model.create(player_class)  # type: ignore[index]


def trade(client: FlaskClient, model: ModelRealm, one: ModelSide, two: ModelSide) -> None:
    too_much = any(units > MAX_AMOUNT for side in (one, two) for units in side.items.values())
    answer = client.post("/v1/trades", json={"player_1": one.as_json(), "player_2": two.as_json()})
    if too_much:
        assert answer.status_code == 422
        return
    reason = model.trade(one, two)
    assert answer.json is not None
    assert (answer.status_code, answer.json.get("reason", "")) == (409 if reason else 201, reason)


def compare(client: FlaskClient, realm: Realm, model: ModelRealm) -> None:
    for player_id, player in model.players.items():
        stored = realm.states()[player_id]
        derived = (player.gold, player.version, player.units, len(player.items), player.item_value)
        assert tuple(stored[name] for name in ("gold", "version", "units", "distinct", "value")) == derived
        shown = client.get(f"/v1/players/{player_id}").json
        assert shown is not None
        assert {item["item_id"]: item["quantity"] for item in shown["inventory"]["items"]} == player.items
        assert shown["inventory"]["current_capacity"] == player.capacity - player.units
    check_events(realm, model)


def check_events(realm: Realm, model: ModelRealm) -> None:
    """Every event is valid and in sequence, and the newest state of each player in them is the stored one."""
    events = [decode_event(raw) for raw in realm.events()]
    assert [event.sequence for event in events] == list(range(1, model.events + 1))
    newest: dict[int, State] = {}
    for event in events:
        if isinstance(event, TradeAccepted):
            newest |= {side.player_id: side.state for side in (event.player_1, event.player_2)}
    for player_id, state in newest.items():
        player = model.players[player_id]
        assert state.version == player.version
        assert (state.item_units, state.distinct_items, state.item_value) == (
            player.units, len(player.items), player.item_value,
        )  # fmt: skip
        assert all(player.items.get(line.item_id, 0) == line.quantity for line in state.items)


def total(model: ModelRealm) -> dict[int, int]:
    """Gold (under 0) and units of every item that all players hold together."""
    amounts: dict[int, int] = {0: sum(player.gold for player in model.players.values())}
    for player in model.players.values():
        for item, units in player.items.items():
            amounts[item] = amounts.get(item, 0) + units
    return amounts
