"""The tables of `lake.haggle`: columns, types, keys and meaning.

Spark creates and fills them (jobs/streams), Trino reads them, and sql/ddl/ and docs/events.md are
generated from here.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

CATALOG: Final = "lake"
SCHEMA: Final = "haggle"


class ColumnType(Enum):
    """A column's type, as Spark and as Trino spell it."""

    STRING = ("string", "varchar")
    INT = ("int", "integer")
    BIGINT = ("bigint", "bigint")
    TIMESTAMP = ("timestamp", "timestamp(6) with time zone")
    BINARY = ("binary", "varbinary")
    HOLDINGS = (
        "array<struct<item_id: bigint, quantity: bigint>>",
        "array(row(item_id bigint, quantity bigint))",
    )

    @property
    def spark(self) -> str:
        """The type in Spark SQL."""
        return self.value[0]

    @property
    def trino(self) -> str:
        """The type in Trino SQL."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    type: ColumnType
    help: str
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table: what a row is, what identifies it, and by the day of which column it is partitioned."""

    name: str
    grain: str
    key: tuple[str, ...]
    day_of: str
    columns: tuple[Column, ...]

    def ddl(self, dialect: str, schema: str = f"{CATALOG}.{SCHEMA}") -> str:
        """The statement that creates the table if it is missing, in `spark` or `trino` SQL."""
        columns = ",\n".join(
            f"    {column.name} {getattr(column.type, dialect)}{'' if column.nullable else ' not null'}"
            for column in self.columns
        )
        ending = {
            "spark": f"using iceberg\npartitioned by (days({self.day_of}))",
            "trino": f"with (partitioning = array['day({self.day_of})'])",
        }[dialect]
        return f"create table if not exists {schema}.{self.name} (\n{columns}\n)\n{ending}"


_REALM = Column("realm", ColumnType.STRING, "the unit of atomicity")
_SEQUENCE = Column("sequence", ColumnType.BIGINT, "the event's place in its realm: 1, 2, 3 … without a gap")
_OCCURRED_AT = Column("occurred_at", ColumnType.TIMESTAMP, "when it was decided (UTC)")
_TRADE_ID = Column("trade_id", ColumnType.STRING, "the caller's or the engine's name of the trade")
_STATUS = Column("status", ColumnType.STRING, "accepted or rejected")
_OFFER_ID = Column("offer_id", ColumnType.STRING, "the offer that it came of; null if of none", nullable=True)


def _given(side: int) -> tuple[Column, ...]:
    return (
        Column(f"player_{side}_id", ColumnType.BIGINT, f"player {side} of the trade"),
        Column(f"player_{side}_gold", ColumnType.BIGINT, f"gold that player {side} gives"),
        Column(
            f"player_{side}_item_value",
            ColumnType.BIGINT,
            f"gold value of the items that player {side} gives; null if one is unknown or it exceeds 2^53-1",
            nullable=True,
        ),
        Column(f"player_{side}_lines", ColumnType.INT, f"item lines that player {side} gives: its rows in trade_lines"),
    )


def _offered(side: int, verb: str) -> tuple[Column, ...]:
    return (
        Column(f"player_{side}_id", ColumnType.BIGINT, f"player {side} of the offer"),
        Column(f"player_{side}_gold", ColumnType.BIGINT, f"gold that player {side} {verb}"),
        Column(
            f"player_{side}_item_value",
            ColumnType.BIGINT,
            f"gold value of the items that player {side} {verb}; null if one is unknown or it exceeds 2^53-1",
            nullable=True,
        ),
        Column(f"player_{side}_items", ColumnType.HOLDINGS, f"item units that player {side} {verb}"),
    )


TRADES: Final = Table(
    "trades",
    "decided trade",
    ("realm", "sequence"),
    "occurred_at",
    (
        _REALM,
        _SEQUENCE,
        _OCCURRED_AT,
        _TRADE_ID,
        _STATUS,
        Column("reason", ColumnType.STRING, "why it was rejected; null if accepted", nullable=True),
        *_given(1),
        *_given(2),
        _OFFER_ID,
    ),
)

TRADE_LINES: Final = Table(
    "trade_lines",
    "item line of a decided trade and side",
    ("realm", "sequence", "side", "item_id"),
    "occurred_at",
    (
        _REALM,
        _SEQUENCE,
        _OCCURRED_AT,
        _TRADE_ID,
        _STATUS,
        Column("side", ColumnType.INT, "1 or 2: the player that gives"),
        Column("player_id", ColumnType.BIGINT, "the player that gives"),
        Column("item_id", ColumnType.BIGINT, "the item given"),
        Column("quantity", ColumnType.BIGINT, "units given"),
        Column("value", ColumnType.BIGINT, "gold value of one unit; null if the item is unknown", nullable=True),
    ),
)

PLAYER_STATES: Final = Table(
    "player_states",
    "state that a player was in",
    ("realm", "player_id", "version"),
    "occurred_at",
    (
        _REALM,
        Column("player_id", ColumnType.BIGINT, "the player"),
        Column("version", ColumnType.BIGINT, "1 at creation, one more with each accepted change"),
        Column("sequence", ColumnType.BIGINT, "the event that led to this state"),
        _OCCURRED_AT,
        Column("username", ColumnType.STRING, "given at creation; null in later states", nullable=True),
        Column("player_class", ColumnType.STRING, "given at creation; null in later states", nullable=True),
        Column("gold", ColumnType.BIGINT, "gold held"),
        Column("item_units", ColumnType.BIGINT, "item units held"),
        Column("distinct_items", ColumnType.BIGINT, "different items held"),
        Column("item_value", ColumnType.BIGINT, "gold value of all items held"),
        Column("items", ColumnType.HOLDINGS, "new quantities of the items that changed; all of them at creation"),
    ),
)

OFFERS: Final = Table(
    "offers",
    "status that an offer reached",
    ("realm", "sequence"),
    "occurred_at",
    (
        _REALM,
        _SEQUENCE,
        _OCCURRED_AT,
        Column("offer_id", ColumnType.STRING, "the caller's or the engine's name of the offer"),
        Column("status", ColumnType.STRING, "made, rejected, accepted (a trade), declined, cancelled or expired"),
        Column("reason", ColumnType.STRING, "why it was rejected; null if it was not", nullable=True),
        Column("expires_at", ColumnType.TIMESTAMP, "when it expires (UTC); null if accepted", nullable=True),
        *_offered(1, "offers"),
        *_offered(2, "is asked for"),
    ),
)

DEAD_LETTERS: Final = Table(
    "dead_letters",
    "Kafka record that is not a valid event",
    ("topic", "partition", "offset"),
    "recorded_at",
    (
        Column("topic", ColumnType.STRING, "where it stood in Kafka"),
        Column("partition", ColumnType.INT, "where it stood in Kafka"),
        Column("offset", ColumnType.BIGINT, "where it stood in Kafka"),
        Column("recorded_at", ColumnType.TIMESTAMP, "Kafka's timestamp of the record (UTC)"),
        Column("reason", ColumnType.STRING, "why it is not a valid event"),
        Column("key", ColumnType.BINARY, "the record's key, as it was", nullable=True),
        Column("value", ColumnType.BINARY, "the record's value, as it was", nullable=True),
    ),
)

TABLES: Final = (TRADES, TRADE_LINES, PLAYER_STATES, OFFERS, DEAD_LETTERS)
