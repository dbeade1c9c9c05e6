"""The moment that questions are asked of: how far the lake has come by then, and what was still on its way."""

import time
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from datetime import time as clock
from typing import Any, Final, NamedTuple

from app.contract.limits import MAX_AMOUNT
from app.contract.tables import CATALOG, EVENTS, SCHEMA
from app.errors import HaggleError
from app.lag import Lag, read_lag
from app.settings import Settings
from jobs.lake.aggregates import KEPT_PROPERTY, parse_kept
from jobs.lake.cut import Cut, at
from jobs.lake.trino import Lake

_FORMS: Final = "2026-11-01T12:00 or 2026-11-01, in UTC unless it says otherwise"
_PAUSE_S: Final = 0.5
_SNAPSHOTS: Final = f'select snapshot_id, committed_at from {CATALOG}.{SCHEMA}."{EVENTS.name}$snapshots"'  # noqa: S608 - of the table
_EXTENT: Final = """
select
    min(occurred_at) as first_at,
    max(occurred_at) as newest_at,
    max(sequence) as sequence
from lake.haggle.events
"""


class Past(NamedTuple):
    """What is asked for: what had occurred by a moment, what had landed by one (None: by now)."""

    occurred_by: datetime | None = None
    known_at: datetime | None = None


NOW: Final = Past()


@dataclass(frozen=True, slots=True)
class Moment:
    """A cut, its newest event, and how many decided events had not landed (None: relay or streams did not say).

    `known_at` is when the snapshot was committed that is read in the place of the newest.
    """

    cut: Cut
    as_of: datetime
    waiting: int | None
    known_at: datetime | None = None

    @property
    def text(self) -> str:
        """The moment in a sentence."""
        where = f"As of event {self.cut.sequence:,} of realm {self.cut.realm}, {self.as_of:%Y-%m-%d %H:%M:%S} UTC"
        if self.known_at:
            return f"{where}, as it was known at {self.known_at:%Y-%m-%d %H:%M:%S} UTC, when the table was committed."
        if self.waiting is None:
            return f"{where}; how many decided events had not landed is not known."
        return f"{where}; {self.waiting:,} decided event{'' if self.waiting == 1 else 's'} had not landed."

    def as_json(self) -> dict[str, Any]:
        """The moment for programs."""
        until = self.cut.until and self.cut.until.isoformat()
        return {
            "realm": self.cut.realm,
            "sequence": self.cut.sequence,
            "as_of": self.as_of.isoformat(),
            "at": until,
            "known_at": self.known_at and self.known_at.isoformat(),
            "waiting": self.waiting,
        }


def read_moment(lake: Lake, settings: Settings, past: Past = NOW) -> Moment:
    """All that has landed of the settings' realm, or what belongs to that past.

    Raises HaggleError if that is nothing, or if no snapshot is left that was there at `known_at`.
    """
    # what waits is counted first, so that an event that lands meanwhile is rather said to wait than not at all
    waiting = waiting_events(read_lag(settings))
    realm, until = settings.realm, past.occurred_by
    snapshot, committed_at = _snapshot(lake, past.known_at) if past.known_at else (None, None)
    first_at, as_of, sequence = lake.run(at(Cut(realm, MAX_AMOUNT, snapshot=snapshot), _EXTENT)).rows[0]
    if sequence is None:
        raise HaggleError(f"the lake holds no event of realm {realm} yet: play first, and see `haggle status`")
    if until:
        _, as_of, sequence = lake.run(at(Cut(realm, sequence, until, snapshot=snapshot), _EXTENT)).rows[0]
    if sequence is None:
        raise HaggleError(
            f"realm {realm} has no event up to {until:%Y-%m-%d %H:%M:%S} UTC: "
            f"its first is of {first_at:%Y-%m-%d %H:%M:%S} UTC, so ask for a later moment"
        )
    cut = Cut(realm, sequence, until, snapshot=snapshot)
    return Moment(replace(cut, kept_until=_kept_until(lake, cut)), as_of, waiting, committed_at)


def _snapshot(lake: Lake, known_at: datetime) -> tuple[int, datetime]:
    """The newest snapshot that was there at that moment and still is, and when it was committed."""
    moment = f"timestamp '{known_at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC'"
    rows = lake.run(f"{_SNAPSHOTS}\nwhere committed_at <= {moment}\norder by committed_at desc\nlimit 1").rows
    if not rows:
        raise HaggleError(
            f"no snapshot of {known_at:%Y-%m-%d %H:%M:%S} UTC or before is left: they are kept for SNAPSHOT_KEEP_S, "
            "and one of each day that is over for TAG_KEEP_DAYS; `--at` asks for what had occurred by then instead"
        )
    return rows[0][0], rows[0][1]


def _kept_until(lake: Lake, cut: Cut) -> date | None:
    """Up to which day what is kept belongs to the cut as a whole; None if any of it came later."""
    kept = parse_kept(lake.property(KEPT_PROPERTY))
    if (
        kept is None
        or cut.snapshot is not None
        or (cut.until and cut.until < datetime.combine(kept.until, clock(), UTC))
    ):
        return None
    newest = f"select max(sequence) from lake.haggle.day_figures where day < date '{kept.until}'"  # noqa: S608 - a date
    (sequence,) = lake.run(at(Cut(cut.realm, MAX_AMOUNT, kept_until=kept.until), newest)).rows[0]
    return kept.until if (sequence or 0) <= cut.sequence else None


def await_landing(lake: Lake, settings: Settings, wait_s: float) -> None:
    """Waits until what was decided by now has landed, but no longer than that; not at all if nobody knows what was."""
    deadline = time.monotonic() + wait_s
    decided, landed = read_lag(settings).decided_sequence or 0, 0
    while (landed := newest_sequence(lake, settings.realm, landed)) < decided and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)


def newest_sequence(lake: Lake, realm: str, known: int) -> int:
    """The realm's newest event in the lake; only files are read that may hold newer ones than `known`."""
    found: int = lake.ask("audit/newest", (realm, known)).rows[0][0]
    return max(found, known)


def waiting_events(lag: Lag) -> int | None:
    """Events that wait at all stages together; None if a stage is not known."""
    counts = [stage.events for stage in lag.stages]
    return None if None in counts else sum(count for count in counts if count)


def parse_moment(text: str) -> datetime:
    """The moment that a person means. Raises HaggleError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise HaggleError(f"{text!r} is no moment: write it as {_FORMS}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
