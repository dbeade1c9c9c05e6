"""The moment that questions are asked of: how far the lake has come by then, and what was still on its way."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import Any, Final

from app.contract.limits import MAX_AMOUNT
from app.errors import HaggleError
from app.settings import Settings
from jobs.lag import Lag, read_lag
from jobs.lake.aggregates import KEPT_PROPERTY, parse_kept
from jobs.lake.cut import Cut, at
from jobs.lake.trino import Lake

_FORMS: Final = "2026-11-01T12:00 or 2026-11-01, in UTC unless it says otherwise"
_EXTENT: Final = """
select
    min(occurred_at) as first_at,
    max(occurred_at) as newest_at,
    max(sequence) as sequence
from lake.haggle.events
"""


@dataclass(frozen=True, slots=True)
class Moment:
    """A cut, its newest event, and how many decided events had not landed (None: relay or streams did not say)."""

    cut: Cut
    as_of: datetime
    waiting: int | None

    @property
    def text(self) -> str:
        """The moment in a sentence."""
        where = f"As of event {self.cut.sequence:,} of realm {self.cut.realm}, {self.as_of:%Y-%m-%d %H:%M:%S} UTC"
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
            "until": until,
            "waiting": self.waiting,
        }


def read_moment(lake: Lake, settings: Settings, until: datetime | None = None) -> Moment:
    """All that has landed of the settings' realm, or what of it had occurred by then. Raises HaggleError if nothing."""
    # what waits is counted first, so that an event that lands meanwhile is rather said to wait than not at all
    waiting = waiting_events(read_lag(settings))
    realm = settings.realm
    first_at, as_of, sequence = lake.run(at(Cut(realm, MAX_AMOUNT), _EXTENT)).rows[0]
    if sequence is None:
        raise HaggleError(f"the lake holds no event of realm {realm} yet: play first, and see `haggle status`")
    if until:
        _, as_of, sequence = lake.run(at(Cut(realm, sequence, until), _EXTENT)).rows[0]
    if sequence is None:
        raise HaggleError(
            f"realm {realm} has no event up to {until:%Y-%m-%d %H:%M:%S} UTC: "
            f"its first is of {first_at:%Y-%m-%d %H:%M:%S} UTC, so ask for a later moment"
        )
    cut = Cut(realm, sequence, until)
    return Moment(replace(cut, kept_until=_kept_until(lake, cut)), as_of, waiting)


def _kept_until(lake: Lake, cut: Cut) -> date | None:
    """Up to which day what is kept belongs to the cut as a whole; None if any of it came later."""
    kept = parse_kept(lake.property(KEPT_PROPERTY))
    if kept is None or (cut.until and cut.until < datetime.combine(kept.until, time(), UTC)):
        return None
    newest = f"select max(sequence) from lake.haggle.day_figures where day < date '{kept.until}'"  # noqa: S608 - a date
    (sequence,) = lake.run(at(Cut(cut.realm, MAX_AMOUNT, kept_until=kept.until), newest)).rows[0]
    return kept.until if (sequence or 0) <= cut.sequence else None


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
