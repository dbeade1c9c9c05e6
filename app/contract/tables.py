"""The table `events` of `lake.haggle`, and the views over it that people ask: columns, types, keys and meaning.

Spark fills the table and makes the views (jobs/streams), Trino reads them; sql/ddl/, sql/views/ and docs/events.md are
generated from here. The columns of an event are those of app/contract/events.py, nested as the event is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from msgspec import Struct, inspect

from app.contract.events import EVENT_TYPES

CATALOG: Final = "lake"
SCHEMA: Final = "haggle"

FORMER_TABLES: Final = ("trades", "trade_lines", "player_states", "offers", "dead_letters")
"""Names that were tables before there was one table, and are views since; a lake with such tables is refused."""


class ColumnType(Enum):
    """A column's type, as Spark, Trino and DuckDB spell it."""

    STRING = ("string", "varchar", "varchar")
    INT = ("int", "integer", "integer")
    BIGINT = ("bigint", "bigint", "bigint")
    TIMESTAMP = ("timestamp", "timestamp(6) with time zone", "timestamptz")
    BINARY = ("binary", "varbinary", "blob")
    HOLDINGS = (
        "array<struct<item_id: bigint, quantity: bigint>>",
        "array(row(item_id bigint, quantity bigint))",
        "struct(item_id bigint, quantity bigint)[]",
    )

    @property
    def spark(self) -> str:
        """The type in Spark SQL."""
        return self.value[0]

    @property
    def trino(self) -> str:
        """The type in Trino SQL."""
        return self.value[1]

    @property
    def duckdb(self) -> str:
        """The type in DuckDB's SQL."""
        return self.value[2]


@dataclass(frozen=True, slots=True)
class NestedType:
    """The type of a part of an event, as Spark, Trino and DuckDB spell it."""

    spark: str
    trino: str
    duckdb: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table or of a view."""

    name: str
    type: ColumnType | NestedType
    help: str
    nullable: bool = False


# ---------------------------------------------------------------- the columns of an event


def event_columns() -> tuple[Column, ...]:
    """A nullable column for each field of any event type, in the order of the contract; `event_type` comes first."""
    types: dict[str, list[str]] = {}
    fields: dict[str, list[inspect.Type]] = {}
    for event_type in EVENT_TYPES:
        info = _struct_info(event_type)
        for item in info.fields:
            fields.setdefault(item.encode_name, []).append(item.type)
            types.setdefault(item.encode_name, []).append(str(info.tag))
    tags = [str(_struct_info(event_type).tag) for event_type in EVENT_TYPES]
    columns = [Column("event_type", ColumnType.STRING, "what was decided: " + ", ".join(tags), nullable=True)]
    for name, kinds in fields.items():
        merged = _merged_type(kinds)
        whose = "every event" if len(types[name]) == len(tags) else ", ".join(types[name])
        columns.append(Column(name, merged, f"of {whose}", nullable=True))
    return tuple(columns)


def _struct_info(event_type: type[Struct]) -> inspect.StructType:
    info = inspect.type_info(event_type)
    assert isinstance(info, inspect.StructType)
    return info


def without_null(info: inspect.Type) -> tuple[inspect.Type, bool]:
    """The type itself, and whether null is allowed beside it."""
    if isinstance(info, inspect.UnionType):
        (kind,) = [item for item in info.types if not isinstance(item, inspect.NoneType)]
        return kind, True
    return info, False


def _merged_type(kinds: list[inspect.Type]) -> ColumnType | NestedType:
    """The type that holds a field of all the events that have it: a struct gets the fields of all."""
    first, _ = without_null(kinds[0])
    match first:
        case inspect.IntType():
            return ColumnType.BIGINT
        case inspect.StrType() | inspect.EnumType():
            return ColumnType.STRING
        case inspect.DateTimeType():
            return ColumnType.TIMESTAMP
        case inspect.ListType():
            item = _merged_type([first.item_type])
            return NestedType(f"array<{item.spark}>", f"array({item.trino})", f"{item.duckdb}[]")
        case inspect.StructType():
            return _merged_struct(kinds)
    raise TypeError(f"the contract uses a type that the table does not know: {first}")


def _merged_struct(kinds: list[inspect.Type]) -> NestedType:
    fields: dict[str, list[inspect.Type]] = {}
    for info in kinds:
        kind, _ = without_null(info)
        assert isinstance(kind, inspect.StructType)
        for item in kind.fields:
            fields.setdefault(item.encode_name, []).append(item.type)
    merged = {name: _merged_type(types) for name, types in fields.items()}
    spark = ", ".join(f"{name}: {kind.spark}" for name, kind in merged.items())
    trino = ", ".join(f"{name} {kind.trino}" for name, kind in merged.items())
    duckdb = ", ".join(f"{name} {kind.duckdb}" for name, kind in merged.items())
    return NestedType(f"struct<{spark}>", f"row({trino})", f"struct({duckdb})")


# ---------------------------------------------------------------- the table


@dataclass(frozen=True, slots=True)
class Table:
    """One table: what a row is, what identifies it, and by the day of which column it is partitioned."""

    name: str
    grain: str
    key: tuple[str, ...]
    day_of: str
    columns: tuple[Column, ...]

    def ddl(self, dialect: str, schema: str = f"{CATALOG}.{SCHEMA}") -> str:
        """The statement that creates the table if it is missing, in the SQL of `spark`, `trino` or `duckdb`."""
        columns = ",\n".join(
            f"    {column.name} {getattr(column.type, dialect)}{'' if column.nullable else ' not null'}"
            for column in self.columns
        )
        ending = {
            "spark": f"using iceberg\npartitioned by (days({self.day_of}))",
            "trino": f"with (partitioning = array['day({self.day_of})'])",
            "duckdb": "",
        }[dialect]
        return f"create table if not exists {schema}.{self.name} (\n{columns}\n)\n{ending}".rstrip()


EVENTS: Final = Table(
    "events",
    "Kafka record of the topic",
    ("kafka_topic_id", "kafka_partition", "kafka_offset"),
    "occurred_at",
    (
        *event_columns(),
        Column("kafka_topic", ColumnType.STRING, "where it stood in Kafka"),
        Column("kafka_topic_id", ColumnType.STRING, "Kafka's id of the topic: another one after it was made anew"),
        Column("kafka_partition", ColumnType.INT, "where it stood in Kafka"),
        Column("kafka_offset", ColumnType.BIGINT, "where it stood in Kafka"),
        Column("recorded_at", ColumnType.TIMESTAMP, "Kafka's timestamp of the record (UTC)"),
        Column("dead_letter", ColumnType.STRING, "why it is not a valid event; null if it is one", nullable=True),
        Column("kafka_key", ColumnType.BINARY, "the key of a record that is not a valid event", nullable=True),
        Column(
            "raw",
            ColumnType.BINARY,
            "the record as it was: of one that is not a valid event, and of one of a later schema_version",
            nullable=True,
        ),
    ),
)


BATCH: Final = "haggle.batch"
"""In the summary of a snapshot with new events: the number of its micro-batch."""
SEQUENCES: Final = "haggle.sequences"
"""In the same: JSON of the first and the last event of each realm in it, by sequence number."""


# ---------------------------------------------------------------- the views


@dataclass(frozen=True, slots=True)
class Branch:
    """A part of a view: rows of the table where `where` holds. A column without an expression has its own name.

    With `group_by` a row stands for all those in which these are the same.
    """

    where: str
    expressions: Mapping[str, str] = field(default_factory=dict)
    unnest: str = ""
    group_by: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """One view over the table: what a row is, what identifies it, its columns, and where its rows come from."""

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    branches: tuple[Branch, ...]

    def query(self, schema: str = f"{CATALOG}.{SCHEMA}") -> str:
        """The view's query, in Trino SQL."""
        return "\nunion all\n".join(self._select(branch, schema) for branch in self.branches)

    def _select(self, branch: Branch, schema: str) -> str:
        columns = ",\n".join(f"    {self._expression(branch, column)}" for column in self.columns)
        unnest = f"\n{branch.unnest}" if branch.unnest else ""
        group_by = f"\ngroup by {branch.group_by}" if branch.group_by else ""
        return f"select\n{columns}\nfrom {schema}.{EVENTS.name}{unnest}\nwhere {branch.where}{group_by}"

    @staticmethod
    def _expression(branch: Branch, column: Column) -> str:
        expression = branch.expressions.get(column.name, column.name)
        return expression if expression == column.name else f"{expression} as {column.name}"


_REALM = Column("realm", ColumnType.STRING, "the unit of atomicity")
_SEQUENCE = Column("sequence", ColumnType.BIGINT, "the event's place in its realm: 1, 2, 3 … without a gap")
_OCCURRED_AT = Column("occurred_at", ColumnType.TIMESTAMP, "when it was decided (UTC)")
_TRADE_ID = Column("trade_id", ColumnType.STRING, "the caller's or the engine's name of the trade")
_STATUS = Column("status", ColumnType.STRING, "accepted or rejected")
_OFFER_ID = Column("offer_id", ColumnType.STRING, "the offer that it came of; null if of none", nullable=True)

_DECIDED_TRADES: Final = "event_type in ('trade_accepted', 'trade_rejected')"
_TRADE_STATUS: Final = "if(event_type = 'trade_accepted', 'accepted', 'rejected')"
_OFFER_EVENTS: Final = "event_type in ('offer_made', 'offer_rejected', 'offer_closed')"


def _given(side: int, what: str, verb: str) -> tuple[Column, ...]:
    return (
        Column(f"player_{side}_id", ColumnType.BIGINT, f"player {side} of the {what}"),
        Column(f"player_{side}_gold", ColumnType.BIGINT, f"gold that player {side} {verb}"),
        Column(
            f"player_{side}_item_value",
            ColumnType.BIGINT,
            f"gold value of the items that player {side} {verb}; null if one is unknown or it exceeds 2^53-1",
            nullable=True,
        ),
    )


def _given_expressions(side: int) -> Iterator[tuple[str, str]]:
    yield f"player_{side}_id", f"player_{side}.player_id"
    yield f"player_{side}_gold", f"player_{side}.gold"
    yield f"player_{side}_item_value", f"player_{side}.item_value"
    yield f"player_{side}_lines", f"cast(cardinality(player_{side}.items) as integer)"
    yield f"player_{side}_items", _holdings(f"player_{side}.items")


def _holdings(lines: str) -> str:
    """Lines without their values."""
    return f"transform({lines}, line -> cast(row(line.item_id, line.quantity) as {ColumnType.HOLDINGS.trino[6:-1]}))"


_GIVEN_EXPRESSIONS: Final = dict(pair for side in (1, 2) for pair in _given_expressions(side))

TRADES: Final = View(
    "trades",
    "decided trade",
    ("realm", "sequence"),
    (
        _REALM,
        _SEQUENCE,
        _OCCURRED_AT,
        _TRADE_ID,
        _STATUS,
        Column("reason", ColumnType.STRING, "why it was rejected; null if accepted", nullable=True),
        *_given(1, "trade", "gives"),
        Column("player_1_lines", ColumnType.INT, "item lines that player 1 gives: its rows in trade_lines"),
        *_given(2, "trade", "gives"),
        Column("player_2_lines", ColumnType.INT, "item lines that player 2 gives: its rows in trade_lines"),
        _OFFER_ID,
    ),
    (Branch(_DECIDED_TRADES, {"status": _TRADE_STATUS, **_GIVEN_EXPRESSIONS}),),
)


def _lines_of(side: int) -> Branch:
    line = {name: f"line.{name}" for name in ("item_id", "quantity", "value")}
    return Branch(
        _DECIDED_TRADES,
        {"status": _TRADE_STATUS, "side": str(side), "player_id": f"player_{side}.player_id", **line},
        f"cross join unnest(player_{side}.items) as line (item_id, quantity, value)",
    )


TRADE_LINES: Final = View(
    "trade_lines",
    "item line of a decided trade and side",
    ("realm", "sequence", "side", "item_id"),
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
    (_lines_of(1), _lines_of(2)),
)

_STATE_FIELDS: Final = ("version", "gold", "item_units", "distinct_items", "item_value", "items")
_STATES_OF_PLAYERS: Final = "event_type in ('player_created', 'player_renamed', 'player_forgotten', 'player_adjusted')"


def _states_of(where: str, player: str = "") -> Branch:
    """The states that events give a player: of the event itself, or of one of its sides."""
    state = {name: f"{player}state.{name}" for name in _STATE_FIELDS}
    if not player:
        return Branch(where, state)
    nobody = {"username": "cast(null as varchar)", "player_class": "cast(null as varchar)"}
    return Branch(where, {"player_id": f"{player}player_id", **nobody, **state})


PLAYER_STATES: Final = View(
    "player_states",
    "state that a player was in",
    ("realm", "player_id", "version"),
    (
        _REALM,
        Column("player_id", ColumnType.BIGINT, "the player"),
        Column("version", ColumnType.BIGINT, "1 at creation, one more with each accepted change"),
        Column("sequence", ColumnType.BIGINT, "the event that led to this state"),
        _OCCURRED_AT,
        Column("username", ColumnType.STRING, "given with this state; null if none was, or forgotten", nullable=True),
        Column("player_class", ColumnType.STRING, "given at creation; null in later states", nullable=True),
        Column("gold", ColumnType.BIGINT, "gold held"),
        Column("item_units", ColumnType.BIGINT, "item units held"),
        Column("distinct_items", ColumnType.BIGINT, "different items held"),
        Column("item_value", ColumnType.BIGINT, "gold value of all items held, by the catalog of then"),
        Column("items", ColumnType.HOLDINGS, "new quantities of the items that changed; all of them at creation"),
    ),
    (
        _states_of(_STATES_OF_PLAYERS),
        _states_of("event_type in ('trade_accepted', 'offer_made', 'offer_closed')", "player_1."),
        _states_of("event_type = 'trade_accepted'", "player_2."),
    ),
)

PLAYERS: Final = View(
    "players",
    "player",
    ("realm", "player_id"),
    (
        _REALM,
        Column("player_id", ColumnType.BIGINT, "the player"),
        Column("username", ColumnType.STRING, "its newest one; null once it is forgotten", nullable=True),
        Column("external_id", ColumnType.STRING, "what the game calls it; null if nothing or forgotten", nullable=True),
        Column("player_class", ColumnType.STRING, "its class"),
        Column("created_at", ColumnType.TIMESTAMP, "when it was created (UTC)"),
        Column("forgotten_at", ColumnType.TIMESTAMP, "when it was forgotten (UTC); null if it was not", nullable=True),
    ),
    (
        Branch(
            "event_type in ('player_created', 'player_renamed', 'player_forgotten')",
            {
                # that of its newest event, which has none if it was forgotten
                "username": "max_by(username, sequence)",
                "external_id": "if(count_if(event_type = 'player_forgotten') = 0, max(external_id))",
                "player_class": "max(player_class)",
                "created_at": "min(occurred_at)",
                "forgotten_at": "max(if(event_type = 'player_forgotten', occurred_at))",
            },
            group_by="realm, player_id",
        ),
    ),
)

# ---------------------------------------------------------------- what the game gives and takes

_ADJUSTMENTS: Final = "event_type in ('player_adjusted', 'adjustment_rejected')"
_ADJUSTMENT_STATUS: Final = "if(event_type = 'player_adjusted', 'accepted', 'rejected')"
_ADJUSTMENT_ID = Column("adjustment_id", ColumnType.STRING, "the caller's or the engine's name of the adjustment")
_ADJUSTMENT_REASON = Column("adjustment_reason", ColumnType.STRING, "why the game gives or takes")


def _goods(direction: str) -> tuple[Column, ...]:
    return (
        Column(f"{direction}_gold", ColumnType.BIGINT, f"gold {direction}"),
        Column(
            f"{direction}_item_value",
            ColumnType.BIGINT,
            f"gold value of the items {direction}; null if one is unknown or it exceeds 2^53-1",
            nullable=True,
        ),
        Column(f"{direction}_items", ColumnType.HOLDINGS, f"item units {direction}"),
    )


def _goods_expressions() -> Iterator[tuple[str, str]]:
    for direction in ("given", "taken"):
        yield f"{direction}_gold", f"{direction}.gold"
        yield f"{direction}_item_value", f"{direction}.item_value"
        yield f"{direction}_items", _holdings(f"{direction}.items")


ADJUSTMENTS: Final = View(
    "adjustments",
    "decided adjustment",
    ("realm", "sequence"),
    (
        _REALM,
        _SEQUENCE,
        _OCCURRED_AT,
        _ADJUSTMENT_ID,
        _STATUS,
        Column("reason", ColumnType.STRING, "why it was rejected; null if accepted", nullable=True),
        Column("player_id", ColumnType.BIGINT, "the player"),
        _ADJUSTMENT_REASON,
        Column("reference", ColumnType.STRING, "the game's own note", nullable=True),
        *_goods("given"),
        *_goods("taken"),
    ),
    (Branch(_ADJUSTMENTS, {"status": _ADJUSTMENT_STATUS, **dict(_goods_expressions())}),),
)


def _adjustment_lines_of(direction: str) -> Branch:
    line = {name: f"line.{name}" for name in ("item_id", "quantity", "value")}
    return Branch(
        _ADJUSTMENTS,
        {"status": _ADJUSTMENT_STATUS, "direction": f"'{direction}'", **line},
        f"cross join unnest({direction}.items) as line (item_id, quantity, value)",
    )


ADJUSTMENT_LINES: Final = View(
    "adjustment_lines",
    "item line of a decided adjustment",
    ("realm", "sequence", "direction", "item_id"),
    (
        _REALM,
        _SEQUENCE,
        _OCCURRED_AT,
        _ADJUSTMENT_ID,
        _STATUS,
        Column("direction", ColumnType.STRING, "given or taken"),
        Column("player_id", ColumnType.BIGINT, "the player"),
        _ADJUSTMENT_REASON,
        Column("item_id", ColumnType.BIGINT, "the item"),
        Column("quantity", ColumnType.BIGINT, "units"),
        Column("value", ColumnType.BIGINT, "gold value of one unit; null if the item is unknown", nullable=True),
    ),
    (_adjustment_lines_of("given"), _adjustment_lines_of("taken")),
)

# ---------------------------------------------------------------- the catalog

_CATALOGS: Final = "event_type = 'catalog_published'"
_EACH_ITEM: Final = "cross join unnest(catalog_items) as item (item_id, name, level, value)"
_EACH_CLASS: Final = "cross join unnest(catalog_classes) as class (name, weight, gold, items)"
_CATALOG_VERSION = Column("catalog_version", ColumnType.BIGINT, "the newest version of the catalog that has it")


def _newest(row: str, *names: str) -> dict[str, str]:
    """Of the newest version that has the row."""
    return {
        **{name: f"max_by({row}.{name}, sequence)" for name in names},
        "catalog_version": "max_by(catalog_version, sequence)",
    }


_ITEM_COLUMNS: Final = (
    Column("item_id", ColumnType.BIGINT, "the item"),
    Column("name", ColumnType.STRING, "its name"),
    Column("level", ColumnType.BIGINT, "its level"),
    Column("value", ColumnType.BIGINT, "gold value of one unit"),
)

ITEMS: Final = View(
    "items",
    "kind of item that was ever in the catalog, as it was last",
    ("realm", "item_id"),
    (_REALM, *_ITEM_COLUMNS, _CATALOG_VERSION),
    (
        Branch(
            _CATALOGS,
            {"item_id": "item.item_id", **_newest("item", "name", "level", "value")},
            _EACH_ITEM,
            "realm, item.item_id",
        ),
    ),
)

ITEM_VALUES: Final = View(
    "item_values",
    "kind of item in a version of the catalog",
    ("realm", "catalog_version", "item_id"),
    (
        _REALM,
        Column("catalog_version", ColumnType.BIGINT, "the version of the catalog"),
        Column("sequence", ColumnType.BIGINT, "the event from which on this holds, until that of the next version"),
        Column("since", ColumnType.TIMESTAMP, "when it was published (UTC)"),
        *_ITEM_COLUMNS,
    ),
    (
        Branch(
            _CATALOGS,
            {"since": "occurred_at", **{column.name: f"item.{column.name}" for column in _ITEM_COLUMNS}},
            _EACH_ITEM,
        ),
    ),
)

CLASSES: Final = View(
    "classes",
    "class that was ever in the catalog, as it was last",
    ("realm", "name"),
    (
        _REALM,
        Column("name", ColumnType.STRING, "its name"),
        Column("weight", ColumnType.BIGINT, "its share of random draws"),
        Column("gold", ColumnType.BIGINT, "gold that it starts with"),
        Column("items", ColumnType.HOLDINGS, "item units that it starts with"),
        _CATALOG_VERSION,
    ),
    (
        Branch(
            _CATALOGS,
            {"name": "class.name", **_newest("class", "weight", "gold", "items")},
            _EACH_CLASS,
            "realm, class.name",
        ),
    ),
)

# ---------------------------------------------------------------- offers

OFFERS: Final = View(
    "offers",
    "status that an offer reached",
    ("realm", "sequence"),
    (
        _REALM,
        _SEQUENCE,
        _OCCURRED_AT,
        Column("offer_id", ColumnType.STRING, "the caller's or the engine's name of the offer"),
        Column("status", ColumnType.STRING, "made, rejected, accepted (a trade), declined, cancelled or expired"),
        Column("reason", ColumnType.STRING, "why it was rejected; null if it was not", nullable=True),
        Column("expires_at", ColumnType.TIMESTAMP, "when it expires (UTC); null if accepted", nullable=True),
        *_given(1, "offer", "offers"),
        Column("player_1_items", ColumnType.HOLDINGS, "item units that player 1 offers"),
        *_given(2, "offer", "is asked for"),
        Column("player_2_items", ColumnType.HOLDINGS, "item units that player 2 is asked for"),
    ),
    (
        Branch(
            f"{_OFFER_EVENTS} or (event_type = 'trade_accepted' and offer_id is not null)",
            {
                "status": "case event_type when 'offer_made' then 'made' when 'offer_rejected' then 'rejected' "
                "when 'trade_accepted' then 'accepted' else outcome end",
                **_GIVEN_EXPRESSIONS,
            },
        ),
    ),
)

DEAD_LETTERS: Final = View(
    "dead_letters",
    "Kafka record that is not a valid event",
    ("topic_id", "partition", "offset"),
    (
        Column("topic", ColumnType.STRING, "where it stood in Kafka"),
        Column("partition", ColumnType.INT, "where it stood in Kafka"),
        Column("offset", ColumnType.BIGINT, "where it stood in Kafka"),
        Column("recorded_at", ColumnType.TIMESTAMP, "Kafka's timestamp of the record (UTC)"),
        Column("reason", ColumnType.STRING, "why it is not a valid event"),
        Column("key", ColumnType.BINARY, "the record's key, as it was", nullable=True),
        Column("value", ColumnType.BINARY, "the record's value, as it was", nullable=True),
        Column("topic_id", ColumnType.STRING, "Kafka's id of the topic: another one after it was made anew"),
    ),
    (
        Branch(
            "dead_letter is not null",
            {
                "topic": "kafka_topic",
                "topic_id": "kafka_topic_id",
                "partition": "kafka_partition",
                "offset": "kafka_offset",
                "reason": "dead_letter",
                "key": "kafka_key",
                "value": "raw",
            },
        ),
    ),
)

VIEWS: Final = (
    TRADES, TRADE_LINES, PLAYERS, PLAYER_STATES, OFFERS, ADJUSTMENTS, ADJUSTMENT_LINES, ITEMS, ITEM_VALUES, CLASSES,
    DEAD_LETTERS,
)  # fmt: skip
