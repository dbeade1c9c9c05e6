"""The business questions as their files have them: what each means and answers is read from its header.

sql/questions/<name>.sql is the one source: the view `lake.haggle.<name>`, `haggle ask <name>`, the report and
docs/questions.md follow from it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from types import MappingProxyType
from typing import Final

from app.contract.tables import Column, ColumnType, NestedType
from jobs.lake.trino import SQL

FAMILIES: Final = ("trades", "items and prices", "money", "wealth", "players")
"""In the order in which they are shown."""

_TYPES: Final[Mapping[str, ColumnType | NestedType]] = MappingProxyType(
    {
        **{kind.trino: kind for kind in ColumnType},
        **{name: NestedType(name, name, name) for name in ("boolean", "date", "double")},
    }
)
"""Types of columns by their names in Trino."""
_COLUMN: Final = re.compile(r"column (\w+) ([^:]+): (.+)")
_FIELD: Final = re.compile(r"(question|family|grain|counted|parameters|order): (.+)")
_MORE: Final = " " * 9
"""How a line goes on that belongs to the one before."""


@dataclass(frozen=True, slots=True)
class StoredQuestion:
    """A question: what it asks, its family, what a row is, what is counted, in which order, and its columns."""

    name: str
    title: str
    family: str
    grain: str
    counted: str
    order: str
    columns: tuple[Column, ...]
    text: str
    """The file."""

    @property
    def sql(self) -> str:
        """The statement alone."""
        return "".join(line for line in self.text.splitlines(keepends=True) if not line.startswith("-- ")).strip()


@cache
def stored_questions() -> tuple[StoredQuestion, ...]:
    """All questions, by family and then by name."""
    found = [parse_question(path.stem, path.read_text()) for path in (SQL / "questions").glob("*.sql")]
    return tuple(sorted(found, key=lambda question: (FAMILIES.index(question.family), question.name)))


def parse_question(name: str, text: str) -> StoredQuestion:
    """Reads a question's file. Raises ValueError if its header lacks something, or has what none may have."""
    lines = list(_whole_lines(takewhile(lambda line: line.startswith("--"), text.splitlines())))
    fields = {match[1]: match[2] for line in lines if (match := _FIELD.fullmatch(line))}
    columns = tuple(
        Column(match[1], _TYPES[match[2]], match[3]) for line in lines if (match := _COLUMN.fullmatch(line))
    )
    if len(fields) + len(columns) != len(lines) or fields.pop("parameters", "") != "none":
        raise ValueError(f"the header of {name} is not as the others are")
    title = fields.pop("question")
    return StoredQuestion(name=name, title=title, columns=columns, text=text, **fields)


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
