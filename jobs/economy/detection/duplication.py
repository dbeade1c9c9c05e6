"""Dupers: the same content is accepted again and again under new names, faster than a hand can ask for it.

A double click makes two of a kind, an impatient finger several, but seconds apart.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from jobs.economy.detection.case import Case
from jobs.economy.detection.gifts import Gifts
from jobs.economy.log import Cheat

_APART_MAX_S: Final = 1.2
_COPIES_MIN: Final = 3
"""Fewer are a double click, unless they are gifts, and it happens again between the same two."""


def find(rows: Iterable[Mapping[str, Any]], gifts: Gifts) -> Iterator[Case]:
    """Both sides of bursts: rows of sql/detection/repeats.sql."""
    given = {gift.sequence for gift in gifts.all}
    bursts: dict[frozenset[int], list[list[int]]] = defaultdict(list)
    for pair, burst in _bursts(rows):
        bursts[pair].append(burst)
    for pair, found in bursts.items():
        large = [burst for burst in found if len(burst) >= _COPIES_MIN]
        twice = [burst for burst in found if len(burst) < _COPIES_MIN and given.issuperset(burst)]
        if not large and len(twice) < 2:
            continue
        shown = large + twice if len(twice) >= 2 else large
        copies = max(len(burst) for burst in shown)
        score = min(0.99, (0.8 if large else 0.55) + 0.04 * copies + 0.03 * len(shown))
        why = f"the same trade was accepted {copies} times, less than {_APART_MAX_S} s apart; {len(shown)} such burst(s)"
        for player in pair:
            yield Case(player, Cheat.DUPLICATION, score, [trade for burst in shown for trade in burst], why)


def _bursts(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[frozenset[int], list[int]]]:
    """Trades that repeat each other without a pause, with their two players."""
    ends: dict[int, list[int]] = {}
    all_bursts: list[tuple[frozenset[int], list[int]]] = []
    for row in rows:
        if row["after_s"] > _APART_MAX_S:
            continue
        burst = ends.pop(row["before"], None)
        if burst is None:
            burst = [row["before"]]
            all_bursts.append((frozenset((row["player_1_id"], row["player_2_id"])), burst))
        burst.append(row["sequence"])
        ends[row["sequence"]] = burst
    yield from all_bursts
