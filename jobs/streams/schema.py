"""Spark's schema of an event, and which parsed events are valid: both derived from app/contract/events.py.

An event is parsed with one schema that holds the fields of all event types; what a type does not have is null.
"""

from typing import Any

import msgspec
from msgspec import inspect
from pyspark.sql import Column
from pyspark.sql import functions as f
from pyspark.sql import types as t

from app.contract.economy import MAX_AMOUNT
from app.contract.events import EVENT_TYPES, SCHEMA_VERSION

TIMESTAMP_FORMAT = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"


def event_schema() -> t.StructType:
    """All fields of all event types, every one nullable."""
    merged = t.StructType([t.StructField("event_type", t.StringType())])
    for event_type in EVENT_TYPES:
        merged = _merge(merged, _struct(inspect.type_info(event_type)))
    return merged


def supported_types() -> list[str]:
    """The values of `event_type`."""
    return [str(_struct_info(event_type).tag) for event_type in EVENT_TYPES]


def is_supported_version(event: Column) -> Column:
    """True where `schema_version` is one that this code reads; null where it is missing."""
    return event["schema_version"] == SCHEMA_VERSION


def has_valid_fields(event: Column) -> Column:
    """True where every field that the event's type requires is there and within its bounds."""
    valid = f.lit(False)
    for event_type in EVENT_TYPES:
        info = _struct_info(event_type)
        valid = valid | ((event["event_type"] == f.lit(info.tag)) & _valid_struct(event, info))
    return f.coalesce(valid, f.lit(False))


def _struct_info(event_type: type[msgspec.Struct]) -> inspect.StructType:
    info = inspect.type_info(event_type)
    assert isinstance(info, inspect.StructType)
    return info


def _alternatives(info: inspect.Type) -> tuple[inspect.Type, bool]:
    """The type itself, and whether null is allowed beside it."""
    if isinstance(info, inspect.UnionType):
        (kind,) = [item for item in info.types if not isinstance(item, inspect.NoneType)]
        return kind, True
    return info, False


def _spark_type(info: inspect.Type) -> t.DataType:
    kind, _ = _alternatives(info)
    match kind:
        case inspect.IntType():
            return t.LongType()
        case inspect.StrType() | inspect.EnumType():
            return t.StringType()
        case inspect.DateTimeType():
            return t.TimestampType()
        case inspect.ListType():
            return t.ArrayType(_spark_type(kind.item_type))
        case inspect.StructType():
            return _struct(kind)
    raise TypeError(f"the contract uses a type that Spark's schema does not know: {kind}")


def _struct(info: inspect.Type) -> t.StructType:
    assert isinstance(info, inspect.StructType)
    return t.StructType([t.StructField(item.encode_name, _spark_type(item.type)) for item in info.fields])


def _merge(one: t.StructType, two: t.StructType) -> t.StructType:
    fields = {item.name: item.dataType for item in one}
    for item in two:
        before = fields.get(item.name)
        both_structs = isinstance(before, t.StructType) and isinstance(item.dataType, t.StructType)
        fields[item.name] = _merge(before, item.dataType) if both_structs else item.dataType  # type: ignore[arg-type]
    return t.StructType([t.StructField(name, kind) for name, kind in fields.items()])


def _valid_struct(value: Column, info: inspect.StructType) -> Column:
    valid = value.isNotNull()
    for item in info.fields:
        valid = valid & _valid_value(value[item.encode_name], item.type)
    return valid


def _valid_value(value: Column, info: inspect.Type) -> Column:
    kind, nullable = _alternatives(info)
    valid = f.coalesce(_within(value, kind), f.lit(False))
    return (value.isNull() | valid) if nullable else valid


def _within(value: Column, kind: Any) -> Column:
    match kind:
        case inspect.IntType():
            return value.between(kind.ge or 0, kind.le or MAX_AMOUNT)
        case inspect.StrType():
            return f.length(value) >= (kind.min_length or 0)
        case inspect.EnumType():
            return value.isin([str(member.value) for member in kind.cls])
        case inspect.ListType():
            return f.forall(value, lambda item: _valid_value(item, kind.item_type))
        case inspect.StructType():
            return _valid_struct(value, kind)
        case _:
            return value.isNotNull()
