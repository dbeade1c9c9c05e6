"""Asks the SQL of sql/ of a log of events in a file, in this process: no server is needed.

DuckDB takes Trino's dialect but for a few words, which are translated here; what a statement of sql/detection uses must
mean the same in both, and a test compares the answers.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import duckdb

from app.contract.tables import CATALOG, EVENTS, SCHEMA, VIEWS, event_columns
from app.errors import HaggleError
from jobs.lake.aggregates import aggregates
from jobs.lake.trino import SQL, Result

_THREADS: Final = 2
_FUNCTIONS: Final = (
    """\"if"(yes, value) as case when yes then value end,
    (yes, value, otherwise) as case when yes then value else otherwise end""",
    "to_unixtime(moment) as epoch(moment)",
    "element_at(items, place) as list_extract(items, place)",
)
_UNNEST: Final = re.compile(r"(cross|left) join unnest\(([\w.]+)\) as (\w+) \(([\w, ]+)\)")
_TRANSFORM: Final = re.compile(r"transform\(([\w.]+), line -> cast\((row\([^)]*\)) as row\(([^)]*)\)\)\)")


class LocalLake:
    """The table `events` and its views in memory, under their own names. Raises HaggleError for a bad statement."""

    def __init__(self, threads: int = _THREADS) -> None:
        """`threads`: processor cores that a statement may use."""
        self._connection = duckdb.connect(config={"threads": threads})
        self.run("set timezone = 'UTC'")
        self.run(f"attach ':memory:' as {CATALOG}")
        self.run(f"create schema {CATALOG}.{SCHEMA}")
        for function in _FUNCTIONS:
            self._connection.execute(f"create macro {function}")
        self.run(EVENTS.ddl("duckdb").replace(" not null", ""))
        for name, query in self._views():
            self.run(f"create view {CATALOG}.{SCHEMA}.{name} as {query}")

    @staticmethod
    def _views() -> Iterator[tuple[str, str]]:
        yield from ((view.name, view.query()) for view in VIEWS)
        yield from ((aggregate.name, aggregate.direct) for aggregate in aggregates())

    def load(self, path: Path) -> None:
        """Adds the events of a file, one in JSON a line."""
        types = ", ".join(f"'{column.name}': '{column.type.duckdb}'" for column in event_columns())
        table = f"{CATALOG}.{SCHEMA}.{EVENTS.name}"
        source = f"read_json($path, format = 'newline_delimited', columns = {{{types}}})"
        self._execute(f"insert into {table} by name from {source}", {"path": str(path)})

    def ask(self, name: str) -> Result:
        """Runs sql/<name>.sql."""
        return self.run((SQL / f"{name}.sql").read_text())

    def run(self, sql: str) -> Result:
        """Runs one statement in Trino's dialect."""
        return self._execute(in_duckdb(sql), None)

    def property(self, _name: str) -> None:
        """Nothing is kept in a file."""

    def _execute(self, sql: str, parameters: Any) -> Result:
        started = time.perf_counter()
        try:
            cursor = self._connection.execute(sql, parameters)
            rows = [list(row) for row in cursor.fetchall()]
        except duckdb.Error as error:
            raise HaggleError(f"DuckDB refuses the query: {str(error).splitlines()[0]}") from error
        columns = [column[0] for column in cursor.description or []]
        return Result(columns, rows, time.perf_counter() - started)


def in_duckdb(sql: str) -> str:
    """The statement in DuckDB's words."""
    sql = _UNNEST.sub(r"\1 join lateral (select unnest(\2, max_depth := 2)) as \3 (\4)", sql)
    return _TRANSFORM.sub(r"list_transform(\1, lambda line: cast(\2 as struct(\3)))", sql)
