"""Events for golden tests: contract events with as little said as a test needs, and the table that holds them.

The table stands in a catalog of the tests, which Trino may write to, made by the contract's DDL; the views over it are
those of the contract. So a question is tested together with the views that it asks.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec

from app.contract.events import (
    SCHEMA_VERSION,
    AdjustmentRejected,
    CatalogClass,
    CatalogItem,
    CatalogPublished,
    Event,
    Goods,
    ItemUnits,
    Line,
    OfferClosed,
    OfferMade,
    OfferRejected,
    PlayerAdjusted,
    PlayerCreated,
    PlayerForgotten,
    PlayerRenamed,
    Side,
    SideAfter,
    State,
    TradeAccepted,
    TradeRejected,
)
from app.contract.reasons import AdjustmentReason, DeadLetter, OfferOutcome, Rejection
from app.contract.tables import CATALOG, EVENTS, SCHEMA, VIEWS, Column, ColumnType
from jobs.lake.aggregates import aggregates
from jobs.lake.components import TRADE_COMPONENTS, ddl
from jobs.lake.questions import stored_questions
from jobs.lake.trino import SQL, Lake, Result
from tests.economy import ITEMS

START = datetime(2026, 1, 1, tzinfo=UTC)
TOPIC_ID = "topic-id-1"


# ---------------------------------------------------------------- events


def at(sequence: int) -> datetime:
    """Event n happens n seconds after the start."""
    return START + timedelta(seconds=sequence)


def created(
    player: int, sequence: int, holds: Mapping[int, int] | None = None, *, player_class: str = "farmer", **more: Any
) -> PlayerCreated:
    """A creation of a player that holds these units; `more` is `realm`, or what differs of its state."""
    envelope = _envelope(sequence, more)
    after = state(1, holds or {}, **more)
    return PlayerCreated(
        player_id=player, username=f"u{player}", player_class=player_class, max_capacity=999, state=after, **envelope
    )


def published(version: int, sequence: int, values: Mapping[int, int], **more: Any) -> CatalogPublished:
    """A catalog of items with these values, each named after its id and the version, and of one class."""
    return CatalogPublished(
        catalog_version=version,
        max_capacity=999,
        catalog_items=[CatalogItem(item, f"item {item} v{version}", 1, value) for item, value in values.items()],
        catalog_classes=[CatalogClass("farmer", version, 10, [ItemUnits(5, version)])],
        **_envelope(sequence, more),
    )


def renamed(player: int, sequence: int, username: str | None, after: State, **more: Any) -> PlayerRenamed:
    """A player with another username."""
    return PlayerRenamed(player_id=player, username=username, state=after, **_envelope(sequence, more))


def forgotten(player: int, sequence: int, after: State, **more: Any) -> PlayerForgotten:
    """A player that was forgotten."""
    return PlayerForgotten(player_id=player, state=after, **_envelope(sequence, more))


def goods(items: Mapping[int, int] | None = None, gold: int = 0) -> Goods:
    """What the game gives or takes."""
    given = side(1, items, gold)
    return Goods(gold=gold, item_value=given.item_value, items=given.items)


def adjusted(player: int, sequence: int, given: Goods, taken: Goods, after: State, **more: Any) -> PlayerAdjusted:
    """What the game gave and took; `more` may have `why`."""
    return PlayerAdjusted(
        adjustment_id=f"a{sequence}",
        player_id=player,
        adjustment_reason=more.pop("why", AdjustmentReason.CRAFT),
        reference="a note",
        given=given,
        taken=taken,
        state=after,
        **_envelope(sequence, more),
    )


def adjustment_refused(player: int, sequence: int, given: Goods, taken: Goods, **more: Any) -> AdjustmentRejected:
    """What the game would have given and taken."""
    return AdjustmentRejected(
        adjustment_id=f"a{sequence}",
        player_id=player,
        adjustment_reason=AdjustmentReason.DECAY,
        reason=Rejection.INSUFFICIENT_GOLD,
        given=given,
        taken=taken,
        **_envelope(sequence, more),
    )


def state(version: int, changed: Mapping[int, int] | None = None, **more: int) -> State:
    """A state; what `more` does not say is as if the player held what changed, and nothing else."""
    units = changed or {}
    derived = {
        "gold": 0,
        "item_units": sum(units.values()),
        "distinct_items": sum(1 for quantity in units.values() if quantity),
        "item_value": sum(_value(item) * quantity for item, quantity in units.items()),
    }
    return State(version=version, items=[ItemUnits(*pair) for pair in units.items()], **(derived | more))


def side(player: int, items: Mapping[int, int] | None = None, gold: int = 0) -> Side:
    """What a player gives; the item value is null where an item is unknown."""
    lines = [Line(item, quantity, _value(item) or None) for item, quantity in (items or {}).items()]
    values = [line.value and line.value * line.quantity for line in lines]
    value = None if None in values else sum(value for value in values if value)
    return Side(player_id=player, gold=gold, item_value=value, items=lines)


def settled(given: Side, after: State) -> SideAfter:
    """A side with the state that its player is in afterwards."""
    return SideAfter(
        player_id=given.player_id, gold=given.gold, item_value=given.item_value, items=given.items, state=after
    )


def accepted(sequence: int, one: SideAfter, two: SideAfter, *, offer_id: str | None = None, **more: Any) -> Event:
    """A trade that was accepted."""
    return TradeAccepted(
        trade_id=f"t{sequence}", offer_id=offer_id, player_1=one, player_2=two, **_envelope(sequence, more)
    )


def rejected(sequence: int, one: Side, two: Side, *, offer_id: str | None = None, **more: Any) -> Event:
    """A trade that was refused."""
    return TradeRejected(
        trade_id=f"t{sequence}",
        offer_id=offer_id,
        reason=Rejection.INSUFFICIENT_GOLD,
        player_1=one,
        player_2=two,
        **_envelope(sequence, more),
    )


def offered(sequence: int, offer_id: str, one: SideAfter, two: Side, **more: Any) -> Event:
    """An offer that was made."""
    return OfferMade(offer_id=offer_id, expires_at=at(9_999), player_1=one, player_2=two, **_envelope(sequence, more))


def offer_refused(sequence: int, offer_id: str, one: Side, two: Side, **more: Any) -> Event:
    """An offer that was refused."""
    return OfferRejected(
        offer_id=offer_id,
        expires_at=at(9_999),
        reason=Rejection.SAME_PLAYER,
        player_1=one,
        player_2=two,
        **_envelope(sequence, more),
    )


def closed(sequence: int, offer_id: str, outcome: OfferOutcome, one: SideAfter, two: Side, **more: Any) -> Event:
    """An offer that ended without a trade."""
    return OfferClosed(
        offer_id=offer_id,
        expires_at=at(9_999),
        outcome=outcome,
        player_1=one,
        player_2=two,
        **_envelope(sequence, more),
    )


def _envelope(sequence: int, more: dict[str, Any]) -> dict[str, Any]:
    """What each event carries; `more` may have `realm`, and `when` it happened."""
    realm = more.pop("realm", "r")
    return {
        "event_id": f"{realm}:{sequence}",
        "schema_version": SCHEMA_VERSION,
        "realm": realm,
        "sequence": sequence,
        "occurred_at": more.pop("when", at(sequence)),
    }


def _value(item: int) -> int:
    return ITEMS[item].value if item in ITEMS else 0


# ---------------------------------------------------------------- the table


class Events:
    """The table `events` and the views over it in a schema of their own. `lake` may write to `catalog`."""

    def __init__(self, lake: Lake, schema: str) -> None:
        self.lake = lake
        self.schema = schema
        self._offsets = count()
        self._is_connected = False
        lake.run(f"create schema if not exists {schema}")
        lake.run(EVENTS.ddl("trino", schema))
        lake.run(ddl("trino", schema))
        for view in VIEWS:
            lake.run(f"create or replace view {schema}.{view.name} as {view.query(schema)}")
        for aggregate in aggregates():
            lake.run(f"create or replace view {schema}.{aggregate.name} as {self.here(aggregate.direct)}")
        for question in stored_questions():
            lake.run(f"create or replace view {schema}.{question.name} as {self.here(question.sql)}")

    def insert(self, *events: Event, partition: int = 0, topic_id: str = TOPIC_ID) -> None:
        """Lands events as the streams do, each at the next offset."""
        self._insert(
            {**msgspec.to_builtins(event, builtin_types=(datetime,)), **self._place(partition, topic_id)}
            for event in events
        )

    def insert_dead(
        self, *values: bytes | None, reason: DeadLetter = DeadLetter.INVALID_JSON, key: bytes | None = b"r"
    ) -> None:
        """Lands records that are not valid events."""
        dead = {"dead_letter": reason.value, "kafka_key": key}
        self._insert({**dead, "raw": value, **self._place(0, TOPIC_ID)} for value in values)

    def _place(self, partition: int, topic_id: str) -> dict[str, Any]:
        offset = next(self._offsets)
        place = {"kafka_topic": "topic", "kafka_topic_id": topic_id, "kafka_partition": partition}
        return {**place, "kafka_offset": offset, "recorded_at": START}

    def _insert(self, rows: Iterable[Mapping[str, Any]]) -> None:
        literals = [", ".join(_literal(column, row.get(column.name)) for column in EVENTS.columns) for row in rows]
        self.lake.run(f"insert into {self.schema}.{EVENTS.name} values ({'), ('.join(literals)})")

    def ask(self, name: str, *parameters: Any) -> list[list[Any]]:
        """The rows that sql/<name>.sql gives over this table."""
        return self.result(name, *parameters).rows

    def result(self, name: str, *parameters: Any) -> Result:
        """What sql/<name>.sql gives over this table."""
        return self.lake.run(self.here((SQL / f"{name}.sql").read_text()), parameters)

    def run(self, sql: str, *parameters: Any) -> list[list[Any]]:
        """The rows of any statement; what it says of the lake is meant of this table."""
        return self.lake.run(self.here(sql), parameters).rows

    def here(self, sql: str) -> str:
        """A statement that says `lake.haggle`, meant of this table."""
        return sql.replace(f"{CATALOG}.{SCHEMA}.", f"{self.schema}.")

    def connect(self, *components: tuple[str, int, int, int]) -> None:
        """Puts rows into trade_components, as maintenance does."""
        self._is_connected = True
        rows = ", ".join(str(row) for row in components)
        self.lake.run(f"insert into {self.schema}.{TRADE_COMPONENTS} values {rows}")

    def disconnect(self) -> None:
        """Empties trade_components."""
        if self._is_connected:
            self.lake.run(f"delete from {self.schema}.{TRADE_COMPONENTS}")
        self._is_connected = False

    def clear(self) -> None:
        """Empties all tables."""
        self.lake.run(f"delete from {self.schema}.{EVENTS.name}")
        self.disconnect()


def _literal(column: Column, value: Any) -> str:
    if value is None:
        return "null"
    match column.type:
        case ColumnType.STRING:
            return _quoted(value)
        case ColumnType.INT | ColumnType.BIGINT:
            return str(value)
        case ColumnType.TIMESTAMP:
            return f"timestamp '{value:%Y-%m-%d %H:%M:%S.%f} UTC'"
        case ColumnType.BINARY:
            return f"X'{value.hex()}'"
    return f"cast(json {_quoted(msgspec.json.encode(value).decode())} as {column.type.trino})"


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
