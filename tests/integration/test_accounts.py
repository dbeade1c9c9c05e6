"""Players by the game's own names: created once by key, found, renamed, and forgotten."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.contract.events import OfferClosed, PlayerCreated, PlayerForgotten, PlayerRenamed, decode_event
from app.settings import Settings
from app.store import Store
from tests.conftest import Realm, Redis, client_of, settings_of

NAME, OTHER_NAME, EXTERNAL = "Zoë of the Hidden Valley", "Zoë the Second", "account-77f3"


def create(client: FlaskClient, key: str = "", **more: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/v1/players", json={"player_class": "farmer", **more}, headers=headers)


def events(realm: Realm) -> list[Any]:
    return [decode_event(raw) for raw in realm.events()][1:]


# ---------------------------------------------------------------- created


def test_a_repeated_creation_makes_no_second_player(client: FlaskClient, realm: Realm) -> None:
    first = create(client, "k", username=NAME, external_id=EXTERNAL)
    client.post("/v1/adjustments", json={"player_id": 1, "gold": 7, "reason": "reward"})
    again = create(client, "k", username=NAME, external_id=EXTERNAL)
    assert (first.status_code, again.status_code, again.headers["Idempotent-Replayed"]) == (201, 201, "true")
    assert again.headers["Location"] == first.headers["Location"] == "/v1/players/1"
    # as it is now
    assert (again.json["player_id"], again.json["gold"]) == (1, 507)
    assert create(client, "k", username="another").json["reason"] == "idempotency_mismatch"
    assert create(client, "other").json["player_id"] == 2
    assert len(events(realm)) == 3


def test_a_drawn_class_is_drawn_once(client: FlaskClient) -> None:
    drawn = [
        client.post("/v1/players", json={}, headers={"Idempotency-Key": f"k{number % 20}"}).json for number in range(40)
    ]
    assert drawn[:20] == drawn[20:]


def test_an_external_id_is_of_one_player_of_the_realm(client: FlaskClient, redis_server: Redis, realm: Realm) -> None:
    assert create(client, external_id=EXTERNAL).json["external_id"] == EXTERNAL
    taken = create(client, external_id=EXTERNAL)
    assert (taken.status_code, taken.json["reason"]) == (409, "external_id_taken")
    assert "player 1" in taken.json["detail"]
    assert len(events(realm)) == 1
    assert create(client).json["player_id"] == 2  # no id is lost
    elsewhere = client_of(settings_of(redis_server))
    assert create(elsewhere, external_id=EXTERNAL).status_code == 201


def test_a_player_is_found_by_its_external_id(client: FlaskClient) -> None:
    create(client)
    created = create(client, external_id=EXTERNAL).json
    found = client.get("/v1/players", query_string={"external_id": EXTERNAL}).json
    assert found == {"players": [created], "next_cursor": None}
    nobody = client.get("/v1/players", query_string={"external_id": "nobody"}).json
    assert nobody == {"players": [], "next_cursor": None}
    assert client.get("/v1/players", query_string={"external_id": "a\nb"}).status_code == 422


def test_the_original_route_takes_no_external_id(client: FlaskClient) -> None:
    assert client.put("/create_player", json={"external_id": EXTERNAL}).status_code == 422
    assert client.put("/create_player", json={"username": NAME}).text.endswith(f"with username = {NAME} created.\n")


# ---------------------------------------------------------------- renamed


def test_a_player_gets_another_username_by_an_event(client: FlaskClient, realm: Realm) -> None:
    create(client, username=NAME)
    answer = client.patch("/v1/players/1", json={"username": OTHER_NAME})
    assert answer.status_code == 200
    assert ((answer.json or {})["username"], (answer.json or {})["version"]) == (OTHER_NAME, 2)
    # to the name that it has: nothing to do
    assert client.patch("/v1/players/1", json={"username": OTHER_NAME}).json == answer.json
    created, renamed = events(realm)
    assert isinstance(created, PlayerCreated)
    assert isinstance(renamed, PlayerRenamed)
    assert (created.username, renamed.username, renamed.state.version) == (NAME, OTHER_NAME, 2)


def test_each_event_has_the_name_of_then_however_late_it_is_read(client: FlaskClient, realm: Realm) -> None:
    create(client, username="name-0")
    for number in range(1, 6):
        client.patch("/v1/players/1", json={"username": f"name-{number}"})
    assert [event.username for event in events(realm)] == [f"name-{number}" for number in range(6)]


@pytest.mark.parametrize("body", [{}, {"username": ""}, {"username": "a\nb"}, {"username": "x" * 65}, {"gold": 1}])
def test_what_is_no_username_is_refused(client: FlaskClient, body: dict[str, Any]) -> None:
    create(client)
    assert client.patch("/v1/players/1", json=body).status_code == 422
    assert client.patch("/v1/players/9", json={"username": "x"}).status_code == 404


# ---------------------------------------------------------------- forgotten


def play(client: FlaskClient) -> None:
    """Two players that have traded, offered and been renamed, and whose answers are kept."""
    create(client, "k", username=NAME, external_id=EXTERNAL)
    create(client, username="the other")
    client.patch("/v1/players/1", json={"username": OTHER_NAME})
    trade = {"player_1": {"player_id": 1, "gold": 5}, "player_2": {"player_id": 2}}
    assert client.post("/v1/trades", json=trade, headers={"Idempotency-Key": "t"}).status_code == 201
    refused = {**trade, "player_1": {"player_id": 1, "gold": 10**9}}
    assert client.post("/v1/trades", json=refused, headers={"Idempotency-Key": "r"}).status_code == 409
    for giver, taker in ((1, 2), (2, 1)):
        offer = {"player_1": {"player_id": giver, "gold": 3}, "player_2": {"player_id": taker}}
        assert client.post("/v1/offers", json=offer, headers={"Idempotency-Key": f"o{giver}"}).status_code == 201


def everything(realm: Realm, settings: Settings) -> bytes:
    """All that Redis holds of the realm."""
    held = b""
    for key in realm.redis.scan_iter(f"{{{settings.realm}}}*"):
        held += key + b" " + realm.redis.dump(key)
        match realm.redis.type(key):
            case b"hash":
                held += b" ".join(part for pair in realm.redis.hgetall(key).items() for part in pair)
            case b"stream":
                held += b" ".join(value for _, fields in realm.redis.xrange(key) for value in fields.values())
            case b"string":
                held += realm.redis.get(key)
            case b"set":
                held += b" ".join(realm.redis.smembers(key))
            case b"zset":
                held += b" ".join(realm.redis.zrange(key, 0, -1))
    return held


def test_nothing_in_redis_names_a_player_that_was_forgotten(
    client: FlaskClient, realm: Realm, settings: Settings
) -> None:
    play(client)
    assert all(name.encode() in everything(realm, settings) for name in (NAME, OTHER_NAME, EXTERNAL))
    assert client.delete("/v1/players/1").status_code == 200
    held = everything(realm, settings)
    assert not any(name.encode() in held for name in (NAME, OTHER_NAME, EXTERNAL))
    assert b"the other" in held
    # events that are read from now on do not name it, and say so
    created, _, renamed, *_ = events(realm)
    assert (created.username, created.external_id, renamed.username) == (None, None, None)


def test_the_account_is_closed_and_its_balance_stays(client: FlaskClient, realm: Realm) -> None:
    play(client)
    answer = client.delete("/v1/players/1")
    player = answer.json or {}
    assert (player["username"], player["closed"], "external_id" in player, "held" in player) == (
        None,
        True,
        False,
        False,
    )
    assert (player["gold"], player["inventory"]["current_capacity"]) == (495, 100)
    assert client.get("/v1/players", query_string={"external_id": EXTERNAL}).json["players"] == []  # type: ignore[index]
    trade = {"player_1": {"player_id": 2, "gold": 1}, "player_2": {"player_id": 1}}
    assert (client.post("/v1/trades", json=trade).json or {})["reason"] == "account_closed"
    assert (client.post("/v1/offers", json=trade).json or {})["reason"] == "account_closed"
    renamed = client.patch("/v1/players/1", json={"username": "x"})
    assert (renamed.status_code, (renamed.json or {})["reason"]) == (409, "account_closed")
    assert [event.player_id for event in events(realm) if isinstance(event, PlayerForgotten)] == [1]


def test_its_offers_end_made_and_received(client: FlaskClient, realm: Realm) -> None:
    play(client)
    client.delete("/v1/players/1")
    for name in ("o1", "o2"):
        assert (client.get(f"/v1/offers/{name}").json or {})["status"] == "account_closed"
        assert client.post(f"/v1/offers/{name}/accept").status_code == 409
    ended = [event for event in events(realm) if isinstance(event, OfferClosed)]
    assert {(event.offer_id, event.outcome) for event in ended} == {("o1", "account_closed"), ("o2", "account_closed")}
    assert "held" not in (client.get("/v1/players/2").json or {})


def test_more_offers_than_go_in_one_call_are_ended_by_the_relay(
    client: FlaskClient, realm: Realm, settings: Settings
) -> None:
    create(client)
    create(client)
    for _ in range(90):
        offer = {"player_1": {"player_id": 2, "gold": 1}, "player_2": {"player_id": 1}}
        assert client.post("/v1/offers", json=offer).status_code == 201
    client.delete("/v1/players/1")
    assert (client.get("/v1/players/2").json or {})["held"]["gold"] == 40
    store = Store(realm.redis, settings)
    assert not store.players.close_accounts(100)
    assert "held" not in (client.get("/v1/players/2").json or {})
    assert not store.players.close_accounts(100)


def test_to_forget_again_changes_nothing_and_is_no_error(client: FlaskClient, realm: Realm) -> None:
    play(client)
    first = client.delete("/v1/players/1")
    before = len(events(realm))
    again = client.delete("/v1/players/1")
    assert (again.status_code, again.json) == (200, first.json)
    assert len(events(realm)) == before
    assert client.delete("/v1/players/9").status_code == 404


def test_answers_of_before_are_given_without_the_name(client: FlaskClient) -> None:
    play(client)
    client.delete("/v1/players/1")
    trade = {"player_1": {"player_id": 1, "gold": 5}, "player_2": {"player_id": 2}}
    again = client.post("/v1/trades", json=trade, headers={"Idempotency-Key": "t"}).json or {}
    assert (again["player_1"]["username"], again["player_2"]["username"]) == (None, "the other")
    assert (client.get("/v1/trades/r").json or {})["player_1"]["username"] is None
    repeated = create(client, "k", username=NAME, external_id=EXTERNAL)
    assert (repeated.json["player_id"], repeated.json["username"]) == (1, None)


def test_its_tokens_are_taken_back_and_only_an_admin_may_forget(client: FlaskClient, redis_server: Redis) -> None:
    create(client)
    token = (client.post("/v1/players/1/tokens").json or {})["token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/v1/players/1", headers=headers).status_code == 200
    assert client.delete("/v1/players/1", headers=headers).status_code == 403
    client.delete("/v1/players/1")
    assert client.get("/v1/players/1", headers=headers).status_code == 401


def test_the_external_id_of_a_player_that_was_forgotten_may_be_given_again(client: FlaskClient) -> None:
    create(client, external_id=EXTERNAL)
    client.delete("/v1/players/1")
    assert create(client, external_id=EXTERNAL).json["player_id"] == 2
