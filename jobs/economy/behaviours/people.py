"""Who plays: accounts with a class, a moment of coming, a rhythm and a temper, all drawn independent of any role.

How much somebody plays has a heavy tail (Pareto). The first half comes within the first day, the others over two thirds
of the plan, so that everyone has some days to be somebody in.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Final

from app.contract.economy import Economy
from jobs.economy.behaviours.clock import DAY_S, HOUR_S, Rhythm, draw_rhythm
from jobs.economy.behaviours.realm import Holdings

_FIRST_SHARE: Final = 0.5
_LAST_SHARE_OF_TIME: Final = 0.65
_ACTIVITY_ALPHA: Final = 1.4
_MOST_ACTIVE: Final = 60.0


@dataclass(slots=True, eq=False)
class Person:
    """An account and who is behind it.

    `activity` is how much it plays beside others, `error` how far off (in logarithms) its first ideas of prices are,
    `share` how much of its purse it spends at once. `beliefs` has by item the logarithm of what it thinks a unit costs
    over the list's value. `partners` has everyone it traded with, once for each trade.
    """

    number: int
    player_class: str
    created_at_s: float
    rhythm: Rhythm
    activity: float
    error: float
    share: float
    holdings: Holdings | None = None
    beliefs: dict[int, float] = field(default_factory=dict)
    partners: list["Person"] = field(default_factory=list)
    known: set[int] = field(default_factory=set)
    is_gone: bool = False

    @property
    def has(self) -> Holdings:
        """What it holds; it is in the game by then."""
        assert self.holdings is not None
        return self.holdings

    def is_here(self, at_s: float) -> bool:
        """Whether it is in the game, has not left it, and is awake."""
        return self.holdings is not None and not self.is_gone and self.rhythm.is_awake(at_s)


def draw_people(economy: Economy, draw: Random, count: int, days: int) -> list[Person]:
    """The people of a plan in the order in which they come."""
    weights = [player_class.weight for player_class in economy.classes.values()]
    classes = draw.choices(list(economy.classes), weights, k=count)
    arrivals = sorted(_arrival_s(draw, days) for _ in range(count))
    return [
        Person(
            number,
            player_class,
            created_at_s,
            draw_rhythm(draw),
            min(draw.paretovariate(_ACTIVITY_ALPHA), _MOST_ACTIVE),
            draw.uniform(0.05, 0.25),
            draw.uniform(0.03, 0.3),
        )
        for number, (player_class, created_at_s) in enumerate(zip(classes, arrivals, strict=True), start=1)
    ]


def _arrival_s(draw: Random, days: int) -> float:
    if draw.random() < _FIRST_SHARE:
        return draw.uniform(0, min(DAY_S, 6 * HOUR_S * days))
    return draw.uniform(0, _LAST_SHARE_OF_TIME * days * DAY_S)
