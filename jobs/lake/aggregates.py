"""Aggregates: what the questions are asked of, kept for the days that are over and read afresh of the running one.

sql/aggregates/<name>.sql says what an aggregate is, as a statement over the events. Maintenance keeps its answer of the
days before a moment in the table `kept_<name>`; the view `<name>` is what is kept and, merged with it, what the
statement says of the events since then. So an answer is as fresh as the table of events and as quick as the running day
is short; TimescaleDB calls this a real-time continuous aggregate.

Either each row is of one day, and the days are put side by side; or the columns of the header say how rows with the
same key become one (`key`, `sum`, `min`, `max`, `max by version`), and then any number of days may be merged.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Final

from app.contract.tables import CATALOG, EVENTS, SCHEMA, VIEWS, Column, NestedType
from jobs.lake.header import Header, read_header
from jobs.lake.trino import SQL

_SCHEMA: Final = f"{CATALOG}.{SCHEMA}"
_NAMED: Final = re.compile(rf"\b{re.escape(_SCHEMA)}\.(\w+)\b( as )?")
_VIEWS: Final = {view.name: view for view in VIEWS}
_BY: Final = re.compile(r"(min|max) by (.+)")
KEPT: Final = "kept_"
_UNTIL: Final = Column("until", NestedType("date", "date", "date"), "the day up to which events are counted")
_PROPERTIES: Final = (
    "'write.metadata.delete-after-commit.enabled' = 'true', 'write.metadata.previous-versions-max' = '2'"
)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregate: its columns, how each is merged (None: rows are of one day), and its statement over the events."""

    name: str
    title: str
    grain: str
    columns: tuple[Column, ...]
    merges: tuple[str, ...] | None
    direct: str

    @property
    def kept(self) -> str:
        """The name of the table that maintenance keeps."""
        return f"{KEPT}{self.name}"

    def ddl(self, dialect: str = "spark") -> str:
        """The statement that creates the table, if it is missing, in the SQL of `spark` or `duckdb`.

        Beside the view's columns it has the day up to which a row counts, unless it is of one day.
        """
        columns = [*self.columns, *([] if self.is_by_day else [_UNTIL])]
        typed = ", ".join(f"{column.name} {getattr(column.type, dialect)}" for column in columns)
        parts = "month(day)" if self.is_by_day else _UNTIL.name
        ending = f" using iceberg partitioned by ({parts}) tblproperties ({_PROPERTIES})" if dialect == "spark" else ""
        return f"create table if not exists {_SCHEMA}.{self.kept} ({typed}){ending}"

    @property
    def is_by_day(self) -> bool:
        """Whether each row is of one day."""
        return self.merges is None

    def query(self, kept_until: date | None) -> str:
        """The view's statement, of what is kept up to that day (without it) and of the events since."""
        if kept_until is None:
            return self.direct
        return self._joined(kept_until, "" if self.is_by_day else None, f">= {midnight(kept_until)}")

    def extended(self, kept_until: date | None, until: date) -> str:
        """What is kept up to `until` once the days since `kept_until` are over."""
        if kept_until is None:
            return self._of_days(f"< {midnight(until)}")
        month = f"day >= date '{kept_until.replace(day=1)}' and " if self.is_by_day else None
        return self._joined(kept_until, month, f">= {midnight(kept_until)} and {EVENTS.day_of} < {midnight(until)}")

    def _joined(self, kept_until: date, and_days: str | None, recent: str) -> str:
        """Of what is kept up to a day, and of the events whose moment is `recent`."""
        names = ", ".join(column.name for column in self.columns)
        is_kept = f"until = date '{kept_until}'" if and_days is None else f"{and_days}day < date '{kept_until}'"
        both = (
            f"select {names}\nfrom {_SCHEMA}.{self.kept}\nwhere {is_kept}\n"
            f"union all\nselect {names}\nfrom (\n{self._of_days(recent)}\n) as recent"
        )
        return both if self.merges is None else _merged(self.columns, self.merges, both)

    def _of_days(self, moment: str) -> str:
        events = f"select * from {_SCHEMA}.{EVENTS.name}\nwhere {EVENTS.day_of} {moment}"  # noqa: S608 - of the table
        return bind(self.direct, events, "recent_")


def _merged(columns: Iterable[Column], merges: Iterable[str], rows: str) -> str:
    """One row per key of those that the statement gives."""
    pairs = [(column.name, merge) for column, merge in zip(columns, merges, strict=True)]
    keys = ", ".join(name for name, merge in pairs if merge == "key")
    written = ",\n    ".join(_merge(name, merge) for name, merge in pairs)
    return f"select\n    {written}\nfrom (\n{rows}\n) as parts\ngroup by {keys}"


def _merge(name: str, merge: str) -> str:
    if merge == "key":
        return name
    by = _BY.fullmatch(merge)
    return f"{by[1]}_by({name}, {by[2]}) as {name}" if by else f"{merge}({name}) as {name}"


def midnight(day: date) -> str:
    """Its first moment (UTC), in SQL of Trino, Spark and DuckDB."""
    return f"timestamp '{day} 00:00:00 UTC'"


@cache
def aggregates() -> tuple[Aggregate, ...]:
    """All aggregates, by name."""
    return tuple(parse_aggregate(path.stem, path.read_text()) for path in sorted((SQL / "aggregates").glob("*.sql")))


def parse_aggregate(name: str, text: str) -> Aggregate:
    """Reads an aggregate's file. Raises ValueError or KeyError if its header lacks something, or has too much."""
    header = read_header(text)
    fields = dict(header.fields)
    title, grain = fields.pop("aggregate"), fields.pop("grain")
    if fields or not header.columns:
        raise ValueError(f"the header of {name} is not as the others are")
    return Aggregate(name, title, grain, header.columns, _merges(name, header), header.statement)


def _merges(name: str, header: Header) -> tuple[str, ...] | None:
    if not any(header.notes):
        return None
    if not all(header.notes):
        raise ValueError(f"the header of {name} does not say of each column how it is merged")
    return header.notes


@cache
def form() -> str:
    """A digest of all aggregates: what was kept in another form is of no use."""
    texts = [repr(aggregate) for aggregate in aggregates()]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]


KEPT_PROPERTY: Final = "haggle.kept"
"""The property of the table `events` that says what is kept."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept: of the days before `until`, which had so many `records`, in a form of the aggregates."""

    until: date
    records: int
    form: str

    @property
    def text(self) -> str:
        """As the property has it."""
        return f"{self.until} {self.records} {self.form}"


def parse_kept(text: str | None) -> Kept | None:
    """What the property says; None if nothing is kept, or in another form than that of these aggregates."""
    until, records, kept_form = (text or "1970-01-01 0 none").split()
    return Kept(date.fromisoformat(until), int(records), kept_form) if kept_form == form() else None


# ---------------------------------------------------------------- statements over some of the events


def bind(sql: str, events: str, prefix: str = "", kept: "KeptRows | None" = None) -> str:
    """The statement, with `events` in the place of the table, and views and aggregates over it.

    What it asks for becomes a part of its `with`, under its name after the prefix. It begins with `with` or `select`,
    perhaps after lines of comment; its own names within `with` must be none of these.
    """
    comment, body = _split(sql)
    parts = {EVENTS.name: events}
    for name, text in _asked(body, kept):
        parts[name] = _renamed(text, parts, prefix)
    first, rest = body.split(None, 1)
    joined = f",\n\n{rest}" if first.lower() == "with" else f"\n\n{body}"
    written = ",\n\n".join(f"{prefix}{name} as (\n{text}\n)" for name, text in parts.items())
    return f"{comment}with {written}{_renamed(joined, parts, prefix)}"


@dataclass(frozen=True, slots=True)
class KeptRows:
    """What is kept before a day, of one realm."""

    until: date
    realm: str


def _asked(sql: str, kept: "KeptRows | None") -> Iterator[tuple[str, str]]:
    """What the statement asks for, and what that asks for, before it; each perhaps several times."""
    stored = {aggregate.name: aggregate for aggregate in aggregates()}
    for name in dict.fromkeys(match[1] for match in _NAMED.finditer(sql)):
        if name in _VIEWS:
            yield name, _VIEWS[name].query()
        elif name in stored:
            text = stored[name].query(kept.until if kept else None)
            yield from _asked(text, kept)
            yield name, text
        elif kept and name.removeprefix(KEPT) in stored:
            yield name, f"select * from {_SCHEMA}.{name}\nwhere realm = '{kept.realm}'"  # noqa: S608 - escaped


def _renamed(sql: str, parts: dict[str, str], prefix: str) -> str:
    def rename(match: re.Match[str]) -> str:
        name, alias = match[1], match[2] or ""
        if name not in parts:
            return match[0]
        # columns may be asked for by the name without its prefix
        return f"{prefix}{name} as {name}" if prefix and not alias else f"{prefix}{name}{alias}"

    return _NAMED.sub(rename, sql)


def _split(sql: str) -> tuple[str, str]:
    """The lines of comment that a statement begins with, and the statement."""
    lines = sql.splitlines(keepends=True)
    start = next(n for n, line in enumerate(lines) if line.strip() and not line.startswith("--"))
    return "".join(lines[:start]), "".join(lines[start:])
