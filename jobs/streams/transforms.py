"""Pure DataFrame → DataFrame functions from Kafka records to the rows of each table. Called by main.py.

Input is what Spark's Kafka source gives: key, value, topic, partition, offset, timestamp.
"""

from functools import reduce
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from app.contract.reasons import DeadLetter
from app.contract.tables import DEAD_LETTERS, PLAYER_STATES, TRADE_LINES, TRADES, Table
from jobs.streams import schema

_CORRUPT: Final = "_corrupt_record"
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
    sides = [
        column
        for side in (1, 2)
        for column in (
            f.col(f"event.player_{side}.player_id").alias(f"player_{side}_id"),
            f.col(f"event.player_{side}.gold").alias(f"player_{side}_gold"),
            f.col(f"event.player_{side}.item_value").alias(f"player_{side}_item_value"),
            f.size(f"event.player_{side}.items").alias(f"player_{side}_lines"),
        )
    ]
    return _rows_of(TRADES, event.select("event.*", _status(), *sides))


def trade_lines(records: DataFrame) -> DataFrame:
    """One row per item line of a decided trade and side."""
    trade = _decided_trades(records).select("event.*", _status()).drop("player_id")
    sides = [
        trade.select(
            "*",
            f.lit(side).alias("side"),
            f.col(f"player_{side}.player_id").alias("player_id"),
            f.explode(f"player_{side}.items").alias("line"),
        )
        for side in (1, 2)
    ]
    lines = reduce(DataFrame.unionByName, sides)
    return _rows_of(TRADE_LINES, lines.select("*", "line.*"))


def player_states(records: DataFrame) -> DataFrame:
    """One row per state that a player was in: at creation, and after each accepted trade."""
    events = _valid(records).select("event.*")
    created = events.where(f.col("event_type") == "player_created")
    after_trade = [
        events.where(f.col("event_type") == "trade_accepted")
        .withColumn("player_id", f.col(f"player_{side}.player_id"))
        .withColumn("state", f.col(f"player_{side}.state"))
        for side in (1, 2)
    ]
    states = reduce(DataFrame.unionByName, after_trade, created)
    return _rows_of(PLAYER_STATES, states.select("*", "state.*"))


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
    return _valid(records).where(f.col("event.event_type").isin("trade_accepted", "trade_rejected"))


def _status() -> Column:
    accepted = f.col("event.event_type") == "trade_accepted"
    return f.when(accepted, "accepted").otherwise("rejected").alias("status")


def _rows_of(table: Table, rows: DataFrame) -> DataFrame:
    return rows.select(*[f.col(column.name).cast(column.type.spark).alias(column.name) for column in table.columns])
