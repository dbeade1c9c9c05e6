"""Records that are not valid events, as Trino shows them: listing them, and showing one."""

from collections.abc import Iterator
from typing import Any, Final

from app.contract.tables import CATALOG, DEAD_LETTERS, SCHEMA
from app.errors import HaggleError
from jobs.lake.trino import Lake, Result

_VIEW: Final = f"{CATALOG}.{SCHEMA}.{DEAD_LETTERS.name}"


def list_dead_letters(lake: Lake, reason: str | None, limit: int) -> Result:
    """The newest dead letters: where each stood, when, why, and how it begins."""
    where, parameters = ("where reason = ?", (reason,)) if reason else ("", ())
    sql = (
        f'select partition, "offset", recorded_at, reason, from_utf8(substr(value, 1, 80)) as beginning '  # noqa: S608
        f'from {_VIEW} {where} order by recorded_at desc, "offset" desc limit {limit:d}'
    )
    return lake.run(sql, parameters)


def show_dead_letter(lake: Lake, partition: int, offset: int) -> Iterator[dict[str, Any]]:
    """The record at a place in Kafka; more than one if the topic was made anew. Raises HaggleError if there is none."""
    sql = f'select * from {_VIEW} where partition = ? and "offset" = ? order by recorded_at'  # noqa: S608
    found = lake.run(sql, (partition, offset)).records()
    if not found:
        raise HaggleError(f"there is no dead letter at partition {partition}, offset {offset}")
    yield from found
