"""Bots: pauses as even as a clock's, or fairly even ones around the clock; and whoever collects what they make.

A quick and disciplined human has even pauses for minutes and sleeps; somebody who cannot sleep has none.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from jobs.economy.detection.case import Case
from jobs.economy.detection.evidence import Reactions, Rhythm
from jobs.economy.detection.gifts import Gifts, value_of
from jobs.economy.log import Cheat

_EVEN_SHARE: Final = 0.85
"""Of the pauses that are within a quarter of their median: of a clock's nearly all, of the quickest humans' 0.8."""
_MOSTLY_EVEN_SHARE: Final = 0.7
_LONG_HOURS: Final = 12
_EVEN_RUN: Final = 45
_FAIRLY_EVEN_SHARE: Final = 0.45
_SLEEPLESS_HOURS: Final = 20
_SAME_THING_SHARE: Final = 0.5
_SAME_THING_PAUSES: Final = 40
"""Between sales of one item: who sells other things too, or what comes its way, is far from even."""
_LONGEST_H: Final = 8
"""Without an hour's rest, if it is all that somebody asks for."""
_AT_ONCE_SHARE: Final = 0.5
"""Of the offers that somebody accepts, within three seconds."""
_COLLECTED_SHARE: Final = 0.3
_COLLECTED_MIN: Final = 300
_RETURNED_MAX: Final = 0.15


def find(rhythms: Iterable[Rhythm], reactions: Iterable[Reactions], gifts: Gifts) -> Iterator[Case]:
    """Bots, and who collects from them."""
    bots = {quick.player_id: _quick(quick) for quick in reactions if quick.at_once >= _AT_ONCE_SHARE * quick.accepted}
    for rhythm in rhythms:
        score = _score(rhythm)
        if score > 0 and (rhythm.player_id not in bots or bots[rhythm.player_id].score < score):
            item_id = rhythm.item_id if rhythm.item_id > 0 else None
            bots[rhythm.player_id] = Case(rhythm.player_id, Cheat.BOTTING, score, (), _words(rhythm), item_id)
    yield from bots.values()
    yield from _collectors(bots, gifts)


def _quick(row: Reactions) -> Case:
    why = f"accepted {row.at_once:,} of {row.accepted:,} offers within three seconds, on average {row.after_s:.1f}"
    return Case(row.player_id, Cheat.BOTTING, 0.9, (), why)


def _score(rhythm: Rhythm) -> float:
    """From 0.6 to 1; 0 for a human."""
    share, run = rhythm.near_median_share, rhythm.longest_even
    if rhythm.item_id:
        is_one_thing = rhythm.item_id > 0 or rhythm.longest_h >= _LONGEST_H
        is_even = is_one_thing and share >= _SAME_THING_SHARE and rhythm.pauses >= _SAME_THING_PAUSES
        return min(0.99, 0.6 + 0.3 * (share - 0.5) + 0.002 * min(run, 100)) if is_even else 0.0
    is_sleepless = rhythm.active_hours >= _SLEEPLESS_HOURS
    is_mostly_even = share >= _MOSTLY_EVEN_SHARE and rhythm.active_hours >= _LONG_HOURS
    if share >= _EVEN_SHARE or run >= _EVEN_RUN or is_mostly_even:
        return min(0.99, 0.6 + 0.3 * max(0.0, share - 0.5) + 0.002 * min(run, 100) + 0.1 * is_sleepless)
    return 0.6 + 0.3 * (share - _FAIRLY_EVEN_SHARE) if is_sleepless and share >= _FAIRLY_EVEN_SHARE else 0.0


def _words(rhythm: Rhythm) -> str:
    near = f"{rhythm.near_median_share:.0%} of {rhythm.pauses:,} pauses are within a quarter of {rhythm.median_s:.0f} s"
    near += f" between sales of item {rhythm.item_id}" if rhythm.item_id > 0 else ""
    return f"{near}, {rhythm.longest_even} even ones in a row, active in {rhythm.active_hours} hours of a day"


def _collectors(bots: Mapping[int, Case], gifts: Gifts) -> Iterator[Case]:
    """Who got much of what bots gave away, more than once, and gave nothing back."""
    for bot, case in bots.items():
        given = gifts.by.get(bot, [])
        enough = max(_COLLECTED_MIN, _COLLECTED_SHARE * value_of(given))
        for player in {gift.receiver for gift in given} - bots.keys():
            own = gifts.between(bot, player)
            if len(own) > 1 and value_of(own) >= enough and gifts.returned(bot, player) <= _RETURNED_MAX:
                why = f"got {value_of(own):,.0f} gold's worth for nothing of player {bot}, who acts like a clock"
                yield Case(player, Cheat.BOTTING, max(0.5, case.score - 0.2), [gift.sequence for gift in own], why)
