"""The way of one trade, by its id: when it was decided, when Kafka had it, and which commit made it a row.

The commit is found by what the streams write into the summary of each snapshot, which is there until it expires.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from app.contract.tables import BATCH, CATALOG, EVENTS, SCHEMA, SEQUENCES
from app.errors import HaggleError
from app.lag import read_lag
from app.settings import Settings
from jobs import engine
from jobs.lake.trino import Lake

_TABLE: Final = f"{CATALOG}.{SCHEMA}.{EVENTS.name}"
_ROW: Final = f"""
select
    event_type,
    reason,
    sequence,
    occurred_at,
    recorded_at,
    kafka_topic,
    kafka_partition,
    kafka_offset,
    player_1.player_id as player_1,
    player_2.player_id as player_2
from {_TABLE}
where realm = ? and trade_id = ?
order by sequence
limit 1
"""  # noqa: S608 - of the table
_COMMITS: Final = f"""
select snapshot_id, committed_at, summary from {CATALOG}.{SCHEMA}."{EVENTS.name}$snapshots"
where committed_at >= ?
order by committed_at
limit 1000
"""  # noqa: S608 - of the table
_PAUSE_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the way: `at` is None where it has not come to, or when is not known; `words` say where it is seen."""

    name: str
    at: datetime | None
    words: str


def trace(settings: Settings, lake: Lake, trade_id: str, wait_s: float) -> list[Step]:
    """The steps of a trade's way in their order, as far as it has come when `wait_s` is over at the latest.

    Raises HaggleError if neither the lake nor the engine knows the trade, or neither answers.
    """
    deadline = time.monotonic() + wait_s
    while not (row := _row(lake, settings.realm, trade_id)):
        if time.monotonic() > deadline:
            return list(_on_its_way(settings, trade_id))
        time.sleep(_PAUSE_S)
    return list(_steps(lake, settings.realm, row))


def _row(lake: Lake, realm: str, trade_id: str) -> dict[str, Any] | None:
    rows = lake.run(_ROW, (realm, trade_id)).records()
    return rows[0] if rows else None


def _steps(lake: Lake, realm: str, row: dict[str, Any]) -> Iterator[Step]:
    outcome = row["event_type"].replace("_", " ") + (f": {row['reason']}" if row["reason"] else "")
    players = f"players {row['player_1']} and {row['player_2']}"
    yield Step("decided", row["occurred_at"], f"{outcome}, {players}, event {row['sequence']:,} of realm {realm}")
    place = f"{row['kafka_topic']}, partition {row['kafka_partition']}, offset {row['kafka_offset']:,}"
    yield Step("in Kafka", row["recorded_at"], place)
    yield _commit(lake, realm, row)


def _commit(lake: Lake, realm: str, row: dict[str, Any]) -> Step:
    """The first commit of a batch with the event."""
    # by milliseconds, as snapshots count
    since = row["recorded_at"].replace(microsecond=row["recorded_at"].microsecond // 1000 * 1000)
    for snapshot, committed_at, summary in lake.run(_COMMITS, (since,)).rows:
        first, last = json.loads(summary.get(SEQUENCES, "{}")).get(realm, (0, 0))
        if first <= row["sequence"] <= last:
            words = f"snapshot {snapshot}, batch {summary[BATCH]} of the streams: events {first:,} to {last:,}"
            return Step("in the table", committed_at, words)
    return Step("in the table", None, "the snapshot that it came with has expired (SNAPSHOT_KEEP_S)")


def _on_its_way(settings: Settings, trade_id: str) -> Iterator[Step]:
    """What the engine knows of a trade that has no row, and where events wait."""
    answer = engine.find(settings, f"/v1/trades/{quote(trade_id, safe='')}")
    if answer is None:
        raise HaggleError(f"no trade {trade_id} in realm {settings.realm}: neither the lake nor the engine knows it")
    trade = answer["trade"]
    outcome = f"trade {trade['status']}, event {trade['sequence']:,} of realm {settings.realm}; it has no row yet"
    yield Step("decided", datetime.fromisoformat(trade["occurred_at"]), outcome)
    for stage in read_lag(settings).stages:
        waits = "its server is silent" if stage.events is None else f"{stage.events:,} events wait here"
        yield Step(stage.stage, None, waits)
