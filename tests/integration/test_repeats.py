"""Names that are used again leave a trace, since no event tells of them: a count by outcome, and who used them."""

from typing import Any

import pytest
from flask.testing import FlaskClient

TRADE = {"trade_id": "twice", "player_1": {"player_id": 1, "gold": 1}, "player_2": {"player_id": 2}}
OTHER = {"trade_id": "twice", "player_1": {"player_id": 1, "gold": 2}, "player_2": {"player_id": 2}}


@pytest.fixture
def players(client: FlaskClient) -> FlaskClient:
    for _ in range(2):
        client.post("/v1/players", json={"player_class": "farmer"})
    return client


def noted(caplog: pytest.LogCaptureFixture) -> list[tuple[str, list[str]]]:
    contexts: list[Any] = [
        vars(record)["context"] for record in caplog.records if record.getMessage() == "names were used again"
    ]
    return [(context["outcome"], context["names"]) for context in contexts]


def count(client: FlaskClient, outcome: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(
        float(line.split()[-1]) for line in lines if line.startswith(f'haggle_repeats_total{{outcome="{outcome}"')
    )


def test_a_trade_that_is_sent_again_is_counted_and_logged_once_each_time(
    players: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    before = count(players, "replayed")
    for _ in range(3):
        assert players.post("/v1/trades", json=TRADE).status_code == 201
    assert noted(caplog) == [("replayed", ["twice"])] * 2
    assert count(players, "replayed") == before + 2


def test_a_name_that_comes_with_other_content_is_noted_with_who_sent_it(
    players: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    before = count(players, "mismatch")
    players.post("/v1/trades", json=TRADE)
    assert players.post("/v1/trades", json=OTHER).status_code == 422
    assert noted(caplog) == [("mismatch", ["twice"])]
    assert count(players, "mismatch") == before + 1
    assert all(vars(record)["context"]["caller"] for record in caplog.records if "used again" in record.getMessage())


def test_each_repeat_of_a_batch_is_noted(players: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    players.post("/v1/trades", json=TRADE)
    fresh = {**TRADE, "trade_id": "fresh"}
    assert players.post("/v1/trades/batch", json={"mode": "independent", "trades": [TRADE, fresh]}).status_code == 200
    assert players.post("/v1/trades/batch", json={"mode": "independent", "trades": [OTHER, fresh]}).status_code == 200
    assert noted(caplog) == [("replayed", ["twice"]), ("replayed", ["fresh"]), ("mismatch", ["twice"])]


@pytest.mark.parametrize("route", ["/v1/offers", "/v1/adjustments", "/v1/players"])
def test_other_commands_that_are_sent_again_are_noted_too(
    players: FlaskClient, caplog: pytest.LogCaptureFixture, route: str
) -> None:
    bodies: dict[str, Any] = {
        "/v1/offers": {"player_1": {"player_id": 1, "gold": 1}, "player_2": {"player_id": 2}},
        "/v1/adjustments": {"player_id": 1, "gold": 5, "reason": "reward"},
        "/v1/players": {"player_class": "farmer"},
    }
    caplog.set_level("INFO")
    for _ in range(2):
        assert players.post(route, json=bodies[route], headers={"Idempotency-Key": "again"}).status_code == 201
    assert noted(caplog) == [("replayed", ["again"])]
