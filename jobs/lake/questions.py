"""The business questions as their files have them: what each means and answers is read from its header.

sql/questions/<name>.sql is the one source: the view `lake.haggle.<name>`, `haggle ask <name>`, the report and
docs/questions.md follow from it.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

from app.contract.tables import Column
from jobs.lake.header import read_header
from jobs.lake.trino import SQL

FAMILIES: Final = ("trades", "items and prices", "money", "wealth", "players")
"""In the order in which they are shown."""


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
    sql: str
    """The statement alone."""
    text: str
    """The file."""


@cache
def stored_questions() -> tuple[StoredQuestion, ...]:
    """All questions, by family and then by name."""
    found = [parse_question(path.stem, path.read_text()) for path in (SQL / "questions").glob("*.sql")]
    return tuple(sorted(found, key=lambda question: (FAMILIES.index(question.family), question.name)))


def parse_question(name: str, text: str) -> StoredQuestion:
    """Reads a question's file. Raises ValueError if its header lacks something, or has what none may have."""
    header = read_header(text)
    fields = dict(header.fields)
    if fields.pop("parameters", "") != "none" or any(header.notes):
        raise ValueError(f"the header of {name} is not as the others are")
    title = fields.pop("question")
    return StoredQuestion(name=name, title=title, columns=header.columns, sql=header.statement, text=text, **fields)
