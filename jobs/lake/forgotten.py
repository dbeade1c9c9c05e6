"""What is left of the names of players that were forgotten, and where: `haggle forgotten`.

In Redis nothing is left at once but what its append-only file still holds; the relay says when that was made anew.
Kafka lets go of events by their age, the lake's rows are cleared by the next maintenance, its old snapshots expire.
"""

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.lag import read_files_rewritten_at
from app.settings import Settings
from jobs.lake.ledger import open_ledger
from jobs.lake.log import Log
from jobs.lake.trino import Lake


@dataclass(frozen=True, slots=True)
class Forgotten:
    """One player: by when nothing is to be left, and where something may be; None: its server does not say.

    `rows` of the lake's newest snapshot, and `snapshots` before the names were taken out of it.
    """

    player_id: int
    forgotten_at: datetime
    deadline: datetime
    redis_files: bool | None
    kafka: bool
    rows: int
    snapshots: int

    @property
    def is_gone(self) -> bool:
        """Nothing is left."""
        return not (self.redis_files or self.kafka or self.rows or self.snapshots) and self.redis_files is not None


def list_forgotten(settings: Settings) -> Iterator[Forgotten]:
    """The players of the realm that were forgotten, in the order in which they were."""
    lake = Lake(settings, "haggle forgotten")
    rows = lake.ask("audit/forgotten", (settings.realm,)).records()
    if not rows:
        return
    oldest, rewritten_at = _oldest_in_kafka(settings, lake), read_files_rewritten_at(settings)
    snapshots = [row[0] for row in lake.ask("audit/snapshots").rows]
    with open_ledger(settings) as ledger:
        cleared = {each.player_id: each.cleared_at for each in ledger.cleared() if each.realm == settings.realm}
    for row in rows:
        at: datetime = row["forgotten_at"]
        since = cleared.get(row["player_id"], datetime.now(UTC))
        yield Forgotten(
            player_id=row["player_id"],
            forgotten_at=at,
            deadline=at + timedelta(days=settings.forget_within_days),
            redis_files=None if rewritten_at is None else at.timestamp() >= rewritten_at,
            kafka=oldest is not None and row["named_until"] >= oldest,
            rows=row["rows_with_names"],
            snapshots=bisect_left(snapshots, since),
        )


def _oldest_in_kafka(settings: Settings, lake: Lake) -> int | None:
    """The oldest event of the realm that the topic holds; None if it holds none."""
    with closing(Log(settings)) as log:
        place: Any = (log.topic_id, log.partition, log.oldest(), settings.realm)
    found: int | None = lake.ask("audit/kept", place).rows[0][0]
    return found
