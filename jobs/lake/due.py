"""What maintenance has to do, from what the table looks like: pure choices.

Files of a day are merged in tiers. A tier holds the files below a size, each tier's size is `FAN_IN` times that of the
tier before, and the files of a tier are merged when there are `FAN_IN` of them: so an event is rewritten once for each
tier, and not with each run. A day that is over is rewritten once more, sorted, into files of the full size.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

FAN_IN: Final = 8
_SMALLEST_BYTES: Final = 32 * 2**10
"""The least tier: a file of one commit at 200 trades/s has about half of it."""
_SLACK: Final = 4
"""Files that a day which is over may have beyond those that its size asks for, before it is rewritten again."""
TAG_PREFIX: Final = "day-"


@dataclass(frozen=True, slots=True)
class Size:
    """How many, and how much they hold."""

    count: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Tier:
    """Files of one day whose size is below that of this tier, and not below that of the tier before."""

    files: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """The files of one day, by tier; the last one holds what needs no merging.

    Dead letters are of no day (None), which is never over.
    """

    day: date | None
    tiers: Sequence[Tier]

    @property
    def files(self) -> int:
        """How many files it has."""
        return sum(tier.files for tier in self.tiers)

    @property
    def size_bytes(self) -> int:
        """How much it holds."""
        return sum(tier.size_bytes for tier in self.tiers)


def limits(file_bytes: int) -> list[int]:
    """The size below which a file belongs to each tier (bytes), smallest first; full files belong to none."""
    # a merged file is a little smaller than what it was made of, so that three quarters count as full
    sizes = [file_bytes * 3 // 4]
    while sizes[0] > _SMALLEST_BYTES:
        sizes.insert(0, sizes[0] // FAN_IN)
    return sizes


def tier_of(size_bytes: int, sizes: Sequence[int]) -> int:
    """The place of a file's tier in `sizes`; `len(sizes)` if it is full."""
    return next((place for place, limit in enumerate(sizes) if size_bytes < limit), len(sizes))


def merge_below(day: Day, sizes: Sequence[int]) -> int | None:
    """The size below which a day's files are to be merged now (bytes); None if there are too few in every tier.

    What a merge leaves counts in the tier that it comes into, so that two tiers which are due are merged at once.
    """
    due = None
    files, size_bytes = 0, 0
    merged_at = -1
    for place, limit in enumerate(sizes):
        files += day.tiers[place].files
        size_bytes += day.tiers[place].size_bytes
        if merged_at > place:
            # the merged file is larger than this tier's
            continue
        if files >= FAN_IN:
            due = limit
            merged_at = tier_of(size_bytes, sizes)
            files = 1
    return due


def is_over(day: date | None, now: datetime, settle_s: float) -> bool:
    """No more events of the day are expected: it ended (UTC) at least `settle_s` ago."""
    if day is None:
        return False
    end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    return now >= end + timedelta(seconds=settle_s)


def is_compact(day: Day, file_bytes: int) -> bool:
    """A day that is over needs no rewriting: it has hardly more files than its size asks for."""
    return day.files <= math.ceil(day.size_bytes / file_bytes) + _SLACK


def tag_name(day: date) -> str:
    """The tag of the table as it was after a day."""
    return f"{TAG_PREFIX}{day.isoformat()}"


def days_to_tag(days: Iterable[date], tags: Iterable[str], today: date, keep_days: int) -> Iterator[date]:
    """Days that lack their tag and would still have it, oldest first; `days` are over and compact."""
    there = set(tags)
    oldest = today - timedelta(days=keep_days)
    return (day for day in sorted(days) if day >= oldest and tag_name(day) not in there)


def old_checkpoints(changed: dict[str, float], now: float, keep_s: float) -> list[str]:
    """Checkpoints to remove, of those with their time of change (seconds since 1970): old, and not the newest."""
    newest = max(changed, key=lambda name: changed[name], default=None)
    return sorted(name for name, at in changed.items() if name != newest and at < now - keep_s)
