"""Tables that maintenance derives from `events`, since SQL cannot say them in bounded steps: whom trades connect.

`pair_edges` has the pairs of players that had an accepted trade, `trade_components` the players that are connected
through such pairs. Both are made anew as a whole, each in one commit; `sequence` is the newest accepted trade of the
realm that they know of. As long as maintenance has not run they are empty.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.contract.tables import CATALOG, EVENTS, SCHEMA, Column, ColumnType

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_PROPERTIES: Final = (
    "'write.metadata.delete-after-commit.enabled' = 'true', 'write.metadata.previous-versions-max' = '2'"
)
_GROWN_PERCENT: Final = 10
_OLD_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class DerivedTable:
    """One table that follows from the events."""

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    def ddl(self, dialect: str, schema: str = f"{CATALOG}.{SCHEMA}") -> str:
        """The statement that creates the table if it is missing, in the SQL of `spark`, `trino` or `duckdb`."""
        columns = ", ".join(f"{column.name} {getattr(column.type, dialect)}" for column in self.columns)
        ending = f" using iceberg tblproperties ({_PROPERTIES})" if dialect == "spark" else ""
        return f"create table if not exists {schema}.{self.name} ({columns}){ending}"


_REALM = Column("realm", ColumnType.STRING, "the unit of atomicity")
_SEQUENCE = Column("sequence", ColumnType.BIGINT, "the newest accepted trade of the realm that is counted")

PAIR_EDGES: Final = DerivedTable(
    "pair_edges",
    "pair of players that had an accepted trade",
    ("realm", "lower_id", "higher_id"),
    (
        _REALM,
        Column("lower_id", ColumnType.BIGINT, "the one of the two with the lower player_id"),
        Column("higher_id", ColumnType.BIGINT, "the other"),
        Column("trades", ColumnType.BIGINT, "their accepted trades"),
        Column("upward_value", ColumnType.BIGINT, "value that the one with the lower player_id gave"),
        Column("downward_value", ColumnType.BIGINT, "value that it got"),
        _SEQUENCE,
    ),
)

TRADE_COMPONENTS: Final = DerivedTable(
    "trade_components",
    "player that had an accepted trade",
    ("realm", "player_id"),
    (
        _REALM,
        Column("player_id", ColumnType.BIGINT, "the player"),
        Column("component", ColumnType.BIGINT, "the lowest player_id among those that it is connected with"),
        _SEQUENCE,
    ),
)

DERIVED: Final = (PAIR_EDGES, TRADE_COMPONENTS)

_TABLE: Final = f"{CATALOG}.{SCHEMA}.{EVENTS.name}"
_EDGES: Final = f"""
with swaps as (
    select
        realm,
        sequence,
        player_1.player_id as one,
        player_2.player_id as two,
        player_1.gold + player_1.item_value as value_1,
        player_2.gold + player_2.item_value as value_2
    from {_TABLE}
    where event_type = 'trade_accepted'
),

pairs as (
    select
        realm,
        least(one, two) as lower_id,
        greatest(one, two) as higher_id,
        count(*) as trades,
        sum(if(one < two, value_1, value_2)) as upward_value,
        sum(if(one < two, value_2, value_1)) as downward_value,
        max(sequence) as newest
    from swaps
    group by realm, least(one, two), greatest(one, two)
)

select
    realm,
    lower_id,
    higher_id,
    trades,
    upward_value,
    downward_value,
    max(newest) over (partition by realm) as sequence
from pairs
"""  # noqa: S608 - of the table's own name


def prepare(spark: "SparkSession") -> None:
    """Makes the tables if they are missing, empty."""
    for table in DERIVED:
        spark.sql(table.ddl("spark"))


def is_due(rows: int, known_rows: int, age_s: float) -> bool:
    """Whether the tables are to be made anew of so many rows: there are a tenth more, or any more and a day is over.

    So all makings of a growing lake together read each event a few times, and a day each of a large one.
    """
    grown = rows - known_rows
    return grown != 0 and (age_s >= _OLD_S or 100 * grown >= _GROWN_PERCENT * known_rows)


def derive(spark: "SparkSession") -> None:
    """Makes both tables anew of what has landed."""
    from pyspark.sql import functions as f  # noqa: PLC0415 - it takes a second, for which other users need not wait

    edges, components = (f"{CATALOG}.{SCHEMA}.{table.name}" for table in DERIVED)
    spark.sql(f"insert overwrite {edges} {_EDGES}").collect()
    pairs = spark.table(edges).select("realm", "lower_id", "higher_id", "sequence").orderBy("realm")
    rows = components_of(tuple(pair) for pair in pairs.toLocalIterator())
    columns = ", ".join(f"{column.name} {column.type.spark}" for column in TRADE_COMPONENTS.columns)
    spark.createDataFrame(rows, columns).coalesce(1).writeTo(components).overwrite(f.lit(True))


def traders(spark: "SparkSession") -> int:
    """How many players the tables know."""
    prepare(spark)
    return spark.table(f"{CATALOG}.{SCHEMA}.{TRADE_COMPONENTS.name}").count()


def components_of(pairs: Iterable[tuple[str, int, int, int]]) -> Iterator[tuple[str, int, int, int]]:
    """Rows of `trade_components`, from realm, two players and the newest sequence of each pair (union by the lower)."""
    parents: dict[tuple[str, int], int] = {}
    newest: dict[str, int] = {}
    for realm, one, two, sequence in pairs:
        newest[realm] = sequence
        first, second = sorted((_root(parents, realm, one), _root(parents, realm, two)))
        parents[realm, second] = first
    for realm, player in sorted(parents):
        yield realm, player, _root(parents, realm, player), newest[realm]


def _root(parents: dict[tuple[str, int], int], realm: str, player: int) -> int:
    """The lowest player that is known to be connected; ways to it are made shorter on the way."""
    while (parent := parents.setdefault((realm, player), player)) != player:
        parents[realm, player] = player = parents[realm, parent]
    return player
