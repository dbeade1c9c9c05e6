"""Hacked accounts: nearly all that a player has goes for nothing within a day, and whoever got it passes it on.

In the words of AMLSim a scatter-gather: victim → receivers → fence. A leaver's friend, a moved account or a newcomer
keeps what was given; a farmer of a gold seller is swept again and again, a hacked account once.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from jobs.economy.detection.case import Case
from jobs.economy.detection.gifts import DAY_S, HOUR_S, Gift, Gifts, value_of
from jobs.economy.log import Cheat

_DRAINED_WITHIN_S: Final = DAY_S
_PASSED_WITHIN_S: Final = 3 * DAY_S
_LEAST_VALUE: Final = 100
_GOLD_SHARE: Final = 0.6
_WEALTH_SHARE: Final = 0.4
_PASSED_SHARE: Final = 0.4
_FENCED_SHARE: Final = 0.12
_RECEIVED_SHARE: Final = 0.02
_GIVERS_MAX: Final = 6
"""Who gets from more than so many is a bank or a merchant, who passes on what it gets for a living."""
_RECEIVERS_MAX: Final = 8
_INSTALMENTS: Final = 4
_INSTALMENTS_SHARE: Final = 0.2
"""Of wealth that may be too much to be carried away, in so many trades."""
_ONE_THING_SHARE: Final = 0.9
_SOME_GOLD_SHARE: Final = 0.2
"""Who gives one thing away, dear as it may be, and keeps its gold, was not robbed."""
_ALL_GOLD_SHARE: Final = 0.8
_MOST_WEALTH_SHARE: Final = 0.6
"""Of what went to a single receiver."""
_SHARED_OUT_PASSED: Final = 0.08
_PASSED_GOLD_SHARE: Final = 0.1
_PASSED_WEALTH_SHARE: Final = 0.05
"""Of what a receiver has that it must pass on for it to be passing on: the rich give this and that."""
_ONCE_WITHIN_S: Final = 4 * DAY_S
"""All that a victim ever gave the receivers, it gave within so long."""
_STRANGER_S: Final = DAY_S


class _Drain(NamedTuple):
    """What a player gave within a day, and to whom, by value."""

    gifts: Sequence[Gift]
    receivers: Counter[int]

    @property
    def value(self) -> float:
        return self.receivers.total()

    @property
    def gold_share(self) -> float:
        first = self.gifts[0]
        return sum(gift.gold for gift in self.gifts) / max(1, first.had_gold)

    @property
    def wealth_share(self) -> float:
        first = self.gifts[0]
        return sum(gift.gold + gift.items for gift in self.gifts) / max(1, first.had_gold + first.had_items)


def find(gifts: Gifts) -> Iterator[Case]:
    """Victims, receivers and fences."""
    for victim, given in gifts.by.items():
        drain = _worst_day(given)
        if drain is not None and _is_once(gifts, victim, drain):
            yield from _cases(gifts, victim, drain)


def _worst_day(given: Sequence[Gift]) -> _Drain | None:
    """The day that took most of a player's wealth, if any took so much."""
    worst: _Drain | None = None
    for start, first in enumerate(given):
        day = [gift for gift in given[start:] if gift.at_s <= first.at_s + _DRAINED_WITHIN_S]
        receivers: Counter[int] = Counter()
        for gift in day:
            receivers[gift.receiver] += int(gift.value)
        drain = _Drain(day, receivers)
        if _is_drained(drain) and (worst is None or drain.value > worst.value):
            worst = drain
    return worst


def _is_drained(drain: _Drain) -> bool:
    if len(drain.receivers) == 1:
        enough = drain.gold_share >= _ALL_GOLD_SHARE or drain.wealth_share >= _MOST_WEALTH_SHARE
    else:
        enough = (
            drain.gold_share >= _GOLD_SHARE
            or drain.wealth_share >= _WEALTH_SHARE
            or (drain.wealth_share >= _INSTALMENTS_SHARE and len(drain.gifts) >= _INSTALMENTS)
        )
    at_once = max(gift.value for gift in drain.gifts) >= _ONE_THING_SHARE * drain.value
    one_thing = at_once and drain.gold_share < _SOME_GOLD_SHARE
    return enough and not one_thing and drain.value >= _LEAST_VALUE and len(drain.receivers) <= _RECEIVERS_MAX


def _is_once(gifts: Gifts, victim: int, drain: _Drain) -> bool:
    """Whether the receivers had nothing of the victim before or after, and gave it nothing."""
    start_s = drain.gifts[0].at_s
    ever = [gift for receiver in drain.receivers for gift in gifts.between(victim, receiver)]
    others = value_of(gift for gift in ever if not start_s <= gift.at_s <= start_s + _ONCE_WITHIN_S)
    back = value_of(gift for receiver in drain.receivers for gift in gifts.between(receiver, victim))
    return others <= 0.1 * drain.value and back <= 0.1 * drain.value


def _cases(gifts: Gifts, victim: int, drain: _Drain) -> Iterator[Case]:
    start_s = drain.gifts[0].at_s
    passed = {
        receiver: [
            gift
            for gift in gifts.passed_on(receiver, start_s, _PASSED_WITHIN_S, victim)
            if gift.gold_share >= _PASSED_GOLD_SHARE or gift.wealth_share >= _PASSED_WEALTH_SHARE
        ]
        for receiver in drain.receivers
        if len(drain.receivers) > 1 or len({gift.giver for gift in gifts.to[receiver]}) <= _GIVERS_MAX
    }
    passed_value = sum(min(value, value_of(passed.get(receiver, ()))) for receiver, value in drain.receivers.items())
    strangers = sum(g.value for g in drain.gifts if g.met_s >= start_s - _STRANGER_S) / drain.value
    share = passed_value / drain.value
    if share < _PASSED_SHARE and not _is_shared_out(drain, strangers, share):
        return
    score = min(0.99, 0.55 + 0.25 * share + 0.2 * strangers * min(1.0, drain.gold_share))
    trades = [gift.sequence for gift in drain.gifts]
    lost = f"{drain.value:,.0f} gold's worth went to {len(drain.receivers)} player(s) within a day"
    yield Case(victim, Cheat.ACCOUNT_THEFT, score, trades, f"victim: {lost}, who passed on {share:.0%} of it")
    for receiver, value in drain.receivers.items():
        if value < _RECEIVED_SHARE * drain.value and not _is_passer(passed.get(receiver, ()), drain):
            continue
        own = [gift.sequence for gift in (*gifts.between(victim, receiver), *passed.get(receiver, ()))]
        yield Case(receiver, Cheat.ACCOUNT_THEFT, score, own, f"got {value:,} gold's worth of player {victim}'s")
    yield from _fences(passed, score)


def _is_passer(passed: Sequence[Gift], drain: _Drain) -> bool:
    """Whether a receiver of little passed on more than little."""
    return value_of(passed) >= _RECEIVED_SHARE * drain.value


def _is_shared_out(drain: _Drain, strangers: float, passed: float) -> bool:
    """Whether several strangers took nearly everything, even if they keep most of it for now."""
    several = len(drain.receivers) > 1 and strangers >= 0.8
    hours = (drain.gifts[-1].at_s - drain.gifts[0].at_s) / HOUR_S
    at_once = hours <= 6 and drain.gold_share >= 0.7 and drain.wealth_share >= _WEALTH_SHARE
    return several and passed >= _SHARED_OUT_PASSED and (at_once or drain.wealth_share >= 0.5)


def _fences(passed: dict[int, list[Gift]], score: float) -> Iterator[Case]:
    """Who got much of what receivers passed on."""
    got: Counter[int] = Counter()
    trades: dict[int, list[int]] = {}
    for given in passed.values():
        for gift in given:
            got[gift.receiver] += int(gift.value)
            trades.setdefault(gift.receiver, []).append(gift.sequence)
    for fence, value in got.items():
        if fence not in passed and value >= _FENCED_SHARE * got.total():
            yield Case(fence, Cheat.ACCOUNT_THEFT, score, trades[fence], f"got {value:,} gold's worth passed on")
