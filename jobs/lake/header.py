"""The header that statements of sql/ begin with: what they answer, and their columns."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from types import MappingProxyType
from typing import Final

from app.contract.tables import Column, ColumnType, NestedType

_TYPES: Final[Mapping[str, ColumnType | NestedType]] = MappingProxyType(
    {
        **{kind.trino: kind for kind in ColumnType},
        **{name: NestedType(name, name, name) for name in ("boolean", "date", "double")},
    }
)
"""Types of columns by their names in Trino."""
_COLUMN: Final = re.compile(r"column (\w+) ([^:,]+)(?:, ([^:]+))?: (.+)")
_FIELD: Final = re.compile(r"(\w+): (.+)")
_MORE: Final = " " * 9
"""How a line goes on that belongs to the one before."""


@dataclass(frozen=True, slots=True)
class Header:
    """Its fields by name, its columns, the note of each (or ""), and the statement that follows."""

    fields: Mapping[str, str]
    columns: tuple[Column, ...]
    notes: tuple[str, ...]
    statement: str


def read_header(text: str) -> Header:
    """Reads a statement with its header. Raises ValueError for an unknown line, and KeyError for an unknown type."""
    fields, columns, notes = {}, [], []
    for line in _whole_lines(takewhile(lambda line: line.startswith("--"), text.splitlines())):
        if column := _COLUMN.fullmatch(line):
            columns.append(Column(column[1], _TYPES[column[2]], column[4]))
            notes.append(column[3] or "")
        elif field := _FIELD.fullmatch(line):
            fields[field[1]] = field[2]
        else:
            raise ValueError(f"a header has no such line: {line}")
    statement = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("-- ")).strip()
    return Header(fields, tuple(columns), tuple(notes), statement)


def _whole_lines(header: Iterable[str]) -> Iterable[str]:
    """The header without dashes, each of its parts on one line."""
    whole: list[str] = []
    for line in header:
        said = line.removeprefix("--")
        if said.startswith(_MORE):
            whole[-1] += " " + said.strip()
        else:
            whole.append(said.strip())
    return whole
