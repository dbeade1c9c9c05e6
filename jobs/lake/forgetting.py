"""Forgets players in the lake: their names leave its rows, and in time the snapshots that still hold them.

An event `player_forgotten` says whom. Its player's names stand in the rows of its creation and of its renamings, and
may stand in dead letters and in what is kept of events of later versions. They are looked for in each maintenance, so
that what is replayed later is cleared too. Old snapshots go by themselves; those that a tag keeps go when their time is
over.
"""

import itertools
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from app.contract.tables import CATALOG, EVENTS, SCHEMA
from app.settings import Settings
from jobs.lake.ledger import Cleared, open_ledger

TABLE: Final = f"{CATALOG}.{SCHEMA}.{EVENTS.name}"
_AT_ONCE: Final = 200
_NAMES: Final = ("username", "external_id")
_NAMED_EVENTS: Final = "event_type in ('player_created', 'player_renamed')"
_HAS_NAMES: Final = "(username is not null or external_id is not null or raw is not null)"
MARGIN: Final = timedelta(days=1)
"""So long before the deadline tags go: the files are removed by the next maintenance at the latest."""


class Forgetting:
    """One maintenance's part in it; `now` is the moment that ages are counted from."""

    def __init__(self, spark: SparkSession, settings: Settings, now: datetime) -> None:
        self._spark = spark
        self._settings = settings
        self._now = now

    def rows_with_names(self) -> int:
        """Rows of forgotten players that still have names."""
        return self._named().count()

    def clear(self) -> None:
        """Takes the names out of the rows, and notes for whom that is done."""
        named = self._named().collect()
        # the rules that are left out for parsing would keep the condition from choosing files
        self._spark.conf.set("spark.sql.optimizer.excludedRules", "")
        for rows in (named[start : start + _AT_ONCE] for start in range(0, len(named), _AT_ONCE)):
            self._clear_dead_letters([(name, row[name]) for row in rows for name in _NAMES if row[name]])
            whom = " or ".join(f"(realm = {_quoted(realm)} and player_id = {player})" for realm, player in _ids(rows))
            self._update("username = null, external_id = null, raw = null", f"{_NAMED_EVENTS} and ({whom})")
        self._note({(row["realm"], row["player_id"]) for row in named})

    def _forgotten(self) -> DataFrame:
        rows = self._spark.table(TABLE).where("event_type = 'player_forgotten'")
        return rows.select("realm", "player_id", f.col("occurred_at").alias("forgotten_at"))

    def _named(self) -> DataFrame:
        rows = self._spark.table(TABLE).where(f"{_NAMED_EVENTS} and {_HAS_NAMES}")
        return rows.select("realm", "player_id", *_NAMES).join(f.broadcast(self._forgotten()), ["realm", "player_id"])

    def _clear_dead_letters(self, names: Sequence[tuple[str, str]]) -> None:
        """A record that is no event may name a player all the same."""
        found = " or ".join(f"instr(cast(raw as string), {_quoted(text)}) > 0" for text in naming(names))
        if found:
            self._update("raw = null", f"dead_letter is not null and ({found})")

    def _update(self, what: str, where: str) -> None:
        self._spark.sql(f"update {TABLE} set {what} where {where}").collect()  # noqa: S608 what is quoted

    def _note(self, cleared: set[tuple[str, int]]) -> None:
        """Those that were cleared now, and those who had no names left and are not noted yet."""
        # snapshots are as old as the clock says, whatever `now` is
        at = datetime.now(UTC)
        with open_ledger(self._settings) as ledger:
            noted = {(each.realm, each.player_id) for each in ledger.cleared()} - cleared
            found = [
                Cleared(row["realm"], row["player_id"], row["forgotten_at"], at) for row in self._forgotten().collect()
            ]
            ledger.clear(each for each in found if (each.realm, each.player_id) not in noted)

    # ------------------------------------------------------------ snapshots

    def due_until(self) -> datetime | None:
        """Snapshots from before this moment have names whose time is over; None if none has."""
        end = self._now + MARGIN - timedelta(days=self._settings.forget_within_days)
        with open_ledger(self._settings) as ledger:
            return max((each.cleared_at for each in ledger.cleared() if each.forgotten_at <= end), default=None)

    def drop_tags(self, table: Any) -> None:
        """Lets go of the tags that keep names whose time is over; `table` is Iceberg's."""
        until = self.due_until()
        if until is None:
            return
        for name, reference in dict(table.refs()).items():
            made_ms = table.snapshot(reference.snapshotId()).timestampMillis()
            if reference.isTag() and made_ms < until.timestamp() * 1_000:
                self._spark.sql(f"alter table {TABLE} drop tag `{name}`").collect()


def naming(names: Sequence[tuple[str, str]]) -> list[str]:
    """How JSON gives these values to these fields: with a space or without one, in UTF-8 or as ASCII.

    With the field, since a player may be called as a word that every record has.
    """
    forms = itertools.product(names, ("", " "), (True, False))
    return sorted({f'"{field}":{space}{json.dumps(name, ensure_ascii=a)}' for (field, name), space, a in forms})


def _ids(rows: Sequence[Any]) -> list[tuple[str, int]]:
    return sorted({(row["realm"], row["player_id"]) for row in rows})


def _quoted(text: str) -> str:
    """As a literal of Spark SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
