"""The table `trade_components`, whom trades connect, which maintenance derives since SQL has no bounded steps for it.

It has the players that are connected through pairs that had an accepted trade, and is made anew as a whole, in one
commit; `sequence` is the newest accepted trade of the realm that it knows of. Until maintenance has run it is empty.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from app.contract.tables import CATALOG, EVENTS, SCHEMA, Column, ColumnType

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_PROPERTIES: Final = (
    "'write.metadata.delete-after-commit.enabled' = 'true', 'write.metadata.previous-versions-max' = '2'"
)
_GROWN_PERCENT: Final = 10
_OLD_S: Final = 86_400


TRADE_COMPONENTS: Final = "trade_components"
COLUMNS: Final = (
    Column("realm", ColumnType.STRING, "the unit of atomicity"),
    Column("player_id", ColumnType.BIGINT, "the player"),
    Column("component", ColumnType.BIGINT, "the lowest player_id among those that it is connected with"),
    Column("sequence", ColumnType.BIGINT, "the newest accepted trade of the realm that is counted"),
)

_PAIRS: Final = f"""
select
    realm,
    player_1.player_id as one,
    player_2.player_id as two,
    max(sequence) as sequence
from {CATALOG}.{SCHEMA}.{EVENTS.name}
where event_type = 'trade_accepted'
group by realm, player_1.player_id, player_2.player_id
order by realm
"""  # noqa: S608 - of the table's own name


def ddl(dialect: str, schema: str = f"{CATALOG}.{SCHEMA}") -> str:
    """The statement that creates the table if it is missing, in the SQL of `spark`, `trino` or `duckdb`."""
    columns = ", ".join(f"{column.name} {getattr(column.type, dialect)}" for column in COLUMNS)
    ending = f" using iceberg tblproperties ({_PROPERTIES})" if dialect == "spark" else ""
    return f"create table if not exists {schema}.{TRADE_COMPONENTS} ({columns}){ending}"


def is_due(rows: int, known_rows: int, age_s: float) -> bool:
    """Whether the table is to be made anew of so many rows: there are a tenth more, or any more and a day is over.

    So all makings of a growing lake together read each event a few times, and a day each of a large one.
    """
    grown = rows - known_rows
    return grown != 0 and (age_s >= _OLD_S or 100 * grown >= _GROWN_PERCENT * known_rows)


def derive(spark: "SparkSession") -> None:
    """Makes the table anew of what has landed."""
    from pyspark.sql import functions as f  # noqa: PLC0415 - it takes a second, for which other users need not wait

    rows = components_of(tuple(pair) for pair in spark.sql(_PAIRS).toLocalIterator())
    columns = ", ".join(f"{column.name} {column.type.spark}" for column in COLUMNS)
    made = spark.createDataFrame(rows, columns).coalesce(1)
    made.writeTo(f"{CATALOG}.{SCHEMA}.{TRADE_COMPONENTS}").overwrite(f.lit(True))


def traders(spark: "SparkSession") -> int:
    """How many players the table knows; makes it if it is missing."""
    spark.sql(ddl("spark"))
    return spark.table(f"{CATALOG}.{SCHEMA}.{TRADE_COMPONENTS}").count()


def components_of(pairs: Iterable[tuple[str, int, int, int]]) -> Iterator[tuple[str, int, int, int]]:
    """Rows of `trade_components`, from realm, two players and the newest trade of each pair (union by the lower)."""
    parents: dict[tuple[str, int], int] = {}
    newest: dict[str, int] = {}
    for realm, one, two, sequence in pairs:
        newest[realm] = max(newest.get(realm, 0), sequence)
        first, second = sorted((_root(parents, realm, one), _root(parents, realm, two)))
        parents[realm, second] = first
    for realm, player in sorted(parents):
        yield realm, player, _root(parents, realm, player), newest[realm]


def _root(parents: dict[tuple[str, int], int], realm: str, player: int) -> int:
    """The lowest player that is known to be connected; ways to it are made shorter on the way."""
    while (parent := parents.setdefault((realm, player), player)) != player:
        parents[realm, player] = player = parents[realm, parent]
    return player
