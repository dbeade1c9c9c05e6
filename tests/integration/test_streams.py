"""The streams' transforms on real events of the real function, and on records that are not events."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from pyspark.sql import DataFrame, SparkSession

from app.contract.reasons import DeadLetter
from app.settings import Settings
from jobs.streams import transforms
from jobs.streams.__main__ import STREAMS
from tests.conftest import Realm

SCHEMA = "key binary, value binary, topic string, partition int, offset bigint, timestamp timestamp"
Records = Callable[[list[Any]], DataFrame]


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    builder = SparkSession.Builder().master("local[1]").config("spark.ui.enabled", "false")
    for name, value in transforms.PARSING_OPTIONS.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture
def records(spark: SparkSession) -> Records:
    def make(values: list[Any], key: str = "r") -> DataFrame:
        now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        rows = [(key.encode(), value, "topic", 0, offset, now) for offset, value in enumerate(values)]
        return spark.createDataFrame(rows, SCHEMA)

    return make


def line(item_id: int, quantity: int) -> dict[str, int]:
    return {"item_id": item_id, "quantity": quantity}


@pytest.fixture
def events(client: FlaskClient, realm: Realm, settings: Settings) -> list[bytes]:
    """Two creations, an accepted trade with three lines, a refused one, one with an unknown item."""
    for player_class in ("farmer", "banker"):
        client.post("/v1/players", json={"player_class": player_class, "username": f'ü "{player_class}" \\'})
    trades: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"items": [line(5, 2), line(6, 1)], "gold": 9}, {"items": [line(18, 1)]}),
        ({"gold": 9_999}, {}),
        ({"items": [line(99, 2**53 - 1)]}, {}),
    ]
    for number, (one, two) in enumerate(trades):
        body = {"trade_id": f"t{number}", "player_1": {"player_id": 1, **one}, "player_2": {"player_id": 2, **two}}
        client.post("/v1/trades", json=body)
    return [raw.replace(settings.realm.encode(), b"r") for raw in realm.events()]


@pytest.fixture
def offer_events(client: FlaskClient, realm: Realm, settings: Settings) -> list[bytes]:
    """Two creations, and offers: accepted, refused, declined after a refused acceptance, and cancelled."""
    for player_class in ("farmer", "banker"):
        client.post("/v1/players", json={"player_class": player_class})
    give = {"items": [line(6, 1), line(5, 2)], "gold": 9}
    for offer_id, one, two in (("o1", give, {"gold": 4}), ("o2", {"gold": 9_999}, {}), ("o3", give, {"gold": 10**8})):
        sides = {"player_1": {"player_id": 1, **one}, "player_2": {"player_id": 2, **two}}
        client.post("/v1/offers", json={"offer_id": offer_id, **sides})
        client.post(f"/v1/offers/{offer_id}/accept", headers={"Idempotency-Key": f"t-{offer_id}"})
    client.post("/v1/offers/o3/decline")
    client.post(
        "/v1/offers", json={"offer_id": "o4", "player_1": {"player_id": 2, "gold": 1}, "player_2": {"player_id": 1}}
    )
    client.post("/v1/offers/o4/cancel")
    return [raw.replace(settings.realm.encode(), b"r") for raw in realm.events()]


def rows(frame: DataFrame) -> list[dict[str, Any]]:
    return [row.asDict(recursive=True) for row in frame.collect()]


def test_every_decided_trade_is_a_row(records: Records, events: list[bytes]) -> None:
    made = rows(transforms.trades(records(events)))
    assert [(row["sequence"], row["trade_id"], row["status"], row["reason"]) for row in made] == [
        (3, "t0", "accepted", None),
        (4, "t1", "rejected", "insufficient_gold"),
        (5, "t2", "rejected", "unknown_item"),
    ]
    first = made[0]
    assert (first["player_1_item_value"], first["player_2_item_value"], first["player_1_gold"]) == (15, 100_000, 9)
    assert (first["player_1_lines"], first["player_2_lines"]) == (2, 1)
    assert made[2]["player_1_item_value"] is None
    assert {row["offer_id"] for row in made} == {None}


def test_every_item_line_is_a_row_of_its_side(records: Records, events: list[bytes]) -> None:
    made = rows(transforms.trade_lines(records(events)))
    names = ("sequence", "side", "player_id", "item_id", "quantity", "value")
    shown = {tuple(row[name] for name in names) for row in made}
    assert shown == {(3, 1, 1, 5, 2, 6), (3, 1, 1, 6, 1, 3), (3, 2, 2, 18, 1, 100_000), (5, 1, 1, 99, 2**53 - 1, None)}


def test_every_state_a_player_was_in_is_a_row(records: Records, events: list[bytes]) -> None:
    made = rows(transforms.player_states(records(events)))
    shown = {(row["player_id"], row["version"], row["sequence"], row["gold"], row["distinct_items"]) for row in made}
    assert shown == {(1, 1, 1, 500, 2), (2, 1, 2, 10_000_000, 2), (1, 2, 3, 491, 3), (2, 2, 3, 10_000_009, 4)}
    created = next(row for row in made if (row["player_id"], row["version"]) == (1, 1))
    assert (created["username"], created["player_class"]) == ('ü "farmer" \\', "farmer")
    assert sorted((line["item_id"], line["quantity"]) for line in created["items"]) == [(5, 500), (6, 399)]


def test_every_status_that_an_offer_reached_is_a_row(records: Records, offer_events: list[bytes]) -> None:
    made = rows(transforms.offers(records(offer_events)))
    assert [(row["sequence"], row["offer_id"], row["status"], row["reason"]) for row in made] == [
        (3, "o1", "made", None),
        (4, "o1", "accepted", None),
        (5, "o2", "rejected", "insufficient_gold"),
        (6, "o3", "made", None),
        (8, "o3", "declined", None),
        (9, "o4", "made", None),
        (10, "o4", "cancelled", None),
    ]
    given = {"player_1_id": 1, "player_1_gold": 9, "player_1_item_value": 15, "player_2_id": 2, "player_2_gold": 4}
    items = [{"item_id": 5, "quantity": 2}, {"item_id": 6, "quantity": 1}]
    for row in made[:2]:
        assert {name: row[name] for name in given} == given
        assert sorted(row["player_1_items"], key=lambda item: item["item_id"]) == items
        assert row["player_2_items"] == []
    assert [row["expires_at"] is None for row in made] == [row["status"] == "accepted" for row in made]


def test_a_trade_names_the_offer_that_it_came_of(records: Records, offer_events: list[bytes]) -> None:
    names = ("trade_id", "offer_id", "status", "reason")
    made = rows(transforms.trades(records(offer_events)))
    assert [tuple(row[name] for name in names) for row in made] == [
        ("t-o1", "o1", "accepted", None),
        ("t-o3", "o3", "rejected", "insufficient_gold"),
    ]


def test_an_offer_is_a_state_of_the_player_that_made_it(records: Records, offer_events: list[bytes]) -> None:
    made = rows(transforms.player_states(records(offer_events)))
    names = ("player_id", "version", "sequence", "gold", "item_units")
    shown = [tuple(row[name] for name in names) for row in made if row["version"] > 1]
    assert shown == [
        *[(1, 2, 3, 500, 899), (1, 3, 4, 495, 896), (2, 2, 4, 10_000_005, 902)],
        *[(1, 4, 6, 495, 896), (1, 5, 8, 495, 896), (2, 3, 9, 10_000_005, 902), (2, 4, 10, 10_000_005, 902)],
    ]


def test_no_event_of_the_real_function_is_a_dead_letter(
    records: Records, events: list[bytes], offer_events: list[bytes]
) -> None:
    assert rows(transforms.dead_letters(records([*events, *offer_events]))) == []


def change(raw: bytes, **fields: Any) -> bytes:
    event = json.loads(raw)
    for path, value in fields.items():
        *parents, last = path.split("__")
        target = event
        for parent in parents:
            target = target[int(parent) if parent.isdigit() else parent]
        if value is KeyError:
            del target[last]
        else:
            target[last] = value
    return json.dumps(event).encode()


BROKEN: dict[str, tuple[Callable[[bytes], bytes | None], DeadLetter]] = {
    "no value": (lambda _: None, DeadLetter.EMPTY_RECORD),
    "an empty value": (lambda _: b"", DeadLetter.EMPTY_RECORD),
    "half an event": (lambda raw: raw[:-10], DeadLetter.INVALID_JSON),
    "raw bytes": (lambda _: b"\x00\xff\xfe", DeadLetter.INVALID_JSON),
    "a JSON list": (lambda _: b"[1]", DeadLetter.UNKNOWN_EVENT_TYPE),
    "another type": (lambda raw: change(raw, event_type="trade_undone"), DeadLetter.UNKNOWN_EVENT_TYPE),
    "version 2": (lambda raw: change(raw, schema_version=2), DeadLetter.UNSUPPORTED_SCHEMA_VERSION),
    "no sequence": (lambda raw: change(raw, sequence=KeyError), DeadLetter.INVALID_FIELDS),
    "sequence 0": (lambda raw: change(raw, sequence=0), DeadLetter.INVALID_FIELDS),
    "sequence as text": (lambda raw: change(raw, sequence="3"), DeadLetter.INVALID_FIELDS),
    "sequence 3.0": (lambda raw: change(raw, sequence=3.0), DeadLetter.INVALID_FIELDS),
    "a time without a zone": (lambda raw: change(raw, occurred_at="2026-01-01T00:00:00"), DeadLetter.INVALID_FIELDS),
    "no state": (lambda raw: change(raw, player_1__state=KeyError), DeadLetter.INVALID_FIELDS),
    "negative gold": (lambda raw: change(raw, player_1__gold=-1), DeadLetter.INVALID_FIELDS),
    "2^53 gold": (lambda raw: change(raw, player_1__gold=2**53), DeadLetter.INVALID_FIELDS),
    "a line of 0 units": (lambda raw: change(raw, player_1__items__0__quantity=0), DeadLetter.INVALID_FIELDS),
    "another realm": (lambda raw: change(raw, realm="s"), DeadLetter.WRONG_KEY),
}


def test_what_is_not_a_valid_event_is_a_dead_letter_with_its_reason_and_nothing_else(
    records: Records, events: list[bytes]
) -> None:
    accepted = events[2]
    frame = records([make(accepted) for make, _ in BROKEN.values()] + [accepted])
    made = rows(transforms.dead_letters(frame))
    assert {list(BROKEN)[row["offset"]]: row["reason"] for row in made} == {
        name: str(reason) for name, (_, reason) in BROKEN.items()
    }
    assert all(row["value"] == list(BROKEN.values())[row["offset"]][0](accepted) for row in made)
    assert len(rows(transforms.trades(frame))) == 1
    assert len(rows(transforms.trade_lines(frame))) == 3
    assert len(rows(transforms.player_states(frame))) == 2


def test_an_event_of_an_offer_with_a_field_missing_or_out_of_its_bounds_is_a_dead_letter(
    records: Records, offer_events: list[bytes]
) -> None:
    made, accepted, rejected, closed = (offer_events[number] for number in (2, 3, 4, 9))
    broken = [
        change(made, expires_at=KeyError),
        change(made, offer_id=""),
        change(made, player_1__state=KeyError),
        change(rejected, reason="dislike"),
        change(closed, outcome="eaten"),
        change(closed, outcome=KeyError),
        change(closed, player_1__state=KeyError),
        change(accepted, offer_id=""),
    ]
    reasons = [
        row["reason"] for row in rows(transforms.dead_letters(records([*broken, change(accepted, offer_id=None)])))
    ]
    assert reasons == [DeadLetter.INVALID_FIELDS] * len(broken)


@pytest.mark.parametrize("transform", [transform for _, transform in STREAMS], ids=[table.name for table, _ in STREAMS])
def test_the_parsing_of_an_event_is_planned_once(records: Records, transform: Callable[[DataFrame], DataFrame]) -> None:
    plan = transform(records([b"{}"]))._jdf.queryExecution().optimizedPlan().toString()  # noqa: SLF001
    assert plan.count("from_json(") == 1
