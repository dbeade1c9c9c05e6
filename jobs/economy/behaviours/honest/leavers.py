"""Leavers: they give all that they have to an old friend, and are not seen again.

One account is emptied in minutes, as a stolen one is; but to somebody whom it knew for long, and who keeps it.
"""

from collections import Counter
from random import Random
from typing import Final

from jobs.economy.behaviours import deals
from jobs.economy.behaviours.cast import Cast
from jobs.economy.behaviours.clock import DAY_S
from jobs.economy.behaviours.people import Person
from jobs.economy.behaviours.world import Process, World

PER_1000: Final = 12
ACTIVITY: Final = (1.0, 6.0)
OLD_FRIENDS_MET: Final = 3
_STAYS_AT_LEAST_S: Final = 3 * DAY_S
_LINES: Final = 3


def play(world: World, draw: Random, cast: Cast) -> None:
    """Starts the leavers of a plan."""
    for leaver in cast.reserve(round(PER_1000 * len(world.people) / 1000)):
        # who hardly plays has no old friends
        leaver.activity = max(leaver.activity, draw.uniform(*ACTIVITY))
        world.start(_leaver(world, draw, leaver, cast))


def _leaver(world: World, draw: Random, leaver: Person, cast: Cast) -> Process:
    earliest_s = min(leaver.created_at_s + _STAYS_AT_LEAST_S, 0.9 * world.end_s)
    yield draw.uniform(earliest_s, world.end_s)
    friend = None
    while friend is None:
        yield world.now_s + draw.uniform(0.02, 0.2) * DAY_S
        friend = _old_friend(leaver, world.now_s)
    cast.innocent("leaver", leaver)
    cast.innocent("old_friend", friend)
    gold = leaver.has.purse
    for lines in _everything(world, leaver):
        deals.give(world, leaver, friend, gold, lines)
        gold = 0
        yield world.now_s + draw.uniform(15, 200)
    leaver.is_gone = True


def _old_friend(leaver: Person, at_s: float) -> Person | None:
    """Whom it traded with most, of those who are here and whom it knows well."""
    counts = Counter(leaver.partners)
    here = [
        (count, -person.number, person)
        for person, count in counts.items()
        if count >= OLD_FRIENDS_MET and person.is_here(at_s)
    ]
    return max(here)[2] if here else None


def _everything(world: World, leaver: Person) -> list[tuple[tuple[int, int], ...]]:
    """All that somebody has, the most valuable first, in trades of a few lines."""
    values = world.market.values
    items = sorted(leaver.has.items, key=lambda item: (-values[item], item))
    lines = [(item, leaver.has.free(item)) for item in items]
    return [tuple(lines[start : start + _LINES]) for start in range(0, len(lines), _LINES)]
