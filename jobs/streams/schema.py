"""How an event is parsed, and which parsed events are valid: both derived from app/contract/.

An event is parsed with one schema that holds the fields of all event types; what a type does not have is null.
"""

from typing import Any

import msgspec
from msgspec import inspect
from pyspark.sql import Column
from pyspark.sql import functions as f

from app.contract.events import EVENT_TYPES
from app.contract.limits import MAX_AMOUNT
from app.contract.tables import event_columns, without_null

TIMESTAMP_FORMAT = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"


def event_ddl() -> str:
    """All fields of all event types, every one nullable, as Spark's DDL."""
    return ", ".join(f"{column.name} {column.type.spark}" for column in event_columns())


def supported_types() -> list[str]:
    """The values of `event_type`."""
    return [str(_struct_info(event_type).tag) for event_type in EVENT_TYPES]


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


def _valid_struct(value: Column, info: inspect.StructType) -> Column:
    valid = value.isNotNull()
    for item in info.fields:
        valid = valid & _valid_value(value[item.encode_name], item.type)
    return valid


def _valid_value(value: Column, info: inspect.Type) -> Column:
    kind, nullable = without_null(info)
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
