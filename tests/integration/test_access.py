"""Who may do what: service keys, player tokens, their rotation, rate limits, and the switches that open the engine."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from flask.testing import FlaskClient

from app.auth import Scope
from app.errors import SettingsError
from app.http.app import create_app
from app.http.operations import OPERATIONS, Access
from app.settings import Settings
from tests.conftest import SERVICE_KEY, TOKEN_KEY, Realm, Redis, client_of, settings_of

OTHER_KEY = "another-service-key-of-the-tests"


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


@pytest.fixture
def tokens(client: FlaskClient) -> list[str]:
    """The tokens of players 1 to 3, in that order; the first stands for nobody."""
    for player_class in ("farmer", "banker", "warrior"):
        client.post("/v1/players", json={"player_class": player_class})
    return ["", *((client.post(f"/v1/players/{player}/tokens").json or {})["token"] for player in (1, 2, 3))]


def offer(client: FlaskClient, maker: int = 1, headers: Any = None) -> Any:
    body = {"player_1": {"player_id": maker, "gold": 5}, "player_2": {"player_id": 2, "gold": 7}}
    return client.post("/v1/offers", json=body, headers=headers)


PROTECTED = [operation for operation in OPERATIONS if operation.access is not Access.ANYONE]


@pytest.mark.parametrize("operation", PROTECTED, ids=lambda operation: f"{operation.method} {operation.path}")
@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic Og==", "Bearer", "Bearer \xff"])
def test_without_a_valid_key_a_protected_route_is_a_401(settings: Settings, operation: Any, header: str | None) -> None:
    path = operation.path.replace("{player_id}", "1").replace("{trade_id}", "t").replace("{offer_id}", "o")
    headers = {} if header is None else {"Authorization": header}
    answer = create_app(settings).test_client().open(path, method=operation.method, headers=headers)
    assert (answer.status_code, (answer.json or {})["reason"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


FOR_PLAYERS = [operation for operation in PROTECTED if operation.access is not Access.PLAYER]


@pytest.mark.parametrize("operation", FOR_PLAYERS, ids=lambda operation: f"{operation.method} {operation.path}")
def test_a_player_may_not_use_what_is_for_the_game_server(
    client: FlaskClient, tokens: list[str], operation: Any
) -> None:
    path = operation.path.replace("{player_id}", "1").replace("{trade_id}", "t")
    answer = client.open(path, method=operation.method, headers=bearer(tokens[1]))
    assert (answer.status_code, (answer.json or {})["reason"]) == (403, "forbidden")


@pytest.mark.parametrize("operation", PROTECTED, ids=lambda operation: f"{operation.method} {operation.path}")
def test_a_service_key_may_do_what_its_scope_says(redis_server: Redis, operation: Any) -> None:
    keys = {
        Scope.READ: "a-key-that-may-read-only", Scope.TRADE: "a-key-that-may-trade-too",
        Scope.ADJUST: "a-key-that-may-adjust-too", Scope.REPORT: "a-key-that-may-report-too", Scope.ADMIN: SERVICE_KEY,
    }  # fmt: skip
    own = {f"{scope.name}_KEYS": key for scope, key in keys.items() if scope is not Scope.ADMIN}
    where = settings_of(redis_server, **own)
    path = operation.path.replace("{player_id}", "1").replace("{trade_id}", "t").replace("{offer_id}", "o")
    answers = {
        scope: create_app(where).test_client().open(path, method=operation.method, headers=bearer(key))
        for scope, key in keys.items()
    }
    may = {scope for scope, answer in answers.items() if answer.status_code != 403}
    # all may read, and admins everything
    assert may == set(Scope) if operation.scope is Scope.READ else may == {operation.scope, Scope.ADMIN}


def test_to_read_to_trade_to_adjust_and_to_issue_tokens_are_four_scopes() -> None:
    paths = {
        "/v1/items": Scope.READ,
        "/v1/trades": Scope.TRADE,
        "/v1/adjustments": Scope.ADJUST,
        "/v1/players/{player_id}/tokens": Scope.ADMIN,
    }
    assert {path: {each.scope for each in OPERATIONS if each.path == path} for path in paths} == {
        path: {scope} for path, scope in paths.items()
    }


def test_a_player_sees_its_own_state_trades_and_offers_and_nobody_elses(client: FlaskClient, tokens: list[str]) -> None:
    for path in ("/v1/players/{}", "/v1/players/{}/trades", "/v1/players/{}/offers"):
        statuses = [client.get(path.format(player), headers=bearer(tokens[1])).status_code for player in (1, 2, 99)]
        assert statuses == [200, 403, 403]


def test_a_player_acts_on_its_own_offers_only(client: FlaskClient, realm: Realm, tokens: list[str]) -> None:
    assert offer(client, maker=1, headers=bearer(tokens[3])).status_code == 403
    made = offer(client, maker=1, headers=bearer(tokens[1])).json["offer"]["offer_id"]
    before = realm.snapshot()
    for action, player in [("cancel", 2), ("accept", 1), ("decline", 1)]:
        assert client.post(f"/v1/offers/{made}/{action}", headers=bearer(tokens[player])).status_code == 403
    assert realm.snapshot() == before
    assert client.get(f"/v1/offers/{made}", headers=bearer(tokens[2])).status_code == 200
    assert client.post(f"/v1/offers/{made}/accept", headers=bearer(tokens[2])).status_code == 201


@pytest.mark.parametrize("status", ["open", "cancelled"])
def test_a_stranger_is_told_the_same_of_an_offer_as_of_one_that_there_is_not(
    client: FlaskClient, realm: Realm, tokens: list[str], status: str
) -> None:
    made = offer(client, maker=1).json["offer"]["offer_id"]
    if status == "cancelled":
        client.post(f"/v1/offers/{made}/cancel")
    before = realm.snapshot()
    for method, action in [("GET", ""), ("POST", "/accept"), ("POST", "/decline"), ("POST", "/cancel")]:
        told = [
            client.open(f"/v1/offers/{offer_id}{action}", method=method, headers=bearer(tokens[3]))
            for offer_id in (made, "nothing")
        ]
        assert [answer.status_code for answer in told] == [404, 404]
        assert told[0].text.replace(made, "nothing") == told[1].text
    assert realm.snapshot() == before


def test_a_player_sees_its_own_state_after_a_trade_or_an_offer_and_nobody_elses(
    client: FlaskClient, tokens: list[str]
) -> None:
    made = [offer(client, maker=1, headers=bearer(tokens[1])).json for _ in range(2)]
    assert [answer["player_1"]["player_id"] for answer in made] == [1, 1]
    first, second = (answer["offer"]["offer_id"] for answer in made)
    accepted = client.post(f"/v1/offers/{first}/accept", headers=bearer(tokens[2])).json or {}
    assert (accepted["player_1"], accepted["player_2"]["player_id"]) == (None, 2)
    for _ in range(2):
        declined = client.post(f"/v1/offers/{second}/decline", headers=bearer(tokens[2])).json or {}
        assert (declined["offer"]["status"], declined["player_1"]) == ("declined", None)
    for_the_game = client.post(f"/v1/offers/{second}/decline").json or {}
    assert for_the_game["player_1"]["player_id"] == 1


def test_what_a_player_calls_its_offers_and_trades_takes_no_name_from_the_game_server_or_other_players(
    client: FlaskClient, tokens: list[str]
) -> None:
    body = {"player_1": {"player_id": 1, "gold": 5}, "player_2": {"player_id": 2, "gold": 7}, "offer_id": "name"}
    own = [client.post("/v1/offers", json=body, headers=bearer(tokens[1])) for _ in range(2)]
    assert [answer.headers.get("Idempotent-Replayed") for answer in own] == [None, "true"]
    assert {(answer.json or {})["offer"]["offer_id"] for answer in own} == {"1~name"}
    taken = {"player_1": {"player_id": 2, "gold": 1}, "player_2": {"player_id": 3}, "offer_id": "name"}
    for headers, name in [(bearer(tokens[2]), "2~name"), (None, "name")]:
        answer = client.post("/v1/offers", json=taken, headers=headers)
        assert (answer.status_code, (answer.json or {})["offer"]["offer_id"]) == (201, name)
    named = {**bearer(tokens[2]), "Idempotency-Key": "trade"}
    accepted = client.post("/v1/offers/1~name/accept", headers=named).json or {}
    assert accepted["trade"]["trade_id"] == "2~trade"
    trade = {"player_1": {"player_id": 1, "gold": 1}, "player_2": {"player_id": 3}, "trade_id": "trade"}
    assert client.post("/v1/trades", json=trade).status_code == 201
    assert client.post("/v1/trades", json={**trade, "trade_id": "2~trade"}).status_code == 422


def forged(claims: dict[str, Any], key: str = TOKEN_KEY, **header: Any) -> str:
    now = datetime.now(UTC)
    usual: dict[str, Any] = {"sub": "1", "iat": now, "exp": now + timedelta(minutes=5)}
    return jwt.encode({**usual, **claims}, key, **header)


def test_a_token_that_is_forged_expired_or_of_another_realm_is_refused(
    client: FlaskClient, settings: Settings, tokens: list[str]
) -> None:
    key_id = jwt.get_unverified_header(tokens[1])["kid"]
    audience, past = {"aud": settings.realm}, datetime.now(UTC) - timedelta(seconds=1)
    header, claims, _ = tokens[1].split(".")
    bad = {
        "another key": forged(audience, "k" * 40, headers={"kid": key_id}),
        "an unknown key": forged(audience, headers={"kid": "nobody"}),
        "no key id": forged(audience),
        "no signature": jwt.encode({"sub": "1", **audience}, None, algorithm="none", headers={"kid": key_id}),
        "signature cut off": f"{header}.{claims}.",
        "expired": forged({**audience, "exp": past}, headers={"kid": key_id}),
        "never expires": jwt.encode({"sub": "1", **audience}, TOKEN_KEY, headers={"kid": key_id}),
        "another realm": forged({"aud": "other"}, headers={"kid": key_id}),
        "no realm": forged({}, headers={"kid": key_id}),
        "no player": forged({**audience, "sub": "everyone"}, headers={"kid": key_id}),
    }
    assert client.get("/v1/players/1", headers=bearer(tokens[1])).status_code == 200
    statuses = {name: client.get("/v1/players/1", headers=bearer(token)).status_code for name, token in bad.items()}
    assert statuses == dict.fromkeys(bad, 401)


def test_keys_are_rotated_without_a_request_refused(settings: Settings, client: FlaskClient, tokens: list[str]) -> None:
    new_token_key = "a-newer-token-key-of-the-tests-that-is-long-enough"
    both = replace(settings, service_keys=f"{OTHER_KEY},{SERVICE_KEY}", token_keys=f"{new_token_key},{TOKEN_KEY}")
    during, after = client_of(both), client_of(replace(both, service_keys=OTHER_KEY, token_keys=new_token_key))
    for key in (SERVICE_KEY, OTHER_KEY):
        assert during.get("/v1/players/1", headers=bearer(key)).status_code == 200
    newer = (during.post("/v1/players/1/tokens").json or {})["token"]
    assert [during.get("/v1/players/1", headers=bearer(token)).status_code for token in (tokens[1], newer)] == [200] * 2
    assert after.get("/v1/players/1", headers=bearer(newer)).status_code == 200
    assert [after.get("/v1/players/1", headers=bearer(old)).status_code for old in (SERVICE_KEY, tokens[1])] == [
        401
    ] * 2


BAD_KEYS = [
    ({"service_keys": ""}, "SERVICE_KEYS is missing"),
    ({"token_keys": ""}, "TOKEN_KEYS is missing"),
    ({"service_keys": "short"}, "fewer than 16"),
    ({"token_keys": "k" * 31}, "fewer than 32"),
]


@pytest.mark.parametrize(("change", "words"), BAD_KEYS)
def test_the_engine_does_not_start_without_good_keys(settings: Settings, change: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        create_app(replace(settings, **change))


def test_switched_off_authentication_lets_everyone_in_and_says_so_loudly(
    redis_server: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    where = settings_of(redis_server, AUTHENTICATION="off", SERVICE_KEYS="", TOKEN_KEYS="")
    anyone = create_app(where).test_client()
    assert "authentication is off" in capsys.readouterr().err
    assert anyone.post("/v1/players").status_code == 201
    assert anyone.get("/v1/players/1").status_code == 200


def test_the_original_routes_need_the_key_unless_they_are_switched_open(redis_server: Redis) -> None:
    closed, opened = settings_of(redis_server), settings_of(redis_server, ORIGINAL_ROUTES="open")
    assert create_app(closed).test_client().put("/create_player").status_code == 401
    assert client_of(closed).put("/create_player").status_code == 200
    anyone = create_app(opened).test_client()
    assert anyone.put("/create_player").status_code == 200
    assert anyone.post("/v1/players").status_code == 401


def test_a_caller_beyond_its_rate_gets_429_with_the_time_to_wait_and_others_do_not(redis_server: Redis) -> None:
    where = settings_of(redis_server, PLAYER_RATE="3", SERVICE_RATE="100")
    server = client_of(where)
    for _ in range(2):
        server.post("/v1/players")
    tokens = [(server.post(f"/v1/players/{player}/tokens").json or {})["token"] for player in (1, 2)]
    # another engine counts in the same place; a new minute may begin in between
    engines = [client_of(where), client_of(where)]
    answers = [engines[turn % 2].get("/v1/players/1", headers=bearer(tokens[0])) for turn in range(8)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 2
    assert all((answer.json or {})["reason"] == "rate_limited" for answer in refused)
    assert all(1 <= int(answer.headers["Retry-After"]) <= 60 for answer in refused)
    assert answers[0].headers["RateLimit-Policy"] == '"player";q=3;w=60'
    assert answers[0].headers["RateLimit"].startswith('"player";r=2;t=')
    other = server.get("/v1/players/2", headers=bearer(tokens[1]))
    assert other.status_code == 200
    assert server.get("/v1/players/1").headers["RateLimit-Policy"] == '"service";q=100;w=60'


def test_a_player_may_send_so_many_bytes_a_minute(redis_server: Redis) -> None:
    server = client_of(settings_of(redis_server, PLAYER_RATE_BYTES="1000"))
    for _ in range(2):
        server.post("/v1/players")
    token = (server.post("/v1/players/1/tokens").json or {})["token"]
    statuses = [offer(server, headers=bearer(token)).status_code for _ in range(20)]
    assert (statuses[0], statuses[-1]) == (201, 429)
    assert set(statuses) == {201, 429}
    assert server.get("/v1/players/1", headers=bearer(token)).status_code == 200
    assert offer(server).status_code == 201


def test_a_request_beyond_the_rate_writes_nothing_to_disk(redis_server: Redis) -> None:
    where = settings_of(redis_server, PLAYER_RATE="1")
    server, realm = client_of(where), Realm(where)
    server.post("/v1/players")
    token = (server.post("/v1/players/1/tokens").json or {})["token"]
    assert server.get("/v1/players/1", headers=bearer(token)).status_code == 200

    def written_bytes() -> int:
        written: int = realm.redis.info("persistence")["aof_current_size"]
        return written

    before = written_bytes()
    statuses = {server.get("/v1/players/1", headers=bearer(token)).status_code for _ in range(100)}
    assert (statuses, written_bytes()) == ({429}, before)


def test_while_redis_is_full_a_player_may_still_read(redis_server: Redis) -> None:
    where = settings_of(redis_server)
    server, realm = client_of(where), Realm(where)
    server.post("/v1/players")
    token = (server.post("/v1/players/1/tokens").json or {})["token"]
    realm.redis.config_set("maxmemory", 1)
    try:
        assert server.get("/v1/players/1", headers=bearer(token)).status_code == 200
        assert offer(server, headers=bearer(token)).status_code == 503
    finally:
        realm.redis.config_set("maxmemory", 0)


def test_the_tokens_of_one_player_are_taken_back_and_a_new_one_is_good(client: FlaskClient, tokens: list[str]) -> None:
    assert client.delete("/v1/players/1/tokens", headers=bearer(tokens[1])).status_code == 403
    assert client.delete("/v1/players/99/tokens").status_code == 404
    assert client.delete("/v1/players/1/tokens").json == {"player_id": 1}
    assert client.get("/v1/players/1", headers=bearer(tokens[1])).status_code == 401
    assert client.get("/v1/players/2", headers=bearer(tokens[2])).status_code == 200
    newer = (client.post("/v1/players/1/tokens").json or {})["token"]
    assert client.get("/v1/players/1", headers=bearer(newer)).status_code == 200


def test_the_log_says_for_whom_a_token_was_issued_and_that_a_key_is_used(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for _ in range(2):
        client.post("/v1/players")
        client.post("/v1/players/1/tokens")
    client.delete("/v1/players/1/tokens")
    said = [
        (record.getMessage(), record.context)
        for record in caplog.records
        if hasattr(record, "context") and record.name != "app.store.catalog"
    ]
    who = said[0][1]["caller"]
    assert who.startswith("service:")
    issued = ("a token was issued", {"player_id": 1, "caller": who})
    assert said == [
        ("a service key is used", {"caller": who, "scope": "read, trade, adjust, report, admin"}),
        issued,
        issued,
        ("tokens were taken back", {"player_id": 1, "caller": who}),
    ]


def test_a_cursor_tells_a_player_nothing_of_the_trades_of_others(client: FlaskClient, tokens: list[str]) -> None:
    for _ in range(2):
        client.post("/v1/trades", json={"player_1": {"player_id": 2, "gold": 1}, "player_2": {"player_id": 3}})
    newest = (client.get("/v1/players/2/trades?limit=1").json or {})["next_cursor"]
    assert newest is not None
    told = client.get(f"/v1/players/1/trades?cursor={newest}", headers=bearer(tokens[1]))
    assert told.json == {"trades": [], "next_cursor": None}


def test_an_address_without_a_valid_key_gets_429_beyond_its_rate_and_valid_keys_do_not(redis_server: Redis) -> None:
    server = client_of(settings_of(redis_server, STRANGER_RATE="3"))
    strangers = [server.get("/v1/players", headers=bearer("guess")).status_code for _ in range(5)]
    assert strangers == [401, 401, 401, 429, 429]
    refused = server.get("/v1/items")
    assert (refused.status_code, (refused.json or {})["reason"]) == (429, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert server.get("/v1/players").status_code == 200
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    assert server.get("/v1/items", environ_overrides=elsewhere).status_code == 200


def test_what_a_trusted_proxy_says_of_its_callers_is_believed_and_others_are_not(redis_server: Redis) -> None:
    def statuses(server: FlaskClient) -> list[int]:
        callers = [{"X-Forwarded-For": f"192.0.2.{last}"} for last in (1, 2, 3)]
        return [server.get("/v1/items", headers=headers).status_code for headers in callers]

    believed = client_of(settings_of(redis_server, STRANGER_RATE="1", TRUSTED_PROXIES="10.0.0.0/8, 127.0.0.1"))
    assert statuses(believed) == [200, 200, 200]
    assert statuses(client_of(settings_of(redis_server, STRANGER_RATE="1"))) == [200, 429, 429]
    with pytest.raises(SettingsError, match="TRUSTED_PROXIES"):
        create_app(settings_of(redis_server, TRUSTED_PROXIES="10.0.0.0/8,nobody"))


def test_a_token_that_was_taken_back_uses_up_nothing_of_what_its_player_may_send(redis_server: Redis) -> None:
    server = client_of(settings_of(redis_server, PLAYER_RATE="3"))
    server.post("/v1/players")
    stolen = (server.post("/v1/players/1/tokens").json or {})["token"]
    server.delete("/v1/players/1/tokens")
    assert {server.get("/v1/players/1", headers=bearer(stolen)).status_code for _ in range(5)} == {401}
    newer = (server.post("/v1/players/1/tokens").json or {})["token"]
    assert server.get("/v1/players/1", headers=bearer(newer)).status_code == 200


def test_a_player_cannot_ask_which_version_another_one_is_in(client: FlaskClient, tokens: list[str]) -> None:
    body = {"player_1": {"player_id": 1, "gold": 5}, "player_2": {"player_id": 2, "gold": 7}}
    named = {**body, "player_2": {**body["player_2"], "version": 1}}
    statuses = [
        client.post("/v1/offers", json=named, headers=bearer(tokens[1])).status_code,
        client.post("/v1/offers", json=body, headers={**bearer(tokens[1]), "If-Match": '"2.1"'}).status_code,
    ]
    assert statuses == [403, 403]
    own = {**bearer(tokens[1]), "If-Match": '"1.1"'}
    assert client.post("/v1/offers", json=body, headers=own).status_code == 201
    assert client.post("/v1/offers", json=named).status_code == 201


def test_a_body_of_a_player_is_no_larger_than_its_bytes_of_a_minute(redis_server: Redis) -> None:
    server = client_of(settings_of(redis_server, PLAYER_RATE_BYTES="1000"))
    server.post("/v1/players")
    token = (server.post("/v1/players/1/tokens").json or {})["token"]
    assert server.post("/v1/offers", data=b" " * 1001, headers=bearer(token)).status_code == 413
    assert server.post("/v1/offers", data=b" " * 1001).status_code == 400
