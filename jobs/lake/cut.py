"""One moment of a realm, so that questions asked one after another are answered of the same events.

A view has no parameters. So the views that a statement asks are written into it, over the events up to the moment.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from app.contract.tables import CATALOG, EVENTS, SCHEMA
from jobs.lake.aggregates import KeptRows, bind


@dataclass(frozen=True, slots=True)
class Cut:
    """The events of `realm` up to `sequence` that occurred from `since` to `until` (None: whenever they occurred).

    What is kept of the days before `kept_until` belongs to them as a whole (None: nothing that is kept is used). The
    table is read as it is now, or as it was in a `snapshot`.
    """

    realm: str
    sequence: int
    until: datetime | None = None
    since: datetime | None = None
    kept_until: date | None = None
    snapshot: int | None = None

    @property
    def condition(self) -> str:
        """What holds of these events, in SQL."""
        condition = f"realm = '{self._realm}' and sequence <= {self.sequence}"
        for sign, bound in ((">=", self.since), ("<=", self.until)):
            if bound:
                condition += f" and occurred_at {sign} timestamp '{bound.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC'"
        return condition

    @property
    def table(self) -> str:
        """The table of events, as it is read."""
        version = "" if self.snapshot is None else f" for version as of {self.snapshot}"
        return f"{CATALOG}.{SCHEMA}.{EVENTS.name}{version}"

    @property
    def kept(self) -> KeptRows | None:
        """The rows of kept aggregates that belong to these events."""
        return KeptRows(self.kept_until, self._realm) if self.kept_until else None

    @property
    def _realm(self) -> str:
        return self.realm.replace("'", "''")


def at(cut: Cut, sql: str) -> str:
    """The statement, asked of the cut alone. It begins with `with` or `select`, perhaps after lines of comment.

    Its own names within `with` must not be those of views and aggregates.
    """
    events = f"select * from {cut.table}\nwhere {cut.condition}"  # noqa: S608 - escaped
    return bind(sql, events, kept=cut.kept)
