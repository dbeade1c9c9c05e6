"""Dupers: the same content is sent again and again under new names, faster than by hand, or a little varied.

What is refused, since there is nothing left of it, counts as well. A double click makes two of a kind, an impatient
finger several, but seconds apart; a merchant sells equal lots within seconds, and is paid for each; nobody clicks twice
on what is not quite the same.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from jobs.economy.detection.case import Case
from jobs.economy.detection.evidence import Repeat
from jobs.economy.log import Cheat

_APART_MAX_S: Final = 1.2
"""Between copies of a sale; gifts, and copies that vary, are looked at up to three seconds apart."""
_COPIES_MIN: Final = 3
"""Fewer are a double click."""
_QUICK_S: Final = 0.75
"""On average between three or four copies: an impatient finger is slower."""
_COPIES_SURE: Final = 5
_AT_ONCE_S: Final = 0.6
_AT_ONCE_MIN: Final = 3
"""So many double clicks of the same two, as quick as that on average."""
_ODD_MIN: Final = 2
"""Repeats of gifts, or varied ones, of the same two."""


@dataclass(slots=True)
class _Burst:
    """Like trades of two players in a row, how long it took from the first to the last, and how many are odd."""

    pair: frozenset[int]
    trades: list[int]
    seconds: float = 0.0
    odd: int = 0

    @property
    def pause_s(self) -> float:
        return self.seconds / (len(self.trades) - 1)

    @property
    def is_sure(self) -> bool:
        return self.odd > 0 or len(self.trades) >= _COPIES_SURE

    @property
    def is_fast(self) -> bool:
        copies = len(self.trades)
        if self.pause_s > _APART_MAX_S:
            return False
        return copies >= _COPIES_SURE or (copies >= _COPIES_MIN and self.pause_s <= _QUICK_S)


def find(repeats: Iterable[Repeat]) -> Iterator[Case]:
    """Both sides of bursts."""
    bursts: dict[frozenset[int], list[_Burst]] = defaultdict(list)
    for burst in _bursts(repeats):
        bursts[burst.pair].append(burst)
    shown = {pair: likely for pair, found in bursts.items() if (likely := _likely(found))}
    shown = _without_accidents(shown) | _with_accomplices(shown, bursts)
    partners = Counter(player for pair in shown for player in pair)
    for pair, likely in shown.items():
        for player in pair:
            (other,) = pair - {player}
            # who buys once of somebody that does it with others too may know nothing of it
            if len(likely) > 1 or any(burst.odd for burst in likely) or partners[player] >= partners[other]:
                yield _case(player, likely)


def _likely(found: Sequence["_Burst"]) -> list["_Burst"]:
    """The bursts of two players that no hand made."""
    fast = [burst for burst in found if burst.is_fast]
    others = [burst for burst in found if not burst.is_fast]
    odd = [burst for burst in others if burst.odd]
    quick = [burst for burst in others if burst.pause_s <= _APART_MAX_S]
    is_quick = len(quick) >= _AT_ONCE_MIN and sum(burst.pause_s for burst in quick) <= _AT_ONCE_S * len(quick)
    is_odd = sum(burst.odd for burst in odd) >= _ODD_MIN
    return fast + (others if fast or is_quick else odd if is_odd else [])


def _without_accidents(shown: dict[frozenset[int], list["_Burst"]]) -> dict[frozenset[int], list["_Burst"]]:
    """Without those two who sold each other the same three or four times at once, if neither did so with another."""
    times = Counter(player for pair, likely in shown.items() for player in pair for _ in likely)
    return {
        pair: likely
        for pair, likely in shown.items()
        if max(times[player] for player in pair) > 1 or any(burst.is_sure for burst in likely)
    }


def _with_accomplices(
    shown: dict[frozenset[int], list["_Burst"]], bursts: dict[frozenset[int], list["_Burst"]]
) -> dict[frozenset[int], list["_Burst"]]:
    """The pairs of somebody who does it with another, of whom once would not be enough."""
    dupers = {player for pair in shown for player in pair}
    return {
        pair: odd
        for pair, found in bursts.items()
        if pair not in shown and pair & dupers and (odd := [burst for burst in found if burst.odd])
    }


def _case(player: int, bursts: Sequence["_Burst"]) -> Case:
    copies = max(len(burst.trades) for burst in bursts)
    score = min(0.99, (0.8 if copies >= _COPIES_MIN else 0.6) + 0.04 * (copies - 2) + 0.03 * len(bursts))
    apart_s = sum(burst.seconds for burst in bursts) / sum(len(burst.trades) - 1 for burst in bursts)
    why = f"the same was sent up to {copies} times, {apart_s:.2f} s apart on average; {len(bursts)} such burst(s)"
    return Case(player, Cheat.DUPLICATION, score, [trade for burst in bursts for trade in burst.trades], why)


def _bursts(repeats: Iterable[Repeat]) -> list["_Burst"]:
    """Trades that repeat each other without a pause."""
    ends: dict[int, _Burst] = {}
    bursts: list[_Burst] = []
    for repeat in repeats:
        is_odd = repeat.is_gift or not repeat.is_same
        if repeat.after_s > _APART_MAX_S and not is_odd:
            continue
        burst = ends.pop(repeat.before, None)
        if burst is None:
            burst = _Burst(frozenset((repeat.player_1_id, repeat.player_2_id)), [repeat.before])
            bursts.append(burst)
        burst.trades.append(repeat.sequence)
        burst.seconds += repeat.after_s
        burst.odd += is_odd
        ends[repeat.sequence] = burst
    return bursts
