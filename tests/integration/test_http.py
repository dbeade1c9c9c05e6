"""What callers of the engine see: both original routes as documented, v1, health, metrics, OpenAPI, errors."""

import re
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from openapi_schema_validator import OAS31Validator

from app.http import openapi
from app.http.app import create_app
from app.http.operations import OPERATIONS
from app.settings import Settings
from tests.conftest import client_of
from tests.economy import CLASSES, ITEMS


def test_the_original_route_answers_a_new_player_in_the_original_words(client: FlaskClient) -> None:
    answer = client.put("/create_player", json={"username": "bo", "player_class": "farmer"})
    assert (answer.status_code, answer.text.strip()) == (
        200,
        "New farmer (player_id = 1) with username = bo created.",
    )
    assert answer.content_type.startswith("text/plain")


@pytest.mark.parametrize("body", [b"", b"{}", b"  "])
def test_a_player_without_name_and_class_gets_both(client: FlaskClient, body: bytes) -> None:
    answer = client.put("/create_player", data=body, content_type="application/json")
    match = re.fullmatch(r"New (\w+) \(player_id = 1\) with username = player_1 created\.\n", answer.text)
    assert match
    assert match.group(1) in CLASSES


def test_the_original_route_answers_a_trade_with_both_new_states(client: FlaskClient) -> None:
    players: list[Any] = [client.post("/v1/players", json={"player_class": kind}).json for kind in ("farmer", "hunter")]
    items = [{"item_id": 5, "quantity": 2, "name": "Food Package", "level": 1, "value": 6}]
    given = ({"items_traded": items, "gold_traded": 0}, {"items_traded": [], "gold_traded": 9})
    sides = [{**player, **gives} for player, gives in zip(players, given, strict=True)]
    del sides[0]["version"], sides[1]["version"]
    answer = client.post("/trade", json={"player_1": sides[0], "player_2": sides[1]})
    assert answer.status_code == 200
    assert answer.json is not None
    assert set(answer.json) == {"player_1", "player_2", "trade_time"}
    assert answer.json["player_1"] == client.get("/v1/players/1").json
    assert answer.json["player_2"]["gold"] == 491
    held = answer.json["player_2"]["inventory"]["items"]
    assert {item["item_id"]: item["quantity"] for item in held} == {5: 2, 7: 450, 8: 449}


def test_a_trade_is_found_again_by_its_id(client: FlaskClient) -> None:
    for _ in range(2):
        client.post("/v1/players", json={"player_class": "farmer"})
    body = {"trade_id": "a.b-c:1", "player_1": {"player_id": 1, "gold": 1}, "player_2": {"player_id": 2}}
    made = client.post("/v1/trades", json=body)
    assert made.status_code == 201
    assert client.get("/v1/trades/a.b-c:1").json == made.json
    assert client.get("/v1/trades/other").status_code == 404


def test_players_are_listed_by_cursor_without_gap_or_repeat(client: FlaskClient) -> None:
    for _ in range(7):
        client.put("/create_player")
    seen: list[int] = []
    cursor: int | None = 0
    while cursor is not None:
        page: Any = client.get(f"/v1/players?cursor={cursor}&limit=3").json
        seen += [player["player_id"] for player in page["players"]]
        cursor = page["next_cursor"]
    assert seen == [1, 2, 3, 4, 5, 6, 7]


BAD_PAGES = ["limit=0", "limit=1001", "limit=x", "cursor=-1", "limit=1.0", "cursor=99999999999999999"]


@pytest.mark.parametrize("query", BAD_PAGES)
def test_a_bad_page_is_a_422(client: FlaskClient, query: str) -> None:
    assert client.get(f"/v1/players?{query}").status_code == 422


def test_the_catalog_and_the_classes_are_served(client: FlaskClient) -> None:
    items: Any = client.get("/v1/items").json
    classes: Any = client.get("/v1/classes").json
    assert [item["item_id"] for item in items["items"]] == list(ITEMS)
    assert [row["name"] for row in classes["classes"]] == list(CLASSES)


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/v1/players/9", 404, "not_found"),
        ("GET", "/nowhere", 404, "not_found"),
        ("PUT", "/v1/players/9", 405, "method_not_allowed"),
        ("POST", "/v1/players", 422, "unknown_class"),
    ],
)
def test_an_error_is_problem_json_with_its_reason(
    client: FlaskClient, method: str, path: str, status: int, reason: str
) -> None:
    answer = client.open(path, method=method, json={"player_class": "wizard"} if method == "POST" else None)
    assert answer.content_type == "application/problem+json"
    assert answer.json is not None
    assert (answer.status_code, answer.json["status"], answer.json["reason"]) == (status, status, reason)


def test_without_redis_every_command_is_a_503_with_retry_after(settings: Settings) -> None:
    lonely = client_of(replace(settings, redis_url="redis://127.0.0.1:1/0"))
    for answer in (lonely.put("/create_player"), lonely.get("/readyz"), lonely.get("/v1/players/1")):
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert (answer.json or {})["reason"] == "store_unavailable"
    assert lonely.get("/livez").status_code == 200


def test_a_full_outbox_is_a_503_before_anything_changes_and_reads_go_on(settings: Settings) -> None:
    narrow = client_of(replace(settings, outbox_max_events=3))
    assert [narrow.put("/create_player").status_code for _ in range(3)] == [200, 200, 503]
    ready = narrow.get("/readyz")
    assert (ready.status_code, (ready.json or {})["status"]) == (200, "outbox_full"), "reads stay in service"
    assert len((narrow.get("/v1/players").json or {})["players"]) == 2


def test_metrics_count_requests_and_trades(client: FlaskClient) -> None:
    client.put("/create_player")
    text = client.get("/metrics").text
    assert "haggle_sequence 2.0" in text
    assert "haggle_outbox_events 2.0" in text


def test_the_openapi_description_lists_exactly_the_routes_of_the_server(settings: Settings) -> None:
    rules = create_app(settings).url_map.iter_rules()
    served = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not rule.rule.startswith(("/docs", "/static", "/openapi.json", "/live/")) and rule.rule != "/live"
    }
    assert served == {(operation.path, operation.method.lower()) for operation in OPERATIONS}


def test_answers_fit_their_openapi_schemas(client: FlaskClient) -> None:
    document = openapi.description()
    made = client.post("/v1/players", json={"player_class": "farmer"})
    client.post("/v1/players", json={"player_class": "hunter"})
    body = {"player_1": {"player_id": 1, "gold": 1}, "player_2": {"player_id": 2}}
    answers = {
        ("/v1/players", "post"): made,
        ("/v1/players", "get"): client.get("/v1/players"),
        ("/v1/players/{player_id}", "get"): client.get("/v1/players/1"),
        ("/v1/trades", "post"): client.post("/v1/trades", json=body),
        ("/v1/items", "get"): client.get("/v1/items"),
        ("/v1/classes", "get"): client.get("/v1/classes"),
        ("/livez", "get"): client.get("/livez"),
        ("/readyz", "get"): client.get("/readyz"),
    }
    for (path, method), answer in answers.items():
        content = document["paths"][path][method]["responses"][str(answer.status_code)]["content"]
        schema = {**content[answer.content_type]["schema"], "components": document["components"]}
        assert list(OAS31Validator(schema).iter_errors(answer.json)) == []
