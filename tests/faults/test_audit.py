"""The audit beside a game: exact while trades go on, and able to fail, naming what is wrong and nothing else.

Each fault is made good again at the end of its test, under the same traffic, so that the tests share a stack.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from pyspark.sql import DataFrame, SparkSession

from app.adapters.kafka import realm_partition
from app.adapters.redis import Keys, connect
from app.errors import HaggleError
from app.settings import Settings
from jobs.embedded.stack import Stack
from jobs.engine import post
from jobs.lake.audit import accept_loss, audit, newest_sequence, read_head
from jobs.lake.ledger import Loss, open_ledger
from jobs.lake.trino import Lake
from jobs.simulate.run import Order, simulate
from tests.conftest import FIELDS, wait_until
from tests.playing import lake_writer

pytestmark = pytest.mark.faults
TABLE = "lake.haggle.events"
RATE = 120
_seeds = count(1_000)


class Game:
    """A game that goes on beside a test, with trades and offers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._play)

    def __enter__(self) -> None:
        self._thread.start()
        head = read_head(self._settings).sequence
        wait_until(lambda: read_head(self._settings).sequence > head + RATE // 2, 120)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._error:
            raise self._error

    def _play(self) -> None:
        try:
            while not self._stop.is_set():
                order = Order(players=10, trades=2 * RATE, offers=20, seed=next(_seeds), rate=RATE)
                simulate(self._settings, order, lambda _outcome: None)
        except Exception as error:
            self._error = error


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:
    return stack.settings()


@pytest.fixture(scope="module")
def lake(settings: Settings) -> Lake:
    return Lake(settings)


@pytest.fixture(scope="module")
def spark(settings: Settings) -> Iterator[SparkSession]:
    """Writes to the lake, which Trino does not."""
    with lake_writer(settings) as session:
        yield session


@pytest.fixture
def audited(settings: Settings) -> Iterator[None]:
    """Trades go on, and all until now is audited."""
    with Game(settings):
        assert faults(settings) == {}
        yield


def faults(settings: Settings, *, full: bool = False) -> dict[str, str]:
    """What the checks that fail say, by name."""
    return {check.name: check.seen for check in audit(settings, full=full) if not check.ok}


def new_trade(settings: Settings, lake: Lake) -> dict[str, Any]:
    """A trade that is in the lake, and that no audit has seen."""
    sql = (
        "select sequence, player_1.player_id as one, player_2.player_id as two, player_1.state.version as version, "
        "kafka_topic_id, kafka_partition, kafka_offset "
        f"from {TABLE} where realm = ? and event_type = 'trade_accepted' and sequence > ? order by sequence limit 1"
    )
    with open_ledger(settings) as ledger:
        base = ledger.base().sequence
    found: list[dict[str, Any]] = wait_until(lambda: lake.run(sql, (settings.realm, base)).records(), 120)
    return found[0]


@contextmanager
def altered(
    spark: SparkSession, settings: Settings, sequence: int, alter: Callable[[DataFrame], DataFrame]
) -> Iterator[None]:
    """Puts what `alter` makes of an event's row in its place, and in the end the row again."""
    schema = spark.table(TABLE).schema
    rows = spark.table(TABLE).where(f"realm = '{settings.realm}' and sequence = {sequence}").collect()
    original = spark.createDataFrame(rows, schema)
    replace_row(spark, settings, sequence, alter(original))
    try:
        yield
    finally:
        replace_row(spark, settings, sequence, original)


def replace_row(spark: SparkSession, settings: Settings, sequence: int, rows: DataFrame) -> None:
    spark.sql(
        f"merge into {TABLE} as events using (select '{settings.realm}' as realm, {sequence}L as sequence) as gone "
        "on events.realm = gone.realm and events.sequence = gone.sequence when matched then delete"
    )
    if not rows.isEmpty():
        rows.writeTo(TABLE).append()


# ---------------------------------------------------------------- exact


def test_the_audit_is_exact_again_and_again_while_trades_go_on(settings: Settings) -> None:
    with Game(settings):
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


def test_a_row_that_is_gone_is_named(audited: None, settings: Settings, lake: Lake, spark: SparkSession) -> None:
    trade = new_trade(settings, lake)
    with altered(spark, settings, trade["sequence"], lambda row: row.limit(0)):
        found = faults(settings)
    assert found["events"] == f"events {trade['sequence']:,} (1) are missing"
    assert "kafka" in found
    for player in (trade["one"], trade["two"]):
        assert f"player {player} " in found.get("states", "") + found.get("balances", "")
    assert faults(settings) == {}


def test_a_row_that_stands_twice_is_named(audited: None, settings: Settings, lake: Lake, spark: SparkSession) -> None:
    trade = new_trade(settings, lake)
    with altered(spark, settings, trade["sequence"], lambda row: row.union(row)):
        found = faults(settings)
    assert found["events"] == f"events stand there again: 1: {trade['sequence']:,}"
    assert found["kafka"] == "1 records stand in the lake twice"
    assert set(found) == {"events", "kafka", "states"}
    for player in (trade["one"], trade["two"]):
        assert f"player {player} at version" in found["states"]
    assert faults(settings) == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gold", "player_1.state.gold + 1"),
        ("item_units", "player_1.state.item_units - 1"),
        ("version", "player_1.state.version + 1"),
        (
            "items",
            "transform(player_1.state.items, i -> named_struct('item_id', i.item_id, 'quantity', i.quantity + 1))",
        ),
    ],
)
def test_a_state_that_was_altered_is_named(
    audited: None, settings: Settings, lake: Lake, spark: SparkSession, field: str, value: str
) -> None:
    trade = new_trade(settings, lake)
    fields = ", ".join(
        f"'{name}', {value if name == field else f'player_1.state.{name}'}"
        for name in spark.table(TABLE).select("player_1.state.*").columns
    )
    state = f"named_struct({fields})"
    side = ", ".join(
        f"'{name}', {state if name == 'state' else f'player_1.{name}'}"
        for name in spark.table(TABLE).select("player_1.*").columns
    )

    def alter(row: DataFrame) -> DataFrame:
        columns = [f"named_struct({side}) as player_1" if name == "player_1" else name for name in row.columns]
        return row.selectExpr(*columns)

    with altered(spark, settings, trade["sequence"], alter):
        found = faults(settings)
    assert "events" not in found
    assert f"player {trade['one']} at version" in found["states"]
    assert f"player {trade['two']} at version" not in found["states"]
    assert faults(settings) == {}


def test_a_state_that_was_altered_after_its_audit_is_found_by_a_full_one(
    audited: None, settings: Settings, lake: Lake, spark: SparkSession
) -> None:
    trade = new_trade(settings, lake)
    assert faults(settings) == {}
    with altered(spark, settings, trade["sequence"], lambda row: row.limit(0)):
        assert set(faults(settings)) == {"events"}
        found = faults(settings, full=True)
    assert found["events"] == f"events {trade['sequence']:,} (1) are missing"
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
    wait_until(lambda: lake.run(sql, (offset, partition(settings))).rows[0][0], 120)
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers.split(","))
    admin.delete_records({TopicPartition(settings.kafka_topic, partition(settings)): offset + 1})
    admin.close()


def test_an_event_that_stands_twice_in_kafka_is_named(audited: None, settings: Settings, lake: Lake) -> None:
    sequence = new_trade(settings, lake)["sequence"]
    offset = send(settings, forged(settings, sequence))
    sql = "select count(*) from lake.haggle.dead_letters where reason = 'duplicate_sequence' and \"offset\" = ?"
    wait_until(lambda: lake.run(sql, (offset,)).rows == [[1]], 120)
    assert faults(settings) == {"kafka": f"events stand there again: 1: {sequence:,} (offset {offset:,})"}
    remove_records(settings, lake, offset)
    assert faults(settings) == {}


def test_a_record_that_is_no_event_is_counted_and_no_fault(audited: None, settings: Settings) -> None:
    send(settings, b"not an event")
    checks = {check.name: check for check in audit(settings)}
    if ", 0 other records" in checks["kafka"].seen:  # it came after what the lake had landed
        checks = {check.name: check for check in audit(settings)}
    assert all(check.ok for check in checks.values())
    assert ", 1 other records" in checks["kafka"].seen
    assert "1 invalid_json" in checks["dead letters"].seen


# ---------------------------------------------------------------- Redis


@pytest.mark.parametrize(
    ("field", "check", "text"),
    [
        ("gold", "balances", "1: player {0}'s gold: 501 in Redis, 500 by the events"),
        ("held_gold", "held by offers", "1: player {0}'s gold: 1 in Redis, 0 by the events"),
        ("version", "balances", "1: player {0} has version 2 in Redis, and 1 by the events"),
    ],
)
def test_a_player_that_was_altered_in_redis_is_named(settings: Settings, field: str, check: str, text: str) -> None:
    idle = post(settings, "/v1/players", {"player_class": "farmer"})["player_id"]
    with Game(settings):
        assert faults(settings) == {}
        client: Any = connect(settings)
        key = Keys(settings.realm).player(idle)
        stored = client.get(key)
        state = msgspec.msgpack.decode(stored)
        state[FIELDS.index(field)] += 1
        client.set(key, msgspec.msgpack.encode(state))
        try:
            assert faults(settings) == {check: text.format(idle)}
        finally:
            client.set(key, stored)
        assert faults(settings) == {}


# ---------------------------------------------------------------- losses


def test_events_lost_for_good_are_named_and_once_accepted_the_audit_goes_on_without_them(
    audited: None, settings: Settings, lake: Lake, spark: SparkSession
) -> None:
    """The last test: what is lost stays lost."""
    trade = new_trade(settings, lake)
    first, last = trade["sequence"], trade["sequence"] + 4
    wait_until(lambda: newest_sequence(lake, settings.realm, 0) > last, 120)
    with pytest.raises(HaggleError, match=f"the lake holds 5 of the events {first:,} to {last:,}"):
        accept_loss(settings, Loss(first, last, "a test"))
    spark.sql(
        f"merge into {TABLE} as events using (select explode(sequence({first}L, {last}L)) as sequence) as gone "
        f"on events.realm = '{settings.realm}' and events.sequence = gone.sequence when matched then delete"
    )
    remove_records(settings, lake, trade["kafka_offset"] + 4)
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
