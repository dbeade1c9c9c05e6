"""What the game gives and takes besides trades: its shapes, its refusals, its names, and who may."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.contract.events import AdjustmentRejected, PlayerAdjusted, decode_event
from app.contract.reasons import AdjustmentReason
from app.http.app import create_app
from tests.conftest import Realm, Redis, client_of, settings_of

MAX_AMOUNT = 2**53 - 1
ROUTE = "/v1/adjustments"


@pytest.fixture
def farmer(client: FlaskClient) -> int:
    answer = client.post("/v1/players", json={"player_class": "farmer"})
    return int((answer.json or {})["player_id"])


def adjust(client: FlaskClient, player_id: int, key: str = "", **more: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(ROUTE, json={"player_id": player_id, "reason": "reward", **more}, headers=headers)


def items(*lines: tuple[int, int]) -> list[dict[str, int]]:
    return [{"item_id": item, "quantity": quantity} for item, quantity in lines]


def events(realm: Realm) -> list[Any]:
    return [decode_event(raw) for raw in realm.events()][2:]


def test_gold_and_items_are_given_and_taken_in_one_step(client: FlaskClient, farmer: int, realm: Realm) -> None:
    answer = adjust(client, farmer, gold=-20, items=items((5, -3), (1, 2)), reason="craft", reference="anvil")
    assert answer.status_code == 201
    decided, player = answer.json["adjustment"], answer.json["player"]
    assert (decided["status"], decided["reason"], decided["reference"]) == ("accepted", "craft", "anvil")
    assert (player["gold"], player["version"]) == (480, 2)
    assert {item["item_id"]: item["quantity"] for item in player["inventory"]["items"]} == {1: 2, 5: 497, 6: 399}
    (event,) = events(realm)
    assert isinstance(event, PlayerAdjusted)
    assert (event.sequence, event.adjustment_reason, event.reference) == (3, AdjustmentReason.CRAFT, "anvil")
    assert (event.given.gold, event.given.item_value, event.taken.gold, event.taken.item_value) == (0, 100, 20, 18)
    assert (event.state.gold, event.state.item_units, event.state.distinct_items) == (480, 898, 3)


@pytest.mark.parametrize("reason", list(AdjustmentReason))
def test_the_reasons_are_a_closed_list(client: FlaskClient, farmer: int, reason: AdjustmentReason) -> None:
    assert adjust(client, farmer, gold=1, reason=reason).status_code == 201
    assert adjust(client, farmer, gold=1, reason=f"{reason}s").status_code == 422


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"gold": -501}, "insufficient_gold"),
        ({"items": items((5, -501))}, "insufficient_items"),
        ({"items": items((1, -1))}, "insufficient_items"),
        ({"gold": MAX_AMOUNT - 499}, "gold_overflow"),
        ({"items": items((1, 101))}, "capacity_exceeded"),
        ({"items": items((16, 1))}, "unknown_item"),
        ({"player_id": 99, "gold": 1}, "unknown_player"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    client: FlaskClient, farmer: int, realm: Realm, more: dict[str, Any], reason: str
) -> None:
    before = realm.state(farmer)
    answer = client.post(ROUTE, json={"player_id": farmer, "reason": "decay", **more})
    assert (answer.status_code, (answer.json or {})["reason"]) == (409, reason)
    assert (answer.json or {})["adjustment"]["status"] == "rejected"
    assert realm.state(farmer) == before
    (event,) = events(realm)
    assert isinstance(event, AdjustmentRejected)
    assert event.reason == reason


def test_what_offers_hold_cannot_be_taken(client: FlaskClient, farmer: int) -> None:
    client.post("/v1/players", json={"player_class": "farmer"})
    side = {"player_id": farmer, "gold": 400, "items": items((5, 499))}
    assert client.post("/v1/offers", json={"player_1": side, "player_2": {"player_id": 2}}).status_code == 201
    assert adjust(client, farmer, gold=-101).json["reason"] == "insufficient_gold"
    assert adjust(client, farmer, items=items((5, -2))).json["reason"] == "insufficient_items"
    assert adjust(client, farmer, gold=-100, items=items((5, -1))).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {"gold": 0}, {"items": items((5, 0))}, {"items": items((5, 1), (5, -1))}, {"gold": 1.5}, {"gold": True},
        {"gold": 2**53}, {"items": items((5, 2**53))}, {"gold": "1"}, {"gold": 1, "reason": None},
        {"gold": 1, "more": 1}, {"gold": 1, "reference": ""}, {"gold": 1, "reference": "a\nb"},
        {"gold": 1, "adjustment_id": "a b"},
    ],
)  # fmt: skip
def test_what_is_no_adjustment_is_not_decided(
    client: FlaskClient, farmer: int, realm: Realm, body: dict[str, Any]
) -> None:
    answer = client.post(ROUTE, json={"player_id": farmer, "reason": "loot", **body})
    assert (answer.status_code, (answer.json or {})["reason"]) == (422, "invalid_request")
    assert events(realm) == []


def test_a_repeat_has_no_second_effect_and_other_content_is_an_error(
    client: FlaskClient, farmer: int, realm: Realm
) -> None:
    first = adjust(client, farmer, "quest-1", gold=5)
    again = adjust(client, farmer, "quest-1", gold=5)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.json["adjustment"] == first.json["adjustment"]
    assert adjust(client, farmer, "quest-1", gold=6).json["reason"] == "idempotency_mismatch"
    refused = [adjust(client, farmer, "quest-2", gold=-999) for _ in range(2)]
    assert [answer.json["reason"] for answer in refused] == ["insufficient_gold"] * 2
    assert refused[0].json["adjustment"] == refused[1].json["adjustment"]
    assert len(events(realm)) == 2
    # names of trades are others
    trade = {"player_1": {"player_id": farmer, "gold": 1}, "player_2": {"player_id": 99}}
    assert client.post("/v1/trades", json=trade, headers={"Idempotency-Key": "quest-1"}).status_code == 409


def test_a_batch_decides_each_for_itself_in_order(client: FlaskClient, farmer: int, realm: Realm) -> None:
    batch = [
        {"player_id": farmer, "reason": "loot", "gold": 10},
        {"player_id": farmer, "reason": "purchase", "gold": -511},
        {"player_id": farmer, "reason": "theft", "gold": 1},
        {"player_id": farmer, "reason": "decay", "gold": 0},
        {"player_id": farmer, "reason": "purchase", "gold": -510, "adjustment_id": "last"},
        {"player_id": farmer, "reason": "purchase", "gold": -510, "adjustment_id": "last"},
    ]
    answer = client.post(f"{ROUTE}/batch", json={"adjustments": batch}, headers={"Idempotency-Key": "b"})
    results = (answer.json or {})["results"]
    assert [result["status"] for result in results] == [
        "accepted", "rejected", "invalid", "invalid", "accepted", "accepted",
    ]  # fmt: skip
    assert [result["replayed"] for result in results] == [False] * 5 + [True]
    assert "at `$.adjustments[2].reason`" in results[2]["detail"]
    assert "`$.adjustments[3]`" in results[3]["detail"]
    assert results[0]["adjustment_id"] == "b.0"
    assert realm.state(farmer)["gold"] == 0
    again = client.post(f"{ROUTE}/batch", json={"adjustments": batch}, headers={"Idempotency-Key": "b"})
    assert [result["replayed"] for result in (again.json or {})["results"]] == [True, True, False, False, True, True]


@pytest.mark.parametrize("adjustments", [[], [{"player_id": 1, "reason": "loot", "gold": 1}] * 1_001, None, "x"])
def test_a_batch_of_another_size_is_refused_as_a_whole(client: FlaskClient, farmer: int, adjustments: Any) -> None:
    assert client.post(f"{ROUTE}/batch", json={"adjustments": adjustments}).status_code == 422
    assert client.get(f"/v1/players/{farmer}").json["version"] == 1  # type: ignore[index]


def test_a_thousand_adjustments_go_in_one_batch(client: FlaskClient, farmer: int) -> None:
    batch = [{"player_id": farmer, "reason": "reward", "gold": 1}] * 1_000
    answer = client.post(f"{ROUTE}/batch", json={"adjustments": batch})
    assert {result["status"] for result in (answer.json or {})["results"]} == {"accepted"}
    assert client.get(f"/v1/players/{farmer}").json["gold"] == 1_500  # type: ignore[index]


def test_to_adjust_is_a_scope_of_its_own(redis_server: Redis) -> None:
    keys = {
        "TRADE_KEYS": "a-key-that-may-trade",
        "ADJUST_KEYS": "a-key-that-may-adjust",
        "READ_KEYS": "a-key-that-reads",
    }
    engine = create_app(settings_of(redis_server, **keys)).test_client()

    def status(key: str, method: str, path: str, body: Any = None) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        return engine.open(path, method=method, json=body, headers=headers).status_code

    assert status(keys["TRADE_KEYS"], "POST", "/v1/players", {}) == 201
    body = {"player_id": 1, "reason": "reward", "gold": 1}
    assert status(keys["ADJUST_KEYS"], "POST", ROUTE, body) == 201
    assert status(keys["ADJUST_KEYS"], "POST", f"{ROUTE}/batch", {"adjustments": [body]}) == 200
    assert status(keys["ADJUST_KEYS"], "GET", "/v1/players/1") == 200
    assert status(keys["ADJUST_KEYS"], "POST", "/v1/players", {}) == 403
    assert status(keys["ADJUST_KEYS"], "DELETE", "/v1/players/1") == 403
    for key in (keys["TRADE_KEYS"], keys["READ_KEYS"]):
        assert status(key, "POST", ROUTE, body) == 403
        assert status(key, "POST", f"{ROUTE}/batch", {"adjustments": [body]}) == 403


def test_a_key_in_two_scopes_may_do_what_both_say(redis_server: Redis) -> None:
    key = "a-key-that-trades-and-adjusts"
    engine = create_app(settings_of(redis_server, TRADE_KEYS=key, ADJUST_KEYS=key)).test_client()
    headers = {"Authorization": f"Bearer {key}"}
    assert engine.post("/v1/players", json={}, headers=headers).status_code == 201
    body = {"player_id": 1, "reason": "reward", "gold": 1}
    assert engine.post(ROUTE, json=body, headers=headers).status_code == 201
    assert engine.delete("/v1/players/1", headers=headers).status_code == 403


def test_an_adjustment_to_a_closed_account_is_refused(client: FlaskClient, farmer: int) -> None:
    client.delete(f"/v1/players/{farmer}")
    answer = adjust(client, farmer, gold=1)
    assert (answer.status_code, answer.json["reason"]) == (409, "account_closed")


def test_a_full_outbox_takes_no_adjustment(redis_server: Redis) -> None:
    client = client_of(settings_of(redis_server, OUTBOX_MAX_EVENTS="3"))
    client.post("/v1/players", json={})
    assert adjust(client, 1, "a", gold=1).status_code == 201
    assert adjust(client, 1, "b", gold=1).json["reason"] == "outbox_full"
    # what was decided is known though
    assert adjust(client, 1, "a", gold=1).status_code in (201, 503)
