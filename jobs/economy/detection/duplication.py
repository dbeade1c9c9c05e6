"""Dupers: the same content is accepted again and again under new names, faster than a hand can ask for it.

A double click makes two of a kind, an impatient finger several, but seconds apart.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from jobs.economy.detection.case import Case
from jobs.economy.detection.evidence import Repeat
from jobs.economy.detection.gifts import Gifts
from jobs.economy.log import Cheat

_APART_MAX_S: Final = 1.2
_COPIES_MIN: Final = 3
"""Fewer are a double click, unless they are gifts, and it happens again between the same two."""
_QUICK_S: Final = 0.75
"""On average between three or four copies: an impatient finger is slower."""
_COPIES_SURE: Final = 5
_AT_ONCE_S: Final = 0.6
_AT_ONCE_MIN: Final = 3
"""So many double clicks of the same two, as quick as that on average."""


@dataclass(slots=True)
class _Burst:
    """Like trades of two players in a row, and how long it took from the first to the last."""

    pair: frozenset[int]
    trades: list[int]
    seconds: float = 0.0

    @property
    def pause_s(self) -> float:
        return self.seconds / (len(self.trades) - 1)

    @property
    def is_fast(self) -> bool:
        copies = len(self.trades)
        return copies >= _COPIES_SURE or (copies >= _COPIES_MIN and self.pause_s <= _QUICK_S)


def find(repeats: Iterable[Repeat], gifts: Gifts) -> Iterator[Case]:
    """Both sides of bursts."""
    given = frozenset(gift.sequence for gift in gifts.all)
    bursts: dict[frozenset[int], list[_Burst]] = defaultdict(list)
    for burst in _bursts(repeats):
        bursts[burst.pair].append(burst)
    shown = {pair: likely for pair, found in bursts.items() if (likely := _likely(found, given))}
    partners = Counter(player for pair in shown for player in pair)
    for pair, likely in shown.items():
        is_gift = any(given.issuperset(burst.trades) for burst in likely)
        for player in pair:
            (other,) = pair - {player}
            # who buys once of somebody that does it with others too may know nothing of it
            if is_gift or len(likely) > 1 or partners[player] >= partners[other]:
                yield _case(player, likely)


def _likely(found: Sequence["_Burst"], given: frozenset[int]) -> list["_Burst"]:
    """The bursts of two players that no hand made; `given` are trades for next to nothing."""
    fast = [burst for burst in found if burst.is_fast]
    twice = [burst for burst in found if len(burst.trades) < _COPIES_MIN]
    gifts_twice = [burst for burst in twice if given.issuperset(burst.trades)]
    is_quick = len(twice) >= _AT_ONCE_MIN and sum(burst.pause_s for burst in twice) <= _AT_ONCE_S * len(twice)
    is_habit = len(gifts_twice) >= 2 or is_quick or bool(fast and twice)
    return fast + twice if is_habit else fast


def _case(player: int, bursts: Sequence["_Burst"]) -> Case:
    copies = max(len(burst.trades) for burst in bursts)
    score = min(0.99, (0.8 if copies >= _COPIES_MIN else 0.55) + 0.04 * (copies - 2) + 0.03 * len(bursts))
    why = f"the same trade was accepted {copies} times, less than {_APART_MAX_S} s apart; {len(bursts)} such burst(s)"
    return Case(player, Cheat.DUPLICATION, score, [trade for burst in bursts for trade in burst.trades], why)


def _bursts(repeats: Iterable[Repeat]) -> list["_Burst"]:
    """Trades that repeat each other without a pause."""
    ends: dict[int, _Burst] = {}
    bursts: list[_Burst] = []
    for repeat in repeats:
        if repeat.after_s > _APART_MAX_S:
            continue
        burst = ends.pop(repeat.before, None)
        if burst is None:
            burst = _Burst(frozenset((repeat.player_1_id, repeat.player_2_id)), [repeat.before])
            bursts.append(burst)
        burst.trades.append(repeat.sequence)
        burst.seconds += repeat.after_s
        ends[repeat.sequence] = burst
    return bursts
