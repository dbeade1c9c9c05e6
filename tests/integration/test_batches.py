"""Batches as callers see them: a result each in order, all or nothing, repeats, and what a large one does to others."""

import threading
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.contract.events import decode_event
from app.contract.limits import MAX_BATCH
from app.contract.reasons import Problem
from app.domain import NewPlayer, Side, Trade
from app.errors import BatchContended, Unavailable
from app.settings import Settings
from app.store import Store
from app.store.functions import MOST_PER_CALL, Functions
from app.store.trades import Trades
from tests.conftest import Realm, client_of, die_before

GOOD = {"player_1": {"player_id": 1, "gold": 1}, "player_2": {"player_id": 2}}
TOO_DEAR = {"player_1": {"player_id": 1, "gold": 501}, "player_2": {"player_id": 2}}
MALFORMED = {"player_1": {"player_id": 1, "gold": -1}, "player_2": {"player_id": 2}}


@pytest.fixture(autouse=True)
def players(client: FlaskClient) -> None:
    """1 a farmer with 500 gold, 2 a banker."""
    for player_class in ("farmer", "banker"):
        client.post("/v1/players", json={"player_class": player_class})


def send(client: FlaskClient, trades: list[Any], mode: str = "independent", key: str = "b") -> Any:
    return client.post("/v1/trades/batch", json={"mode": mode, "trades": trades}, headers={"Idempotency-Key": key})


def statuses(answer: Any) -> list[tuple[str, str]]:
    return [(result["status"], result.get("reason", "")) for result in answer.json["results"]]


def gold(client: FlaskClient, player_id: int = 1) -> int:
    amount: int = (client.get(f"/v1/players/{player_id}").json or {})["gold"]
    return amount


def test_trades_of_an_independent_batch_are_decided_each_for_itself_in_order(client: FlaskClient, realm: Realm) -> None:
    answer = send(client, [GOOD, MALFORMED, TOO_DEAR, {**GOOD, "trade_id": "mine"}, "no trade"])
    assert statuses(answer) == [
        ("accepted", ""),
        ("invalid", "invalid_request"),
        ("rejected", "insufficient_gold"),
        ("accepted", ""),
        ("invalid", "invalid_request"),
    ]
    results = answer.json["results"]
    assert [result["trade_id"] for result in results] == ["b.0", "b.1", "b.2", "mine", "b.4"]
    assert "$.trades[1].player_1.gold" in results[1]["detail"]
    assert [result.get("sequence") for result in results] == [4, None, 5, 6, None]
    assert [decode_event(event).sequence for event in realm.events()] == [1, 2, 3, 4, 5, 6]
    assert (client.get("/v1/trades/mine").json or {})["trade"]["sequence"] == 6


def test_a_repeated_batch_has_one_effect_and_says_so_for_each_trade(client: FlaskClient, realm: Realm) -> None:
    first = send(client, [GOOD, TOO_DEAR])
    after = realm.snapshot()
    again = send(client, [GOOD, TOO_DEAR, GOOD])
    assert [result["replayed"] for result in again.json["results"]] == [True, True, False]
    assert statuses(again)[:2] == statuses(first)
    assert len(realm.events()) == len(after["events"]) + 1
    other = send(client, [TOO_DEAR])
    assert statuses(other) == [("invalid", "idempotency_mismatch")]


def test_a_trade_id_that_stands_twice_in_a_batch_has_one_effect(client: FlaskClient) -> None:
    twin = {**GOOD, "trade_id": "twin"}
    assert statuses(send(client, [twin, twin])) == [("accepted", "")] * 2
    assert gold(client) == 499
    assert send(client, [twin, twin], "all_or_nothing").status_code == 422


@pytest.mark.parametrize("size", [3, 128, 129, 1_000])
def test_all_or_nothing_accepts_all_or_nothing(client: FlaskClient, realm: Realm, size: int) -> None:
    there_and_back = {"player_1": {"player_id": 1, "gold": 1}, "player_2": {"player_id": 2, "gold": 1}}
    trades: list[Any] = [there_and_back] * size
    assert set(statuses(send(client, trades, "all_or_nothing", "good"))) == {("accepted", "")}
    before = realm.states()
    refused = send(client, [*trades[:-1], TOO_DEAR], "all_or_nothing", "bad")
    assert statuses(refused) == [("rejected", "batch_refused")] * (size - 1) + [("rejected", "insufficient_gold")]
    assert realm.states() == before
    again = send(client, [*trades[:-1], TOO_DEAR], "all_or_nothing", "bad")
    assert statuses(again) == statuses(refused)
    assert all(result["replayed"] for result in again.json["results"])
    invalid = send(client, [*trades[:-1], MALFORMED], "all_or_nothing", "invalid")
    assert (invalid.status_code, realm.states()) == (422, before)
    assert [decode_event(event).sequence for event in realm.events()] == list(range(1, 2 * size + 4))


@pytest.mark.parametrize("mode", ["independent", "all_or_nothing"])
def test_the_largest_batch_is_decided_and_a_larger_one_refused(client: FlaskClient, mode: str) -> None:
    there_and_back = {"player_1": {"player_id": 1, "gold": 1}, "player_2": {"player_id": 2, "gold": 1}}
    assert set(statuses(send(client, [there_and_back] * MAX_BATCH, mode))) == {("accepted", "")}
    assert send(client, [there_and_back] * (MAX_BATCH + 1), mode).status_code == 422
    assert send(client, [], mode).status_code == 422
    assert send(client, [GOOD], "some").status_code == 422


def test_a_batch_of_which_one_trade_was_accepted_before_is_not_decided_together(client: FlaskClient) -> None:
    client.post("/v1/trades", json={**GOOD, "trade_id": "b.1"})
    for size in (2, 200):
        answer = send(client, [GOOD] * size, "all_or_nothing")
        assert (answer.status_code, answer.json["reason"]) == (422, "idempotency_mismatch")
    assert gold(client) == 499


def test_what_is_left_when_redis_goes_away_in_a_batch_is_undecided_and_can_be_sent_again(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    decide_each = Trades.decide_each

    def fail_later(self: Trades, trades: Any) -> Any:
        calls.append(len(trades))
        if len(calls) == 2:
            raise Unavailable(Problem.STORE_UNAVAILABLE, "gone")
        return decide_each(self, trades)

    monkeypatch.setattr(Trades, "decide_each", fail_later)
    first = send(client, [GOOD] * 300)
    assert [statuses(first)[place] for place in (0, 127, 128, 255, 256)] == [
        ("accepted", ""),
        ("accepted", ""),
        ("undecided", "store_unavailable"),
        ("undecided", "store_unavailable"),
        ("accepted", ""),
    ]
    assert set(statuses(send(client, [GOOD] * 300))) == {("accepted", "")}
    assert gold(client) == 200


# ---------------------------------------------------------------- large batches, which are staged


def swaps(count: int) -> list[Trade]:
    return [Trade(f"s.{number}", Side(1, 1, {}), Side(2, 1, {})) for number in range(count)]


def store_of(settings: Settings) -> Store:
    return client_of(settings).application.extensions["haggle"].store  # type: ignore[no-any-return]


def test_a_staged_batch_gives_way_to_a_trade_in_between_and_starts_again(
    settings: Settings, realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = store_of(settings), store_of(settings)
    real = Functions.call
    commits: list[str] = []

    def interfere(self: Functions, function: str, *arguments: Any) -> Any:
        if function == "commit" and not commits:
            commits.append(function)
            other.trades.decide(Trade("between", Side(1, 100, {}), Side(2, 0, {})))
        return real(self, function, *arguments)

    monkeypatch.setattr(Functions, "call", interfere)
    results = store.batches.decide(swaps(300))
    assert {(result.status, result.reason) for result in results} == {("decided", "")}
    assert results[0].sequence == 5
    assert [decode_event(event).sequence for event in realm.events()] == list(range(1, 305))
    assert realm.states()[1]["gold"] == 400


def test_reading_the_players_of_an_open_batch_does_not_disturb_it(
    settings: Settings, client: FlaskClient, realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, real = store_of(settings), Functions.call
    seen: list[Any] = []

    def look(self: Functions, function: str, *arguments: Any) -> Any:
        if function == "commit":
            seen.append((gold(client), client.get("/v1/trades/s.0").status_code))
        return real(self, function, *arguments)

    monkeypatch.setattr(Functions, "call", look)
    trades = [Trade(f"s.{number}", Side(1, 1, {}), Side(2, 0, {})) for number in range(300)]
    assert {result.status for result in store.batches.decide(trades)} == {"decided"}
    assert seen == [(500, 404)]
    assert (gold(client), realm.states()[1]["batch"]) == (200, False)


def test_a_batch_that_others_always_disturb_is_a_503_without_effect(
    settings: Settings, realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other, real = store_of(settings), store_of(settings), Functions.call
    number = iter(range(100))

    def interfere(self: Functions, function: str, *arguments: Any) -> Any:
        if function == "commit":
            other.trades.decide(Trade(f"between-{next(number)}", Side(1, 1, {}), Side(2, 0, {})))
        return real(self, function, *arguments)

    monkeypatch.setattr(Functions, "call", interfere)
    with pytest.raises(BatchContended):
        store.batches.decide(swaps(300))
    assert realm.states()[1]["gold"] == 500 - next(number)
    assert store.trades.find("s.0") is None


def test_a_committed_batch_is_seen_whole_before_it_is_finished_and_by_its_repeats(
    settings: Settings, client: FlaskClient, realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(settings)
    die_before("finish_batch", monkeypatch)
    trades = [Trade(f"s.{number}", Side(1, 1, {}), Side(2, 0, {})) for number in range(200)]
    store.batches.decide(trades)
    assert gold(client, 1) == 300
    assert client.get("/v1/trades/s.7").json["trade"]["sequence"] == 11  # type: ignore[index]
    assert client.post("/v1/trades", json=GOOD).status_code == 201
    assert gold(client, 1) == 299
    assert {result.status for result in store.batches.decide(trades)} == {"replayed"}
    assert (gold(client, 1), len(realm.events())) == (299, 204)


def test_a_batch_given_up_half_way_leaves_no_trace(
    settings: Settings, client: FlaskClient, realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(settings)
    die_before("commit", monkeypatch)
    with pytest.raises(Unavailable):
        store.batches.decide(swaps(200))
    monkeypatch.undo()
    assert (gold(client, 1), store.trades.find("s.0"), len(realm.events())) == (500, None, 3)
    assert {result.status for result in store.batches.decide(swaps(200))} == {"decided"}


def test_other_commands_are_answered_while_the_largest_batch_is_decided(settings: Settings) -> None:
    """Redis is asked all the while; how long each answer takes is measured by `make bench`."""
    store, other = store_of(settings), store_of(settings)
    answered = 0
    for _ in range(100):
        store.players.create(NewPlayer("farmer"))
    spread = [Trade(f"w.{n}", Side(3 + n % 50, 1, {}), Side(53 + n % 50, 1, {})) for n in range(MAX_BATCH)]
    batch = threading.Thread(target=store.batches.decide, args=(spread,))
    batch.start()
    while batch.is_alive():
        assert other.players.find(1)
        answered += 1
    batch.join()
    assert answered > MAX_BATCH / MOST_PER_CALL / 4
