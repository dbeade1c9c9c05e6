"""The streams' transforms on real events of the real function, and on records that are not events."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as f
from pyspark.sql import types as t

from app.contract.events import EVENT_TYPES, decode_event
from app.contract.reasons import DeadLetter
from app.contract.tables import EVENTS, event_columns
from app.settings import Settings
from jobs.streams import schema, transforms
from tests.bench.history import plan_events
from tests.conftest import Realm

SCHEMA = "key binary, value binary, topic string, partition int, offset bigint, timestamp timestamp"
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
Records = Callable[..., DataFrame]


@pytest.fixture
def records(spark: SparkSession) -> Records:
    """Records of one partition, at offsets 0, 1, 2 and so on."""

    def make(*values: Any, key: bytes | None = b"r") -> DataFrame:
        rows = [(key, value, "topic", 0, offset, AT) for offset, value in enumerate(values)]
        return spark.createDataFrame(rows, SCHEMA)

    return make


def landed(frame: DataFrame) -> list[dict[str, Any]]:
    """Gives the rows of `events` that the records become, in the order of their offsets."""
    found = transforms.rows(transforms.judge(frame), f.lit("id")).collect()
    return sorted((row.asDict(recursive=True) for row in found), key=lambda row: row["kafka_offset"])


# ---------------------------------------------------------------- events


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
    return without_the_catalog(of_realm_r(realm, settings))


def without_the_catalog(events: list[bytes]) -> list[bytes]:
    """The events behind the first, numbered as if there were none before them."""
    return [
        raw.replace(f':{number}","schema'.encode(), f':{number - 1}","schema'.encode()).replace(
            f'"sequence":{number},'.encode(), f'"sequence":{number - 1},'.encode()
        )
        for number, raw in enumerate(events[1:], start=2)
    ]


def of_realm_r(realm: Realm, settings: Settings) -> list[bytes]:
    return [raw.replace(settings.realm.encode(), b"r") for raw in realm.events()]


@pytest.fixture
def game_events(client: FlaskClient, realm: Realm, settings: Settings) -> list[bytes]:
    """A catalog, and a player that is given and taken from, renamed and forgotten."""
    created = client.post("/v1/players", json={"player_class": "farmer", "external_id": "ä"})
    player_id = (created.json or {})["player_id"]
    given = {
        "player_id": player_id,
        "gold": -9,
        "items": [line(1, 2), line(5, -500)],
        "reason": "craft",
        "reference": "ß",
    }
    client.post("/v1/adjustments", json=given)
    client.post("/v1/adjustments", json=given)
    client.patch(f"/v1/players/{player_id}", json={"username": "another"})
    named = of_realm_r(realm, settings)
    client.delete(f"/v1/players/{player_id}")
    return [*named, of_realm_r(realm, settings)[-1]]


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
    return without_the_catalog(of_realm_r(realm, settings))


@pytest.mark.parametrize("source", ["events", "offer_events", "game_events"])
def test_every_event_is_a_row_nested_as_the_event_is(
    records: Records, source: str, request: pytest.FixtureRequest
) -> None:
    raws: list[bytes] = request.getfixturevalue(source)
    rows = landed(records(*raws))
    assert [pruned({column.name: row[column.name] for column in event_columns()}) for row in rows] == [
        pruned(msgspec.to_builtins(decode_event(raw), builtin_types=(datetime,))) for raw in raws
    ]


def pruned(value: Any) -> Any:
    """Without nulls, since the table has a column for each field of any type; times get the zone that Spark's lack."""
    match value:
        case dict():
            return {name: pruned(part) for name, part in value.items() if part is not None}
        case list():
            return [pruned(part) for part in value]
        case datetime():
            return value.astimezone(UTC) if value.tzinfo else value.astimezone().astimezone(UTC)
    return value


def test_the_events_of_these_tests_are_of_every_type(
    events: list[bytes], offer_events: list[bytes], game_events: list[bytes]
) -> None:
    assert {type(decode_event(raw)) for raw in [*events, *offer_events, *game_events]} == set(EVENT_TYPES)


def test_a_row_says_where_the_record_stood_and_nothing_else_of_a_valid_event(
    records: Records, events: list[bytes]
) -> None:
    row = landed(records(*events))[2]
    own = {column.name: row[column.name] for column in EVENTS.columns[len(event_columns()) :]}
    recorded_at = pruned(own.pop("recorded_at"))
    assert recorded_at == AT
    assert own == {
        "kafka_topic": "topic",
        "kafka_topic_id": "id",
        "kafka_partition": 0,
        "kafka_offset": 2,
        "dead_letter": None,
        "kafka_key": None,
        "raw": None,
    }


def test_rows_have_the_tables_columns_and_types(records: Records) -> None:
    made = transforms.rows(transforms.judge(records(b"{}")), f.lit("id")).schema
    table = struct(", ".join(f"{column.name} {column.type.spark}" for column in EVENTS.columns))
    assert [(item.name, item.dataType) for item in made] == [(item.name, item.dataType) for item in table]


def struct(ddl: str) -> t.StructType:
    parsed = t.StructType.fromDDL(ddl)
    assert isinstance(parsed, t.StructType)
    return parsed


def test_sparks_schema_of_an_event_has_the_contracts_types(spark: SparkSession) -> None:
    kinds = {item.name: item.dataType for item in struct(schema.event_ddl())}
    assert (kinds["sequence"], kinds["occurred_at"]) == (t.LongType(), t.TimestampType())
    side = kinds["player_1"]
    assert isinstance(side, t.StructType)
    assert side.fieldNames() == ["player_id", "gold", "item_value", "items", "state"]


# ---------------------------------------------------------------- what is not an event


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
    "single quotes": (lambda raw: raw.replace(b'"', b"'"), DeadLetter.INVALID_JSON),
    "an event and more": (lambda raw: raw + b" and more", DeadLetter.INVALID_JSON),
    "two events in one record": (lambda raw: raw + raw, DeadLetter.INVALID_JSON),
    "a brace too many": (lambda raw: raw + b"}", DeadLetter.INVALID_JSON),
    "bytes that are no UTF-8": (lambda raw: raw.replace(b'"t0"', b'"\xff"'), DeadLetter.INVALID_JSON),
    "a JSON list": (lambda _: b"[1]", DeadLetter.UNKNOWN_EVENT_TYPE),
    "a list of an event": (lambda raw: b"[" + raw + b"]", DeadLetter.UNKNOWN_EVENT_TYPE),
    "a string": (lambda _: b'"event"', DeadLetter.UNKNOWN_EVENT_TYPE),
    "null": (lambda _: b"null", DeadLetter.UNKNOWN_EVENT_TYPE),
    "another type": (lambda raw: change(raw, event_type="trade_undone"), DeadLetter.UNKNOWN_EVENT_TYPE),
    "no type": (lambda raw: change(raw, event_type=KeyError), DeadLetter.UNKNOWN_EVENT_TYPE),
    "version 0": (lambda raw: change(raw, schema_version=0), DeadLetter.UNSUPPORTED_SCHEMA_VERSION),
    "no version": (lambda raw: change(raw, schema_version=KeyError), DeadLetter.UNSUPPORTED_SCHEMA_VERSION),
    "version 2 without a field": (
        lambda raw: change(raw, schema_version=2, player_1__gold=KeyError),
        DeadLetter.INVALID_FIELDS,
    ),
    "no sequence": (lambda raw: change(raw, sequence=KeyError), DeadLetter.INVALID_FIELDS),
    "sequence 0": (lambda raw: change(raw, sequence=0), DeadLetter.INVALID_FIELDS),
    "sequence as text": (lambda raw: change(raw, sequence="3"), DeadLetter.INVALID_FIELDS),
    "sequence 3.0": (lambda raw: change(raw, sequence=3.0), DeadLetter.INVALID_FIELDS),
    "a time without a zone": (lambda raw: change(raw, occurred_at="2026-01-01T00:00:00"), DeadLetter.INVALID_FIELDS),
    "no state": (lambda raw: change(raw, player_1__state=KeyError), DeadLetter.INVALID_FIELDS),
    "negative gold": (lambda raw: change(raw, player_1__gold=-1), DeadLetter.INVALID_FIELDS),
    "2^53 gold": (lambda raw: change(raw, player_1__gold=2**53), DeadLetter.INVALID_FIELDS),
    "gold true": (lambda raw: change(raw, player_1__gold=True), DeadLetter.INVALID_FIELDS),
    "a line of 0 units": (lambda raw: change(raw, player_1__items__0__quantity=0), DeadLetter.INVALID_FIELDS),
    "a line that is null": (lambda raw: change(raw, player_1__items=[None]), DeadLetter.INVALID_FIELDS),
    "another realm": (lambda raw: change(raw, realm="s"), DeadLetter.WRONG_KEY),
}


def test_what_is_not_a_valid_event_is_a_dead_letter_with_its_reason_its_key_and_its_bytes(
    records: Records, events: list[bytes]
) -> None:
    values = [make(events[2]) for make, _ in BROKEN.values()]
    rows = landed(records(*values, events[2]))
    assert {name: row["dead_letter"] for name, row in zip(BROKEN, rows, strict=False)} == {
        name: str(reason) for name, (_, reason) in BROKEN.items()
    }
    assert [row["raw"] for row in rows] == [*values, None]
    assert [row["kafka_key"] for row in rows] == [*[b"r"] * len(values), None]
    assert all(row[column.name] is None for row in rows[:-1] for column in event_columns())
    assert rows[-1]["trade_id"] == "t0"


@pytest.mark.parametrize("key", [None, b"", b"s", b"\xff"])
def test_an_event_under_another_key_than_its_realm_is_a_dead_letter(
    records: Records, events: list[bytes], key: bytes | None
) -> None:
    (row,) = landed(records(events[2], key=key))
    assert (row["dead_letter"], row["kafka_key"], row["raw"]) == (DeadLetter.WRONG_KEY, key, events[2])


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
    reasons = [row["dead_letter"] for row in landed(records(*broken, change(accepted, offer_id=None)))]
    assert reasons == [*[DeadLetter.INVALID_FIELDS] * len(broken), None]


def test_an_event_of_a_later_version_that_only_adds_fields_is_a_row_and_is_kept_whole(
    records: Records, events: list[bytes]
) -> None:
    later = change(events[2], schema_version=2, weather="rain", player_1__mood=["glad"], player_1__items__0__worn=True)
    first, second = landed(records(events[2], later))
    assert (second.pop("raw"), second.pop("schema_version"), second.pop("kafka_offset")) == (later, 2, 1)
    assert (first.pop("raw"), first.pop("schema_version"), first.pop("kafka_offset")) == (None, 1, 0)
    assert first == second


def test_whitespace_around_and_within_an_event_makes_no_difference(records: Records, events: list[bytes]) -> None:
    spaced = b" \r\n\t" + json.dumps(json.loads(events[2]), indent=1).encode() + b"\n "
    first, second = landed(records(events[2], spaced))
    assert {**second, "kafka_offset": 0} == first


def test_the_validator_of_the_contract_agrees_on_what_is_valid(events: list[bytes]) -> None:
    agreed = [name for name in BROKEN if name not in ("a time without a zone", "another realm")]
    values = {name: BROKEN[name][0](events[2]) or b"" for name in agreed}
    refused = [name for name, value in values.items() if not is_event(value)]
    assert refused == agreed
    assert all(is_event(value) for value in events)


def is_event(value: bytes) -> bool:
    try:
        decode_event(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


# ---------------------------------------------------------------- sequence numbers, without parsing


def seen(frame: DataFrame) -> dict[str | None, tuple[int, int, int, int | None, int | None]]:
    names = ("records", "odd", "different", "first", "last")
    return {row["realm"]: tuple(row[name] for name in names) for row in transforms.numbers(frame).collect()}


def test_numbers_are_read_from_the_beginning_of_every_event_as_the_relay_writes_it(
    records: Records, events: list[bytes], offer_events: list[bytes]
) -> None:
    assert seen(records(*events)) == {"r": (5, 0, 5, 1, 5)}
    # both are of one realm
    assert seen(records(*offer_events)) == {"r": (15, 0, 15, 1, 15)}
    assert seen(records(events[1], events[1], events[4])) == {"r": (3, 0, 2, 2, 5)}
    assert seen(records()) == {}
    (recorded,) = [row["recorded"] for row in transforms.numbers(records(*events)).collect()]
    assert recorded == pytest.approx(AT.timestamp())


def test_numbers_are_of_each_realm_in_a_partition(records: Records) -> None:
    frame = records()
    for realm, trades in (("a", 3), ("b-2", 5)):
        frame = frame.union(records(*plan_events(2, trades, seed=1, realm=realm), key=realm.encode()))
    assert seen(frame) == {"a": (6, 0, 6, 1, 6), "b-2": (8, 0, 8, 1, 8)}


ODD: dict[str, Callable[[bytes], bytes | None]] = {
    **{name: make for name, (make, reason) in BROKEN.items() if reason in ("empty_record", "invalid_json")},
    "a space at the beginning": lambda raw: b" " + raw,
    "a space after a name": lambda raw: raw.replace(b'"sequence":', b'"sequence" :', 1),
    "another realm": lambda raw: change(raw, realm="s"),
    "other order": lambda raw: json.dumps(dict(reversed(json.loads(raw).items()))).encode(),
    "a second sequence": lambda raw: raw[:-1] + b',"sequence":9}',
    "a second sequence, with a space": lambda raw: raw[:-1] + b',"sequence" :9}',
    "a second sequence, with an escaped letter": lambda raw: raw[:-1] + b',"\\u0073equence":9}',
    "a sequence of a part": lambda raw: raw[:-1] + b',"added":{"sequence":9}}',
    "a long number": lambda raw: raw.replace(b'"sequence":3,', b'"sequence":30000000000000000,'),
    "a negative number": lambda raw: raw.replace(b'"sequence":3,', b'"sequence":-3,'),
}
BEGINS_ALIKE = ("half an event", "an event and more", "a brace too many", "bytes that are no UTF-8")
"""Odd only to who reads it whole: the event's parsing finds out, and it keeps its number."""


@pytest.mark.parametrize("name", [name for name in ODD if name not in BEGINS_ALIKE])
def test_a_record_that_does_not_begin_as_the_relay_begins_it_is_odd(
    records: Records, events: list[bytes], name: str
) -> None:
    assert seen(records(events[0], ODD[name](events[2]))) == {"r": (2, 1, 1, 1, 1)}


@pytest.mark.parametrize("key", [None, b"", b"s", b"\xff"])
def test_a_record_under_another_key_than_its_realm_is_odd(
    records: Records, events: list[bytes], key: bytes | None
) -> None:
    (numbers,) = seen(records(events[2], key=key)).values()
    assert numbers == (1, 1, 0, None, None)


# ---------------------------------------------------------------- order


def ordered(frame: DataFrame, **landed_before: int) -> list[Row]:
    frame = transforms.in_order(transforms.judge(frame), landed_before)
    return frame.select("offset", "expected", "event.sequence", "dead_letter").orderBy("offset").collect()


def test_an_event_that_comes_again_is_a_duplicate_within_a_batch_and_across_batches(
    records: Records, events: list[bytes]
) -> None:
    frame = records(events[1], events[2], events[2], b"not an event", events[3], events[1], events[4])
    reasons = [row["dead_letter"] for row in ordered(frame, r=2)]
    again = DeadLetter.DUPLICATE_SEQUENCE
    assert reasons == [again, None, again, DeadLetter.INVALID_JSON, None, again, None]


def test_what_was_skipped_is_named_by_its_first_and_last(records: Records, events: list[bytes]) -> None:
    def skips(*values: bytes, **landed_before: int) -> list[tuple[Any, ...]]:
        frame = transforms.in_order(transforms.judge(records(*values)), landed_before)
        return sorted(tuple(row) for row in transforms.skips(frame).collect())

    assert skips(*events) == []
    assert skips(*events[2:], r=2) == []
    assert skips(events[3]) == [("r", 1, 3)]
    assert skips(events[0], events[2], events[1], events[4]) == [("r", 2, 2), ("r", 4, 4)]
    assert skips(events[0], change(events[1], sequence="2"), events[2]) == [("r", 2, 2)]


def test_realms_in_one_partition_are_put_in_order_each_by_itself(records: Records) -> None:
    a, b = ([*plan_events(2, 3, seed=1, realm=realm)] for realm in "ab")
    order = [b[0], a[2], b[1], a[2], a[3], b[0]]
    frame = records()
    for offset, value in enumerate(order):
        key = f.lit(b"a" if value in a else b"b")
        frame = frame.union(records(value).withColumn("offset", f.lit(offset).cast("bigint")).withColumn("key", key))
    rows = ordered(frame, a=2)
    again = DeadLetter.DUPLICATE_SEQUENCE
    assert [(row["expected"], row["sequence"], row["dead_letter"]) for row in rows] == [
        *[(1, 1, None), (3, 3, None), (2, 2, None), (4, 3, again), (4, 4, None), (3, 1, again)],
    ]


def test_what_landed_before_are_valid_events_up_to_the_newest_of_their_realm(
    records: Records, events: list[bytes]
) -> None:
    judged = transforms.judge(records(*events, b"not an event"))
    for landed_before, offsets in (({"r": 2}, [0, 1]), ({"s": 2}, []), ({}, [])):
        found = judged.where(transforms.landed_before(landed_before)).collect()
        assert [row["offset"] for row in found] == offsets


# ---------------------------------------------------------------- plans


def test_the_parsing_of_an_event_is_planned_once(records: Records) -> None:
    judged = transforms.judge(records(b"{}"))
    plans = [
        frame._jdf.queryExecution().optimizedPlan().toString()  # noqa: SLF001
        for frame in (transforms.rows(judged, f.lit("id")), transforms.in_order(judged, {"r": 1}))
    ]
    assert [plan.count("from_json(") for plan in plans] == [1, 1]
    numbers = transforms.numbers(records(b"{}"))._jdf.queryExecution().optimizedPlan().toString()  # noqa: SLF001
    assert "from_json(" not in numbers
