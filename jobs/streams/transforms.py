"""Pure DataFrame → DataFrame functions from Kafka records to the rows of the table `events`.

Input is what Spark's Kafka source gives: key, value, topic, partition, offset, timestamp. All expressions are built
once and used for every micro-batch: building one takes a call into the JVM for each of its thousand parts.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as f

from app.contract.events import SCHEMA_VERSION
from app.contract.reasons import DeadLetter
from app.contract.tables import EVENTS, event_columns
from jobs.streams import schema

_CORRUPT: Final = "_corrupt_record"
_WRAPPED: Final = ('{"event":', ',"end":true}')
"""An event is parsed within this, since the parser reads one value and leaves what comes after it: with the end seen,
nothing has come after it.
"""
_COPYING_RULES: Final = ("PushDownPredicates", "PushPredicateThroughNonJoin", "OptimizeCsvJsonExprs")

PARSING_OPTIONS: Final = {
    "spark.sql.optimizer.excludedRules": ",".join(
        f"org.apache.spark.sql.catalyst.optimizer.{rule}" for rule in _COPYING_RULES
    ),
}
"""Options of a session that runs these transforms.

The excluded rules copy the parsing of an event to every place that looks at one of its fields, about a hundred times.
"""

_HEAD_MAX_BYTES: Final = 400
"""The realm and the sequence number of an event stand within so much of it, as the relay writes it."""
_SEQUENCE_MAX_BYTES: Final = 17
_SEQUENCE_NAME: Final = '"sequence"'
_ESCAPED_ASCII: Final = "\\u00"


# ---------------------------------------------------------------- sequence numbers, without parsing


def numbers(records: DataFrame) -> DataFrame:
    """What the records say of their sequence, by `realm` (their key), from their beginning alone.

    Columns: `records`, `odd` (records that do not begin as the relay begins them, once), `different` sequence numbers,
    `first` and `last` of them, and when Kafka `recorded` the newest (seconds since 1970).
    """
    return records.select(*_numbered(), "timestamp").groupBy("realm").agg(*_number_aggregates())


@cache
def _numbered() -> tuple[Column, Column]:
    """The key, and the sequence number behind the key's realm; null if it does not begin as the relay begins one.

    By bytes, without a parser or a pattern, which would take as long as all the rest of a batch.
    """
    key = f.col("key").cast("string")
    marker = f.concat(f.lit(',"realm":"'), key, f.lit('","sequence":'))
    head = _bytes(f.lit(1), f.lit(_HEAD_MAX_BYTES))
    place = f.instr(head, marker)
    start = place + f.octet_length(marker)
    digits = f.substring_index(_bytes(start, f.lit(_SEQUENCE_MAX_BYTES)), ",", 1)
    # a second "sequence" could be the one that the parser takes, also one of which a letter is escaped
    rest = _bytes(start, f.lit(2**31 - 1))
    once = ~f.contains(rest, f.lit(_SEQUENCE_NAME)) & ~f.contains(rest, f.lit(_ESCAPED_ASCII))
    is_relays = (
        f.startswith(head, f.lit('{"event_type":"')) & (place > 0) & once & f.rlike(digits, f.lit("^[0-9]{1,16}$"))
    )
    return key.alias("realm"), f.when(is_relays, digits.try_cast("bigint")).alias("sequence")


def _bytes(start: Column, length: Column) -> Column:
    """A part of the record; of bytes, since to count the characters of a text takes a look at each."""
    return f.call_function("substring", f.col("value"), start, length).cast("string")


@cache
def _number_aggregates() -> tuple[Column, ...]:
    sequence = f.col("sequence")
    return (
        f.count("*").alias("records"),
        f.count_if(sequence.isNull()).alias("odd"),
        f.size(f.collect_set(sequence)).alias("different"),
        f.min(sequence).alias("first"),
        f.max(sequence).alias("last"),
        f.max(f.col("timestamp").cast("double")).alias("recorded"),
    )


# ---------------------------------------------------------------- rows


def judge(records: DataFrame) -> DataFrame:
    """The records with the parsed `event` and the `dead_letter` reason, which is null where the event is valid."""
    parsed, event, reason = _judged()
    judged = records.withColumn("parsed", parsed).withColumn("event", event).withColumn("dead_letter", reason)
    return judged.drop("parsed")


@cache
def _judged() -> tuple[Column, Column, Column]:
    text = f.col("value").cast("string")
    wrapped = f.concat(f.lit(_WRAPPED[0]), text, f.lit(_WRAPPED[1]))
    options = {
        "columnNameOfCorruptRecord": _CORRUPT,
        "timestampFormat": schema.TIMESTAMP_FORMAT,
        "allowSingleQuotes": "false",
    }
    parsed = f.from_json(wrapped, f"event struct<{schema.event_ddl()}>, end boolean, {_CORRUPT} string", options)
    return parsed, f.col("parsed.event"), _dead_letter(f.col("parsed"), text, wrapped)


def _dead_letter(parsed: Column, text: Column, wrapped: Column) -> Column:
    """The first reason that holds, in the order of `DeadLetter`; which one is asked only of what is not valid."""
    event = parsed["event"]
    is_text = f.is_valid_utf8(text)
    is_json = is_text & f.try_variant_get(f.try_parse_json(wrapped), "$.end", "boolean").isNotNull()
    known_type = f.coalesce(event["event_type"].isin(schema.supported_types()), f.lit(False))
    known_version = f.coalesce(event["schema_version"] >= 1, f.lit(False))
    whole = parsed[_CORRUPT].isNull() & f.coalesce(parsed["end"], f.lit(False)) & is_text
    valid = whole & schema.has_valid_fields(event)
    right_key = f.coalesce(f.col("key").cast("string") == event["realm"], f.lit(False))
    return (
        f.when(valid & right_key, None)
        .when(f.length(f.coalesce(text, f.lit(""))) == 0, DeadLetter.EMPTY_RECORD.value)
        .when(~f.coalesce(is_json, f.lit(False)), DeadLetter.INVALID_JSON.value)
        .when(~known_type, DeadLetter.UNKNOWN_EVENT_TYPE.value)
        .when(~known_version, DeadLetter.UNSUPPORTED_SCHEMA_VERSION.value)
        .when(~valid, DeadLetter.INVALID_FIELDS.value)
        .otherwise(DeadLetter.WRONG_KEY.value)
    )


def landed_before(landed: Mapping[str, int]) -> Column:
    """True for a valid event that is not newer than `landed`, the newest sequence number of each realm."""
    is_event = f.col("dead_letter").isNull()
    return f.coalesce(is_event & (f.col("event.sequence") <= _of_realm(landed)), f.lit(False))


def _of_realm(landed: Mapping[str, int]) -> Column:
    pairs = [f.lit(part) for pair in landed.items() for part in pair]
    none = f.lit(0).cast("bigint")
    return f.coalesce(f.try_element_at(f.create_map(*pairs), f.col("event.realm")), none) if pairs else none


def in_order(judged: DataFrame, landed: Mapping[str, int]) -> DataFrame:
    """Judged records with `expected`, and `duplicate_sequence` for events that are not newer than what came before.

    `landed` is the newest sequence number of each realm before these records; `expected` is the sequence number that
    was due where a valid event stands.
    """
    newer = f.when(f.col("dead_letter").isNull(), f.col("event.sequence"))
    earlier = Window.partitionBy("key").orderBy("offset").rowsBetween(Window.unboundedPreceding, -1)
    expected = f.greatest(_of_realm(landed), f.coalesce(f.max(newer).over(earlier), f.lit(0))) + 1
    duplicate = f.col("dead_letter").isNull() & (f.col("event.sequence") < f.col("expected"))
    reason = f.when(duplicate, DeadLetter.DUPLICATE_SEQUENCE.value).otherwise(f.col("dead_letter"))
    return judged.withColumn("expected", expected.cast("bigint")).withColumn("dead_letter", reason)


def skips(ordered: DataFrame) -> DataFrame:
    """Where sequence numbers were skipped: `realm`, and the `first` and `last` that are missing."""
    here = f.col("dead_letter").isNull() & (f.col("event.sequence") > f.col("expected"))
    last = (f.col("event.sequence") - 1).alias("last")
    return ordered.where(here).select(f.col("event.realm"), f.col("expected").alias("first"), last)


def rows(judged: DataFrame, topic_id: Column) -> DataFrame:
    """The rows of `events`: what an event says where it is valid, the raw record where it says more or is not."""
    with_event = judged.withColumn("event", f.when(f.col("dead_letter").isNull(), f.col("event")))
    return with_event.select(*_row_columns(), topic_id.alias("kafka_topic_id")).select(*_column_names())


@cache
def _row_columns() -> tuple[Column, ...]:
    dead = f.col("dead_letter").isNotNull()
    own = {
        "kafka_topic": f.col("topic"),
        "kafka_partition": f.col("partition"),
        "kafka_offset": f.col("offset"),
        "recorded_at": f.col("timestamp"),
        "dead_letter": f.col("dead_letter"),
        "kafka_key": f.when(dead, f.col("key")),
        "raw": f.when(dead | (f.col("event.schema_version") > SCHEMA_VERSION), f.col("value")),
    }
    columns = own | {column.name: f.col(f"event.{column.name}") for column in event_columns()}
    return tuple(
        columns[column.name].cast(column.type.spark).alias(column.name)
        for column in EVENTS.columns
        if column.name in columns
    )


@cache
def _column_names() -> tuple[str, ...]:
    return tuple(column.name for column in EVENTS.columns)
