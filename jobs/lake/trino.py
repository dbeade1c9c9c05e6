"""Questions to Trino: reads a file of sql/ and runs it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import trino
from requests.exceptions import RequestException

from app.contract.tables import CATALOG, EVENTS, SCHEMA
from app.errors import HaggleError
from app.settings import Settings

_PACKAGED: Final = Path(__file__).parents[1] / "sql"
SQL: Final = _PACKAGED if _PACKAGED.exists() else Path(__file__).parents[2] / "sql"
"""The folder of SQL: that of the checkout, or where the wheel has it."""
_TIMEOUT_S: Final = 60
_PROPERTIES: Final = f'select key, value from {CATALOG}.{SCHEMA}."{EVENTS.name}$properties"'  # noqa: S608 - of the table


class Result(NamedTuple):
    """What a query gave, and how long it took."""

    columns: list[str]
    rows: list[list[Any]]
    elapsed_s: float

    def records(self) -> list[dict[str, Any]]:
        """The rows as dictionaries by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Lake:
    """A connection to Trino, whose web UI shows its queries by `source`. Raises HaggleError when it cannot answer."""

    def __init__(self, settings: Settings, source: str = "haggle") -> None:
        self._url = settings.trino_url
        address = urlsplit(settings.trino_url)
        self._connection = trino.dbapi.connect(  # type: ignore[no-untyped-call]
            host=address.hostname,
            port=address.port or 8080,
            user="haggle",
            source=source,
            http_scheme=address.scheme,
            request_timeout=_TIMEOUT_S,
            max_attempts=3,
        )

    def ask(self, name: str, parameters: tuple[Any, ...] = ()) -> Result:
        """Runs sql/<name>.sql."""
        return self.run((SQL / f"{name}.sql").read_text(), parameters)

    def run(self, sql: str, parameters: tuple[Any, ...] = ()) -> Result:
        """Runs one statement."""
        started = time.perf_counter()
        with self._errors():
            cursor = self._connection.cursor()
            cursor.execute(sql, parameters or None)
            rows = cursor.fetchall()
            columns = [column[0] for column in cursor.description or []]
        return Result(columns, rows, time.perf_counter() - started)

    def property(self, name: str) -> str | None:
        """A property of the table `events`."""
        return next((row[1] for row in self.run(_PROPERTIES).rows if row[0] == name), None)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except trino.exceptions.TrinoUserError as error:
            raise HaggleError(f"Trino refuses the query: {error.message}") from error
        except (trino.exceptions.Error, RequestException) as error:
            raise HaggleError(f"Trino at {self._url} does not answer: {error}") from error


def parameters_of(name: str, value: str) -> tuple[str, ...]:
    """As many times `value` as sql/<name>.sql has parameters."""
    lines = (SQL / f"{name}.sql").read_text().splitlines()
    return (value,) * sum(line.count("?") for line in lines if not line.startswith("--"))
