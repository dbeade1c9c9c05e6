"""The whole pipeline on real servers: a trade in by HTTP, its row out of Trino; and what survives kill -9."""

import json
from typing import Any

import msgspec
import pytest
import requests
from kafka import KafkaProducer

from app.adapters.kafka import realm_partition
from app.adapters.redis import Keys, connect
from app.settings import Settings
from jobs.embedded.stack import Stack
from jobs.engine import headers, post
from jobs.lake.audit import audit, wait_until_queryable
from jobs.lake.trino import Lake
from jobs.simulate.run import Order
from tests.conftest import FIELDS, wait_until
from tests.playing import TIMEOUT_S, exact, failed, kill_9, play

pytestmark = pytest.mark.stack


def test_a_trade_posted_over_http_comes_out_of_trino_by_its_id(stack: Stack) -> None:
    settings = stack.settings()
    for player_class in ("farmer", "banker"):
        requests.put(f"{settings.engine_url}/create_player", json={"player_class": player_class}, timeout=5)
    sides = [{"player_id": 1, "items": [{"item_id": 5, "quantity": 3}]}, {"player_id": 2, "gold": 18}]
    body = {"trade_id": "end-to-end", "player_1": sides[0], "player_2": sides[1]}
    statuses = [
        requests.post(f"{settings.engine_url}/v1/trades", json=body, headers=key, timeout=5).status_code
        for key in ({}, headers(settings))
    ]
    assert statuses == [401, 201]
    sql = "select status, player_1_item_value, player_2_gold from lake.haggle.trades where trade_id = ?"
    found = wait_until(lambda: Lake(settings).run(sql, ("end-to-end",)).rows, 60)
    assert found == [["accepted", 18, 18]]


def test_a_table_of_an_earlier_version_gets_the_column_that_it_lacks(stack: Stack) -> None:
    """Runs before the first offer: what the column held is gone."""
    settings = stack.settings()
    Lake(settings).run("alter table lake.haggle.trades drop column offer_id")
    kill_9(stack, "streams")
    assert play(settings, Order(players=2, trades=0, offers=9)).offers["accept"]
    assert failed(exact(settings)) == []


def test_a_simulation_is_queryable_and_the_audit_exact(stack: Stack) -> None:
    settings = stack.settings()
    outcome = play(settings, Order(players=50, trades=500, offers=60, seed=3))
    assert (outcome.accepted, outcome.refused.total()) == (500, 0)
    assert set(outcome.offers) == {"accept", "decline", "cancel"}
    sides = {"player_1": {"player_id": 1, "items": [{"item_id": 5, "quantity": 2}]}, "player_2": {"player_id": 2}}
    post(settings, "/v1/offers", {"offer_id": "left-open", **sides})
    checks = exact(settings)
    assert failed(checks) == []
    assert "1 amounts of 1 players" in next(check.seen for check in checks if check.name == "held by offers")


def test_a_record_that_is_not_an_event_is_kept_as_a_dead_letter_and_stops_nothing(stack: Stack) -> None:
    settings = stack.settings()
    send(settings, b"not an event", b"{}")
    play(settings, Order(players=2, trades=5, seed=5))
    assert failed(exact(settings)) == []
    sql = "select reason, value from lake.haggle.dead_letters where topic = ? order by reason"
    expected = [["invalid_json", b"not an event"], ["unknown_event_type", b"{}"]]
    wait_until(lambda: Lake(settings).run(sql, (settings.kafka_topic,)).rows == expected, 60)


def send(settings: Settings, *values: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers.split(","))
    partition = realm_partition(settings.realm, settings.kafka_partitions)
    for value in values:
        producer.send(settings.kafka_topic, key=settings.realm.encode(), value=value, partition=partition)
    producer.flush()
    producer.close()


def test_data_survives_down_and_up(stack: Stack) -> None:
    before = exact(stack.settings())
    stack.down()
    assert not stack.is_running
    stack.up(lambda _name, _state: None)
    assert exact(stack.settings()) == before
    assert failed(before) == []


@pytest.mark.parametrize(
    ("field", "noticed"), [("gold", ["balances", "conservation"]), ("held_gold", ["held by offers"])]
)
def test_the_audit_notices_gold_that_appears_in_redis(stack: Stack, field: str, noticed: list[str]) -> None:
    settings = stack.settings()
    client: Any = connect(settings)
    key = Keys(settings.realm).player(1)
    stored = client.get(key)
    state = msgspec.msgpack.decode(stored)
    state[FIELDS.index(field)] += 1
    client.set(key, msgspec.msgpack.encode(state))
    try:
        names = [check.name for check in audit(settings) if not check.ok]
    finally:
        client.set(key, stored)
    assert names == noticed


def test_the_audit_notices_an_event_that_stands_twice_in_kafka(stack: Stack) -> None:
    """The last test on this stack: what it does to the topic cannot be undone."""
    settings = stack.settings()
    client: Any = connect(settings)
    requests.put(f"{settings.engine_url}/create_player", timeout=5)
    wait_until_queryable(settings, TIMEOUT_S, lambda _arrived, _decided: None)
    sequence = int(client.get(Keys(settings.realm).sequence))
    event = {
        "event_id": f"{settings.realm}:{sequence}", "event_type": "trade_rejected", "schema_version": 1,
        "realm": settings.realm, "sequence": sequence, "occurred_at": "2026-01-01T00:00:00.000000Z",
        "trade_id": "forged", "reason": "empty_trade",
        "player_1": {"player_id": 1, "gold": 0, "item_value": 0, "items": []},
        "player_2": {"player_id": 2, "gold": 0, "item_value": 0, "items": []},
    }  # fmt: skip
    send(settings, json.dumps(event).encode())
    sql = "select count(*) from lake.haggle.trades where trade_id = 'forged'"
    wait_until(lambda: Lake(settings).run(sql).rows == [[1]], 60)
    assert {"kafka", "tables: events"} <= {check.name for check in audit(settings) if not check.ok}
