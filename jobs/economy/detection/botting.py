"""Bots: pauses as even as a clock's, or fairly even ones around the clock; and whoever collects what they make.

A quick and disciplined human has even pauses for minutes and sleeps; somebody who cannot sleep has none.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from jobs.economy.detection.case import Case
from jobs.economy.detection.gifts import Gifts, value_of
from jobs.economy.log import Cheat

_EVEN_SHARE: Final = 0.72
"""Of the pauses that are within a quarter of their median: by a clock nearly all, by the quickest humans 0.62."""
_EVEN_RUN: Final = 45
_FAIRLY_EVEN_SHARE: Final = 0.45
_SLEEPLESS_HOURS: Final = 20
_COLLECTED_SHARE: Final = 0.3


def find(rows: Iterable[Mapping[str, Any]], gifts: Gifts, trades_of: Mapping[int, list[int]]) -> Iterator[Case]:
    """Bots, of rows of sql/detection/rhythm.sql, and their collectors. `trades_of`: some trades of each player."""
    bots: dict[int, Case] = {}
    for row in rows:
        score = _score(row)
        if score is None or (row["player_id"] in bots and bots[row["player_id"]].score >= score):
            continue
        why = f"{row['near_median_share']:.0%} of {row['pauses']:,} pauses are within a quarter of {row['median_s']:.0f} s, "
        why += f"{row['longest_even']} even ones in a row, active in {row['active_hours']} hours of a day"
        bots[row["player_id"]] = Case(
            row["player_id"], Cheat.BOTTING, score, trades_of.get(row["player_id"], [])[:100], why
        )
    yield from bots.values()
    yield from _collectors(bots, gifts)


def _score(row: Mapping[str, Any]) -> float | None:
    share, run, hours = row["near_median_share"], row["longest_even"], row["active_hours"]
    if share >= _EVEN_SHARE or run >= _EVEN_RUN:
        return min(0.99, 0.6 + 0.3 * max(0.0, share - 0.5) + 0.002 * min(run, 100) + 0.1 * (hours >= _SLEEPLESS_HOURS))
    if hours >= _SLEEPLESS_HOURS and share >= _FAIRLY_EVEN_SHARE:
        return 0.6 + 0.3 * (share - _FAIRLY_EVEN_SHARE)
    return None


def _collectors(bots: Mapping[int, Case], gifts: Gifts) -> Iterator[Case]:
    """Who got much of what bots gave away, and gave nothing back."""
    for bot, case in bots.items():
        given = gifts.by.get(bot, [])
        for player in {gift.receiver for gift in given} - bots.keys():
            own = gifts.between(bot, player)
            if value_of(own) >= _COLLECTED_SHARE * value_of(given) and len(own) >= 2 and gifts.returned(bot, player) <= 0.15:
                why = f"got {value_of(own):,.0f} gold's worth for nothing of player {bot}, who acts like a clock"
                yield Case(player, Cheat.BOTTING, max(0.5, case.score - 0.2), [gift.sequence for gift in own], why)
