"""Pure DataFrame → DataFrame functions from Kafka records to the rows of each table. Called by main.py.

Input is what Spark's Kafka source gives: key, value, topic, partition, offset, timestamp.
"""

from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from app.contract.reasons import DeadLetter
from app.contract.tables import DEAD_LETTERS, OFFERS, PLAYER_STATES, TRADE_LINES, TRADES, Table
from jobs.streams import schema

_CORRUPT: Final = "_corrupt_record"
_CHANGES: Final = {1: ("trade_accepted", "offer_made", "offer_closed"), 2: ("trade_accepted",)}
"""By side, the types of events that change its player, besides its creation."""
_COPYING_RULES: Final = ("PushDownPredicates", "PushPredicateThroughNonJoin", "OptimizeCsvJsonExprs")

PARSING_OPTIONS: Final = {
    "spark.sql.optimizer.excludedRules": ",".join(
        f"org.apache.spark.sql.catalyst.optimizer.{rule}" for rule in _COPYING_RULES
    ),
}
"""Options of a session that runs these transforms.

The excluded rules copy the parsing of an event to every place that looks at one of its fields, about a hundred times.
"""


def judge(records: DataFrame) -> DataFrame:
    """The records with the parsed `event` and the `dead_letter` reason, which is null where the event is valid."""
    parsed_schema = schema.event_schema().add(_CORRUPT, "string")
    options = {"columnNameOfCorruptRecord": _CORRUPT, "timestampFormat": schema.TIMESTAMP_FORMAT}
    text = f.col("value").cast("string")
    parsed = records.withColumn("event", f.from_json(text, parsed_schema, options))
    return parsed.withColumn("dead_letter", _dead_letter(f.col("event"), text))


def trades(records: DataFrame) -> DataFrame:
    """One row per decided trade."""
    event = _decided_trades(records)
    columns = [
        column
        for side in (1, 2)
        for column in (
            *_given(side),
            f.size(f"event.player_{side}.items").alias(f"player_{side}_lines"),
        )
    ]
    return _rows_of(TRADES, event.select("event.*", _trade_status(), *columns))


def trade_lines(records: DataFrame) -> DataFrame:
    """One row per item line of a decided trade and side."""
    sides = [
        f.struct(
            f.lit(side).alias("side"),
            f.col(f"event.player_{side}.player_id").alias("player_id"),
            f.col(f"event.player_{side}.items").alias("items"),
        )
        for side in (1, 2)
    ]
    trade = _decided_trades(records).select("event.*", _trade_status(), f.explode(f.array(*sides)).alias("given"))
    lines = trade.withColumn("line", f.explode("given.items")).drop("player_id", "items")
    return _rows_of(TRADE_LINES, lines.select("*", "given.side", "given.player_id", "line.*"))


def player_states(records: DataFrame) -> DataFrame:
    """One row per state that a player was in: at creation, after each accepted trade, as an offer began or ended."""
    created = f.when(_is_type("player_created"), f.struct("event.player_id", "event.state"))
    changed = [
        f.when(_is_type(*types), f.struct(f"event.player_{side}.player_id", f"event.player_{side}.state"))
        for side, types in _CHANGES.items()
    ]
    reached = f.explode(f.array_compact(f.array(created, *changed))).alias("reached")
    states = _valid(records).select("event.*", reached).drop("player_id", "state")
    return _rows_of(PLAYER_STATES, states.select("*", "reached.player_id", "reached.state.*"))


def offers(records: DataFrame) -> DataFrame:
    """One row per status that an offer reached; an accepted one is the trade that came of it."""
    accepted = _is_type("trade_accepted") & f.col("event.offer_id").isNotNull()
    status = (
        f.when(_is_type("offer_made"), "made")
        .when(_is_type("offer_rejected"), "rejected")
        .when(_is_type("offer_closed"), f.col("event.outcome"))
        .when(accepted, "accepted")
    )
    columns = [column for side in (1, 2) for column in (*_given(side), _units_given(side))]
    rows = _valid(records).select("event.*", status.alias("status"), *columns)
    return _rows_of(OFFERS, rows.where(f.col("status").isNotNull()))


def dead_letters(records: DataFrame) -> DataFrame:
    """One row per record that is not a valid event, as it was."""
    dead = judge(records).where(f.col("dead_letter").isNotNull())
    return _rows_of(
        DEAD_LETTERS,
        dead.withColumnsRenamed({"timestamp": "recorded_at", "dead_letter": "reason"}),
    )


def _dead_letter(event: Column, text: Column) -> Column:
    """The first reason that holds, in the order of `DeadLetter`."""
    known_type = f.coalesce(event["event_type"].isin(schema.supported_types()), f.lit(False))
    known_version = f.coalesce(schema.is_supported_version(event), f.lit(False))
    valid = event[_CORRUPT].isNull() & schema.has_valid_fields(event)
    right_key = f.coalesce(f.col("key").cast("string") == event["realm"], f.lit(False))
    return (
        f.when(f.length(f.coalesce(text, f.lit(""))) == 0, DeadLetter.EMPTY_RECORD.value)
        .when(f.try_parse_json(text).isNull(), DeadLetter.INVALID_JSON.value)
        .when(~known_type, DeadLetter.UNKNOWN_EVENT_TYPE.value)
        .when(~known_version, DeadLetter.UNSUPPORTED_SCHEMA_VERSION.value)
        .when(~valid, DeadLetter.INVALID_FIELDS.value)
        .when(~right_key, DeadLetter.WRONG_KEY.value)
    )


def _valid(records: DataFrame) -> DataFrame:
    return judge(records).where(f.col("dead_letter").isNull())


def _decided_trades(records: DataFrame) -> DataFrame:
    return _valid(records).where(_is_type("trade_accepted", "trade_rejected"))


def _is_type(*event_types: str) -> Column:
    return f.col("event.event_type").isin(*event_types)


def _trade_status() -> Column:
    return f.when(_is_type("trade_accepted"), "accepted").otherwise("rejected").alias("status")


def _given(side: int) -> tuple[Column, ...]:
    """What the columns of trades and offers alike say of a side."""
    player = f.col(f"event.player_{side}")
    return (
        player["player_id"].alias(f"player_{side}_id"),
        player["gold"].alias(f"player_{side}_gold"),
        player["item_value"].alias(f"player_{side}_item_value"),
    )


def _units_given(side: int) -> Column:
    units = f.transform(f"event.player_{side}.items", lambda line: f.struct(line["item_id"], line["quantity"]))
    return units.alias(f"player_{side}_items")


def _rows_of(table: Table, rows: DataFrame) -> DataFrame:
    return rows.select(*[f.col(column.name).cast(column.type.spark).alias(column.name) for column in table.columns])
