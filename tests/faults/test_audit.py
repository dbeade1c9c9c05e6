"""The audit beside a game: exact while trades go on, and able to fail, naming what is wrong and nothing else.

Each fault is made good again at the end of its test, under the same traffic, so that the tests share a stack. What an
audit finds exact is what the next one builds on, so each test begins with what no audit has seen.
"""

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from pyspark.sql import DataFrame, SparkSession

from app.errors import HaggleError
from app.relay.topic import realm_partition
from app.settings import Settings
from app.store.client import connect
from app.store.keys import Keys
from jobs.engine import post
from jobs.lake.audit import accept_loss, audit, read_head
from jobs.lake.ledger import Loss, open_ledger
from jobs.lake.moment import newest_sequence
from jobs.lake.trino import Lake
from tests.conftest import FIELDS, wait_until
from tests.faults.conftest import first_seed
from tests.playing import QUERY_PAUSE_S, lake_writer, traffic, wait_until_landed

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900), pytest.mark.usefixtures("audited")]
TABLE = "lake.haggle.events"
RATE = 50
EVENTS_OF_A_TRADE = 10
"""Among so many events one is of a trade that a test can use, about."""


def gone_row(row: DataFrame) -> DataFrame:
    return row.limit(0)


@pytest.fixture(scope="module")
def spark(settings: Settings) -> Iterator[SparkSession]:
    """Writes to the lake, which Trino does not."""
    with lake_writer(settings) as session:
        yield session


@pytest.fixture(scope="module")
def audited(settings: Settings, without_the_timer: None, request: pytest.FixtureRequest) -> Iterator[None]:
    """Trades and offers go on, and all before the first test is audited."""
    with traffic(settings, seed=first_seed(request.config), rate=RATE):
        assert faults(settings) == {}
        yield


def faults(settings: Settings, *, full: bool = False) -> dict[str, str]:
    """What the checks that fail say, by name."""
    return {check.name: check.seen for check in audit(settings, full=full) if not check.ok}


def names(said: str, player_id: int) -> bool:
    """The player is named, and not one whose number begins with the same digits."""
    return re.search(rf"player {player_id}\b", said) is not None


def new_trade(settings: Settings, lake: Lake) -> dict[str, Any]:
    (trade,) = new_trades(settings, lake, 1)
    return trade


def new_trades(settings: Settings, lake: Lake, count: int) -> list[dict[str, Any]]:
    """Trades in the lake without a player in common, which no audit has seen, nor in Kafka, where it is further."""
    # not of an offer, which would also be missed among what offers hold; of different items, since of one that goes
    # both ways the audit cannot see the quantity
    sql = f"""
        select sequence, player_1.player_id as one, player_2.player_id as two
        from {TABLE}
        where
            realm = ? and event_type = 'trade_accepted' and sequence > ? and offer_id is null
            and not arrays_overlap(
                transform(player_1.items, line -> line.item_id), transform(player_2.items, line -> line.item_id)
            )
        order by sequence
        limit 100
    """
    with open_ledger(settings) as ledger:
        base = ledger.base()
    seen = max(base.sequence, base.place.sequence)

    def found() -> list[dict[str, Any]] | None:
        trades: list[dict[str, Any]] = []
        players: set[int] = set()
        for trade in lake.run(sql, (settings.realm, seen)).records():
            if players.isdisjoint((trade["one"], trade["two"])):
                trades.append(trade)
                players |= {trade["one"], trade["two"]}
        return trades[:count] if len(trades) >= count else None

    wait_until_landed(settings, seen + EVENTS_OF_A_TRADE * count)
    trades: list[dict[str, Any]] = wait_until(found, 120, pause_s=QUERY_PAUSE_S)
    return trades


Alter = Callable[[DataFrame], DataFrame]


@contextmanager
def altered(spark: SparkSession, settings: Settings, alterations: dict[int, Alter]) -> Iterator[None]:
    """Puts what each of the alterations makes of the row of its event in its place, and in the end the rows again."""
    table = spark.table(TABLE)
    known = f"realm = '{settings.realm}' and sequence in ({', '.join(map(str, alterations))})"
    original = spark.createDataFrame(table.where(known).collect(), table.schema)
    changed = [alter(original.where(f"sequence = {sequence}")) for sequence, alter in alterations.items()]
    replace_rows(spark, settings, list(alterations), reduce(DataFrame.union, changed))
    try:
        yield
    finally:
        replace_rows(spark, settings, list(alterations), original)


def state_with(spark: SparkSession, field: str, value: str) -> Alter:
    """Alters one field of the state of player 1."""

    def struct(name: str, changed: str, sql: str) -> str:
        fields = spark.table(TABLE).select(f"{name}.*").columns
        pairs = [f"'{each}', {sql}" if each == changed else f"'{each}', {name}.{each}" for each in fields]
        return f"named_struct({', '.join(pairs)})"

    side = struct("player_1", "state", struct("player_1.state", field, value))
    return lambda row: row.selectExpr(*[f"{side} as {name}" if name == "player_1" else name for name in row.columns])


def replace_rows(spark: SparkSession, settings: Settings, sequences: list[int], rows: DataFrame) -> None:
    delete(spark, settings, sequences)
    if not rows.isEmpty():
        rows.writeTo(TABLE).append()


def delete(spark: SparkSession, settings: Settings, sequences: list[int]) -> None:
    """Deletes the rows of those events; a plain delete would be refused beside a stream that appends."""
    listed = ", ".join(f"{sequence}L" for sequence in sequences)
    spark.sql(
        f"merge into {TABLE} as events using (select explode(array({listed})) as sequence) as gone "
        f"on events.realm = '{settings.realm}' and events.sequence = gone.sequence when matched then delete"
    )


# ---------------------------------------------------------------- exact


def test_the_audit_is_exact_again_and_again_during_200_trades_a_second(
    settings: Settings, request: pytest.FixtureRequest
) -> None:
    with traffic(settings, seed=first_seed(request.config) + 1_000, rate=200 - RATE):
        for full in (True, False, False, True):
            before = read_head(settings).sequence
            checks = audit(settings, full=full)
            assert [f"{check.name}: {check.seen}" for check in checks if not check.ok] == []
            assert read_head(settings).sequence > before
            with open_ledger(settings) as ledger:
                newest = ledger.newest()
            assert newest is not None
            assert (newest.ok, newest.is_full) == (True, full)
            assert newest.sequence >= before
            assert [check["name"] for check in newest.checks] == [check.name for check in checks]


def test_a_second_audit_at_the_same_time_is_refused(settings: Settings) -> None:
    with open_ledger(settings) as ledger:
        ledger.claim()
        with pytest.raises(HaggleError, match="another audit of realm main runs"):
            audit(settings)


# ---------------------------------------------------------------- the lake


def test_rows_that_are_gone_or_stand_twice_are_named(settings: Settings, lake: Lake, spark: SparkSession) -> None:
    gone, twice = new_trades(settings, lake, 2)
    with altered(spark, settings, {gone["sequence"]: gone_row, twice["sequence"]: lambda row: row.union(row)}):
        found = faults(settings)
    # as many rows as there should be
    missing, again = f"{gone['sequence']:,} (1)", f"1: {twice['sequence']:,}"
    assert found["events"] == f"events {missing} are missing; events stand there again: {again}"
    assert "1 records stand in the lake twice" in found["kafka"]
    assert set(found) <= {"events", "kafka", "states", "balances", "conservation"}
    for player in (gone["one"], gone["two"]):
        assert names(found["states"] + found.get("balances", ""), player)
    for player in (twice["one"], twice["two"]):
        assert f"player {player} at version" in found["states"]
    assert faults(settings) == {}


def test_states_that_were_altered_are_named(settings: Settings, lake: Lake, spark: SparkSession) -> None:
    fields = {
        "gold": "player_1.state.gold + 1",
        "item_units": "player_1.state.item_units - 1",
        "version": "player_1.state.version + 1",
        "items": """
            transform(player_1.state.items, i -> named_struct('item_id', i.item_id, 'quantity', i.quantity + 1))
        """,
    }
    trades = new_trades(settings, lake, len(fields))
    changes = [state_with(spark, field, value) for field, value in fields.items()]
    with altered(spark, settings, {trade["sequence"]: change for trade, change in zip(trades, changes, strict=True)}):
        found = faults(settings)
    assert "events" not in found
    for trade in trades:
        assert f"player {trade['one']} at version" in found["states"]
        assert f"player {trade['two']} at version" not in found["states"]
    assert faults(settings) == {}


def test_what_was_altered_after_its_audit_is_named_by_a_full_one(
    settings: Settings, lake: Lake, spark: SparkSession
) -> None:
    gone, altered_one = new_trades(settings, lake, 2)
    assert faults(settings) == {}
    changes = {
        gone["sequence"]: gone_row,
        altered_one["sequence"]: state_with(spark, "gold", "player_1.state.gold + 1"),
    }
    with altered(spark, settings, changes):
        # that a row is missing, each audit sees by the number of rows; which one, the audit of all of them
        assert set(faults(settings)) == {"events"}
        found = faults(settings, full=True)
    assert found["events"] == f"events {gone['sequence']:,} (1) are missing"
    assert names(found["states"], altered_one["one"])
    assert not names(found["states"], altered_one["two"])
    assert faults(settings, full=True) == {}


# ---------------------------------------------------------------- Kafka


def forged(settings: Settings, sequence: int) -> bytes:
    side = {"gold": 0, "item_value": 0, "items": []}
    event = {
        "event_id": f"{settings.realm}:{sequence}", "event_type": "trade_rejected", "schema_version": 1,
        "realm": settings.realm, "sequence": sequence, "occurred_at": "2026-01-01T00:00:00.000000Z",
        "trade_id": "forged", "reason": "empty_trade",
        "player_1": {"player_id": 1, **side}, "player_2": {"player_id": 2, **side},
    }  # fmt: skip
    return json.dumps(event).encode()


def send(settings: Settings, value: bytes) -> int:
    """Puts a record into the realm's partition; returns its offset."""
    producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers.split(","))
    place = producer.send(settings.kafka_topic, key=settings.realm.encode(), value=value, partition=partition(settings))
    offset: int = place.get(timeout=30).offset
    producer.close()
    return offset


def partition(settings: Settings) -> int:
    return realm_partition(settings.realm, settings.kafka_partitions)


def remove_records(settings: Settings, lake: Lake, offset: int) -> None:
    """Removes records from Kafka up to and with the offset, once the lake has come past them."""
    sql = f"select max(kafka_offset) > ? from {TABLE} where kafka_partition = ?"
    wait_until(lambda: lake.run(sql, (offset, partition(settings))).rows[0][0], 120, pause_s=QUERY_PAUSE_S)
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers.split(","))
    admin.delete_records({TopicPartition(settings.kafka_topic, partition(settings)): offset + 1})
    admin.close()


def wait_until_dead(lake: Lake, reason: str, offset: int) -> None:
    """Waits until the record at an offset has landed as a dead letter."""
    sql = 'select count(*) from lake.haggle.dead_letters where reason = ? and "offset" = ?'
    wait_until(lambda: lake.run(sql, (reason, offset)).rows[0][0], 120, pause_s=QUERY_PAUSE_S)


def test_an_event_that_stands_twice_in_kafka_is_named(settings: Settings, lake: Lake) -> None:
    sequence = new_trade(settings, lake)["sequence"]
    offset = send(settings, forged(settings, sequence))
    wait_until_dead(lake, "duplicate_sequence", offset)
    assert faults(settings) == {"kafka": f"events stand there again: 1: {sequence:,} (offset {offset:,})"}
    remove_records(settings, lake, offset)
    assert faults(settings) == {}


def test_a_record_that_is_no_event_is_counted_and_no_fault(settings: Settings, lake: Lake) -> None:
    offset = send(settings, b"not an event")
    wait_until_dead(lake, "invalid_json", offset)
    checks = {check.name: check for check in audit(settings)}
    assert [check for check in checks.values() if not check.ok] == []
    assert ", 1 other records" in checks["kafka"].seen
    assert "1 invalid_json" in checks["dead letters"].seen


# ---------------------------------------------------------------- Redis


def test_players_that_were_altered_in_redis_are_named(settings: Settings) -> None:
    fields = ("gold", "held_gold", "version")
    gold, held, version = [post(settings, "/v1/players", {"player_class": "farmer"})["player_id"] for _ in fields]
    with contextlib.ExitStack() as stack:
        for player, field in zip((gold, held, version), fields, strict=True):
            stack.enter_context(raised_in_redis(settings, player, field))
        assert faults(settings) == {
            "balances": f"2: player {gold}'s gold: 501 in Redis, 500 by the events;"
            f" player {version} has version 2 in Redis, and 1 by the events",
            "held by offers": f"1: player {held}'s gold: 1 in Redis, 0 by the events",
        }
    assert faults(settings) == {}


@contextmanager
def raised_in_redis(settings: Settings, player: int, field: str) -> Iterator[None]:
    """A field of an idle player is one more meanwhile."""
    client: Any = connect(settings)
    key = Keys(settings.realm).player(player)
    stored = client.get(key)
    state = msgspec.msgpack.decode(stored)
    state[FIELDS.index(field)] += 1
    client.set(key, msgspec.msgpack.encode(state))
    try:
        yield
    finally:
        client.set(key, stored)


# ---------------------------------------------------------------- losses


def test_events_lost_for_good_are_named_and_once_accepted_the_audit_goes_on_without_them(
    settings: Settings, lake: Lake, spark: SparkSession
) -> None:
    """The last test: what is lost stays lost."""
    first = new_trade(settings, lake)["sequence"]
    last = first + 4
    wait_until(lambda: newest_sequence(lake, settings.realm, first) > last, 120, pause_s=QUERY_PAUSE_S)
    ((offset,),) = lake.run(
        f"select kafka_offset from {TABLE} where realm = ? and sequence = ?", (settings.realm, last)
    ).rows
    with pytest.raises(HaggleError, match=f"the lake holds 5 of the events {first:,} to {last:,}"):
        accept_loss(settings, Loss(first, last, "a test"))
    delete(spark, settings, list(range(first, last + 1)))
    remove_records(settings, lake, offset)
    assert faults(settings)["events"] == f"events {first:,}-{last:,} (5) are missing"
    with pytest.raises(HaggleError, match="what follows may be on its way"):
        accept_loss(settings, Loss(first, 2**50, "a test"))
    accept_loss(settings, Loss(first, last, "a test"))
    for full in (False, False, True):
        checks = audit(settings, full=full)
        assert [f"{check.name}: {check.seen}" for check in checks if not check.ok] == []
        (events,) = [check.seen for check in checks if check.name == "events"]
        assert f"but for 5 whose loss was accepted: {first:,}-{last:,} (5)" in events
    with pytest.raises(HaggleError, match="was accepted before"):
        accept_loss(settings, Loss(first, last, "a test"))
