"""Virtual time: seconds since the game began, at midnight UTC, and when in them people play.

People sleep, live in time zones, come for a session of an hour or so, mostly in their evening, and leave longer and
shorter gaps between two acts (log-normal, with a heavy tail).
"""

from dataclasses import dataclass
from random import Random
from typing import Final

HOUR_S: Final = 3_600.0
DAY_S: Final = 86_400.0

_ZONES_H: Final = (-8, -6, -5, -3, 0, 1, 1, 2, 3, 5, 8, 9, 10)
_SLEEP_H: Final = 7.5
_ACTS_PER_SESSION: Final = 6.0
_GAP_MEDIAN_LOG: Final = 4.4
"""Of seconds: 81 s."""
_GAP_SIGMA: Final = 1.1
_TRIES: Final = 8


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When a person plays: time zone, the local hour it likes best and how strictly, when it goes to bed."""

    zone_h: int
    peak_h: float
    spread_h: float
    bed_h: float

    def is_awake(self, at_s: float) -> bool:
        """Whether the person may be met."""
        local_h = (at_s / HOUR_S + self.zone_h) % 24
        return (local_h - self.bed_h) % 24 >= _SLEEP_H

    def sitting(self, draw: Random, day: int) -> float:
        """A moment of a day (of UTC) when the person sits down to play."""
        at_s = day * DAY_S
        for _ in range(_TRIES):
            hour = (draw.gauss(self.peak_h, self.spread_h) - self.zone_h) % 24
            at_s = day * DAY_S + hour * HOUR_S
            if self.is_awake(at_s):
                break
        return at_s


def draw_rhythm(draw: Random) -> Rhythm:
    """Somebody's rhythm."""
    return Rhythm(draw.choice(_ZONES_H), draw.gauss(19.5, 2.5), draw.uniform(1.5, 4.5), draw.gauss(0.0, 1.2))


def gap_s(draw: Random) -> float:
    """Time between two acts of a session."""
    return draw.lognormvariate(_GAP_MEDIAN_LOG, _GAP_SIGMA)


def sessions(draw: Random, rhythm: Rhythm, day: int, count: int) -> list[float]:
    """When in a day somebody acts who acts `count` times: in sessions, which may reach into the next day."""
    times: list[float] = []
    while len(times) < count:
        at_s = rhythm.sitting(draw, day)
        acts = min(count - len(times), 1 + int(draw.expovariate(1 / _ACTS_PER_SESSION)))
        for _ in range(acts):
            times.append(at_s)
            at_s += gap_s(draw)
    return sorted(times)


def over_days(draw: Random, rhythm: Rhythm, window: tuple[float, float], count: int) -> list[float]:
    """When in a window somebody acts who acts `count` times, each session on a day that is drawn."""
    times: list[float] = []
    start_s, end_s = window
    if end_s <= start_s:
        return times
    for _ in range(count * _TRIES):
        if len(times) >= count:
            break
        at_s = rhythm.sitting(draw, int(draw.uniform(start_s, end_s) // DAY_S))
        for _ in range(1 + int(draw.expovariate(1 / _ACTS_PER_SESSION))):
            if start_s <= at_s < end_s and len(times) < count:
                times.append(at_s)
            at_s += gap_s(draw)
    # a window of some hours may hold none that the person likes: then it is any
    times += [draw.uniform(start_s, end_s) for _ in range(count - len(times))]
    return sorted(times)
