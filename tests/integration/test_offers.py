"""Offers as callers see them: what is held, how each end releases or moves exactly that, and who hears of it."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.contract.events import OfferClosed, OfferMade, OfferRejected, TradeAccepted, TradeRejected, decode_event
from app.settings import Settings
from app.store import Store
from tests.conftest import Realm, Redis, client_of, settings_of


def create_players(client: FlaskClient) -> None:
    """1 a farmer (5: 500, 6: 399, 500 gold), 2 a banker (17: 100, 18: 799, 10,000,000 gold)."""
    for player_class in ("farmer", "banker"):
        client.post("/v1/players", json={"player_class": player_class})


@pytest.fixture(autouse=True)
def players(client: FlaskClient) -> None:
    create_players(client)


OFFERED = {"player_id": 1, "gold": 100, "items": [{"item_id": 5, "quantity": 50}]}
ASKED = {"player_id": 2, "gold": 1_000}


def make(client: FlaskClient, one: Any = OFFERED, two: Any = ASKED, **more: Any) -> Any:
    return client.post("/v1/offers", json={"player_1": one, "player_2": two, **more})


def state(client: FlaskClient, player_id: int) -> Any:
    return client.get(f"/v1/players/{player_id}").json


def test_what_is_offered_is_held_and_still_owned(client: FlaskClient) -> None:
    before = state(client, 1)
    made = make(client, offer_id="o1")
    assert (made.status_code, made.headers["Location"], made.json["offer"]["status"]) == (201, "/v1/offers/o1", "open")
    after = state(client, 1)
    assert after == made.json["player_1"]
    assert after.pop("held") == {"gold": 100, "items": [{"item_id": 5, "quantity": 50}]}
    assert after == {**before, "version": 2}


@pytest.mark.parametrize("give", [{"gold": 401}, {"items": [{"item_id": 5, "quantity": 451}]}])
def test_what_is_held_cannot_be_traded_or_offered_a_second_time(client: FlaskClient, give: Any) -> None:
    make(client)
    side = {"player_id": 1, **give}
    traded = client.post("/v1/trades", json={"player_1": side, "player_2": {"player_id": 2}})
    reason = "insufficient_gold" if "gold" in give else "insufficient_items"
    assert (traded.status_code, traded.json["reason"]) == (409, reason)  # type: ignore[index]
    offered = make(client, side)
    assert (offered.status_code, offered.json["reason"]) == (409, reason)


def test_accepting_moves_exactly_what_was_held_for_what_was_asked(client: FlaskClient, realm: Realm) -> None:
    make(client, offer_id="o1")
    answer = client.post("/v1/offers/o1/accept", headers={"Idempotency-Key": "t1"})
    assert answer.status_code == 201
    one, two = state(client, 1), state(client, 2)
    assert (one["gold"], one["inventory"]["items"][0]["quantity"], "held" in one) == (1_400, 450, False)
    assert (two["gold"], two["inventory"]["items"][0]) == (9_999_100, {**two["inventory"]["items"][0], "quantity": 50})
    offer = client.get("/v1/offers/o1").json
    assert (offer["status"], offer["trade_id"]) == ("accepted", "t1")  # type: ignore[index]
    event = decode_event(realm.events()[-1])
    assert isinstance(event, TradeAccepted)
    assert (event.trade_id, event.offer_id) == ("t1", "o1")
    again = client.post("/v1/offers/o1/accept", headers={"Idempotency-Key": "t1"})
    assert (again.status_code, again.data, again.headers["Idempotent-Replayed"]) == (201, answer.data, "true")
    assert client.post("/v1/offers/o1/accept").status_code == 409


@pytest.mark.parametrize(("action", "status"), [("decline", "declined"), ("cancel", "cancelled")])
def test_declining_and_cancelling_free_exactly_what_was_held(
    client: FlaskClient, realm: Realm, action: str, status: str
) -> None:
    before = state(client, 1)
    make(client, offer_id="o1")
    ended = client.post(f"/v1/offers/o1/{action}")
    assert (ended.status_code, ended.json["offer"]["status"]) == (200, status)  # type: ignore[index]
    assert state(client, 1) == {**before, "version": 3}
    event = decode_event(realm.events()[-1])
    assert isinstance(event, OfferClosed)
    assert (event.outcome, event.player_1.state.version) == (status, 3)
    events = len(realm.events())
    assert client.post(f"/v1/offers/o1/{action}").headers["Idempotent-Replayed"] == "true"
    assert client.post("/v1/offers/o1/accept").status_code == 409
    assert len(realm.events()) == events


def test_an_offer_expires_by_itself_and_late_acceptance_finds_it_closed(redis_server: Redis) -> None:
    where = settings_of(redis_server)
    client, realm = client_of(where), Realm(where)
    create_players(client)
    before = state(client, 1)
    for offer_id in ("late", "swept"):
        make(client, offer_id=offer_id, expires_in_s=1)
    for offer_id in ("late", "swept"):
        realm.end_time_of_offer(offer_id)
    late = client.post("/v1/offers/late/accept")
    assert (late.status_code, late.json["detail"]) == (409, "offer 'late' is expired already")  # type: ignore[index]
    store = Store(realm.redis, where)
    assert [store.offers.expire(10), store.offers.expire(10)] == [1, 0]
    assert state(client, 1) == {**before, "version": 5}
    assert [(client.get(f"/v1/offers/{name}").json or {})["status"] for name in ("late", "swept")] == ["expired"] * 2


def test_a_refused_acceptance_leaves_the_offer_open_and_held(client: FlaskClient, realm: Realm) -> None:
    make(client, two={"player_id": 2, "gold": 10_000_001}, offer_id="o1")
    held = state(client, 1)
    answer = client.post("/v1/offers/o1/accept")
    assert (answer.status_code, answer.json["reason"]) == (409, "insufficient_gold")  # type: ignore[index]
    event = decode_event(realm.events()[-1])
    assert isinstance(event, TradeRejected)
    assert event.offer_id == "o1"
    assert state(client, 1) == held
    assert (client.get("/v1/offers/o1").json or {})["status"] == "open"


REFUSED = {
    "more gold than there is": ({"player_id": 1, "gold": 501}, ASKED, "insufficient_gold"),
    "an item that is not there": (
        {"player_id": 1, "items": [{"item_id": 18, "quantity": 1}]}, ASKED, "insufficient_items",
    ),
    "to oneself": (OFFERED, {"player_id": 1, "gold": 1}, "same_player"),
    "to nobody": (OFFERED, {"player_id": 99, "gold": 1}, "unknown_player"),
    "an unknown item": (OFFERED, {"player_id": 2, "items": [{"item_id": 16, "quantity": 1}]}, "unknown_item"),
    "nothing for nothing": ({"player_id": 1}, {"player_id": 2}, "empty_trade"),
    "on a state that is past": ({**OFFERED, "version": 7}, ASKED, "stale_state"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_an_offer_against_the_rules_is_refused_with_its_reason_and_holds_nothing(
    client: FlaskClient, realm: Realm, name: str
) -> None:
    one, two, reason = REFUSED[name]
    before = realm.states()
    answer = make(client, one, two)
    assert (answer.status_code, answer.json["reason"]) == (409, reason)
    assert realm.states() == before
    event = decode_event(realm.events()[-1])
    assert isinstance(event, OfferRejected)
    assert event.reason == reason


def test_a_player_has_a_bounded_number_of_open_offers(redis_server: Redis) -> None:
    client = client_of(settings_of(redis_server, OFFERS_MAX_OPEN="2"))
    create_players(client)
    one = {"player_id": 1, "gold": 1}
    answers = [make(client, one, offer_id=f"o{number}") for number in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 409]
    assert answers[2].json["reason"] == "too_many_offers"
    client.post("/v1/offers/o0/cancel")
    assert make(client, one).status_code == 201


def test_both_players_find_their_open_offers_by_cursor(client: FlaskClient) -> None:
    for number in range(5):
        make(client, {"player_id": 1, "gold": 1}, offer_id=f"o{number}")
    client.post("/v1/offers/o1/decline")
    for player_id in (1, 2):
        first = client.get(f"/v1/players/{player_id}/offers?limit=3").json or {}
        rest = client.get(f"/v1/players/{player_id}/offers?limit=3&cursor={first['next_cursor']}").json or {}
        found = [offer["offer_id"] for page in (first, rest) for offer in page["offers"]]
        assert (found, rest["next_cursor"]) == (["o0", "o2", "o3", "o4"], None)


def test_a_repeated_offer_has_one_effect_and_other_content_is_a_422(client: FlaskClient, realm: Realm) -> None:
    first, again = make(client, offer_id="o1"), make(client, offer_id="o1")
    assert (again.status_code, again.data, again.headers["Idempotent-Replayed"]) == (201, first.data, "true")
    other = make(client, two={"player_id": 2, "gold": 1}, offer_id="o1")
    assert (other.status_code, other.json["reason"]) == (422, "idempotency_mismatch")
    assert sum(isinstance(decode_event(event), OfferMade) for event in realm.events()) == 1


def test_an_unknown_offer_is_a_404_and_a_lifetime_beyond_the_longest_a_422(
    client: FlaskClient, settings: Settings
) -> None:
    for path in ("accept", "decline", "cancel"):
        assert client.post(f"/v1/offers/nothing/{path}").status_code == 404
    assert make(client, expires_in_s=settings.offer_ttl_s + 1).status_code == 422


def test_an_acceptance_on_a_state_that_has_changed_is_a_412(client: FlaskClient) -> None:
    make(client, offer_id="o1")
    stale, current = {"If-Match": '"2.9"'}, {"If-Match": client.get("/v1/players/2").headers["ETag"]}
    assert client.post("/v1/offers/o1/accept", headers=stale).status_code == 412
    assert client.post("/v1/offers/o1/accept", headers={"If-Match": '"1.1"'}).status_code == 422
    assert client.post("/v1/offers/o1/accept", headers=current).status_code == 201
