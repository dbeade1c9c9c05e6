"""Hacked accounts: nearly all that a player has goes for nothing within a day, and whoever got it passes it on.

In the words of AMLSim a scatter-gather: victim → receivers → fence. A leaver's friend, a moved account or a newcomer
keeps what was given; a farmer of a gold seller is swept again and again, a hacked account once.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from jobs.economy.detection.case import Case
from jobs.economy.detection.gifts import DAY_S, HOUR_S, Gift, Gifts, value_of
from jobs.economy.log import Cheat

_DRAINED_WITHIN_S: Final = DAY_S
_PASSED_WITHIN_S: Final = 3 * DAY_S
"""After the first gift, or after the last of a slow theft."""
_LEAST_VALUE: Final = 100
_GOLD_SHARE: Final = 0.6
_WEALTH_SHARE: Final = 0.4
_PASSED_SHARE: Final = 0.4
_FENCED_SHARE: Final = 0.12
_RECEIVED_SHARE: Final = 0.02
_GIVERS_MAX: Final = 6
"""Who gets from more than so many is a bank or a merchant, who passes on what it gets for a living."""
_RECEIVERS_MAX: Final = 8
_GIFTS_MAX: Final = 100
"""Who gives more often than that, in a day or in six, gives for a living."""
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
_STRANGER_S: Final = 4 * DAY_S
"""Who met the victim no longer before: a leaver gives to an old friend."""
_MET_MAX: Final = 3
_STRANGERS_SHARE: Final = 0.5
_UNMET_SHARE: Final = 0.9
_GANG_MAX: Final = 4
_EMPTY_GOLD_SHARE: Final = 0.9
_GANG_WEALTH_SHARE: Final = 0.3
"""Of the gold of a victim whom a few strangers rob within two hours, whatever they do with it."""
_SLOWLY_WITHIN_S: Final = 6 * DAY_S
_SLOW_PARTS: Final = 4
_SLOW_RECEIVERS_MAX: Final = 3
_SLOW_WEALTH_SHARE: Final = 0.35
_SLOW_GOLD_SHARE: Final = 0.6


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

    @property
    def strangers_share(self) -> float:
        """How much of it went to players who had not met the victim long before, nor often."""
        since_s = self.gifts[0].at_s - _STRANGER_S
        strangers = {gift.receiver for gift in self._firsts if gift.met_s >= since_s and gift.earlier <= _MET_MAX}
        return sum(self.receivers[player] for player in strangers) / max(1, self.value)

    @property
    def unmet_share(self) -> float:
        """How much of it went to players whom the victim had never met."""
        return sum(self.receivers[gift.receiver] for gift in self._firsts if not gift.earlier) / max(1, self.value)

    @property
    def _firsts(self) -> Sequence[Gift]:
        return list({gift.receiver: gift for gift in reversed(self.gifts)}.values())


def find(gifts: Gifts) -> Iterator[Case]:
    """Victims, receivers and fences."""
    drains = [(victim, drain) for victim, given in gifts.by.items() for drain in _drains(gifts, victim, given)]
    robbed = Counter(
        receiver for _, drain in drains if drain.unmet_share >= _UNMET_SHARE for receiver in drain.receivers
    )
    for victim, drain in drains:
        several = _is_emptied(drain) and all(robbed[receiver] > 1 for receiver in drain.receivers)
        yield from _cases(gifts, victim, drain, several=several)


def _drains(gifts: Gifts, victim: int, given: Sequence[Gift]) -> Iterator[_Drain]:
    """The time that took most of a player's wealth, if any took so much: a day, or else some days of strangers."""
    for within_s, is_enough in ((_DRAINED_WITHIN_S, _is_drained), (_SLOWLY_WITHIN_S, _is_drained_slowly)):
        drain = _worst(given, within_s, is_enough)
        if drain is not None and _is_once(gifts, victim, drain):
            yield drain
            return


def _worst(given: Sequence[Gift], within_s: float, is_enough: Callable[["_Drain"], bool]) -> "_Drain | None":
    """What took most of all that a player gave in so long, if any is enough."""
    worst: _Drain | None = None
    times = [gift.at_s for gift in given]
    for start, first_s in enumerate(times):
        end = bisect_right(times, first_s + within_s)
        if end - start > _GIFTS_MAX:
            continue
        drain = _drain(given[start:end])
        if is_enough(drain) and (worst is None or drain.value > worst.value):
            worst = drain
    return worst


def _drain(given: Sequence[Gift]) -> "_Drain":
    receivers: Counter[int] = Counter()
    for gift in given:
        receivers[gift.receiver] += int(gift.value)
    return _Drain(given, receivers)


def _is_drained_slowly(drain: _Drain) -> bool:
    """Whether a few strangers got much again and again; others may have got a little beside."""
    most = [player for player, value in drain.receivers.items() if value >= 0.1 * drain.value]
    few = len(most) <= _SLOW_RECEIVERS_MAX and len(drain.receivers) <= _RECEIVERS_MAX
    often = len(drain.gifts) >= _SLOW_PARTS and few
    enough = drain.wealth_share >= _SLOW_WEALTH_SHARE or drain.gold_share >= _SLOW_GOLD_SHARE
    one_thing = max(gift.value for gift in drain.gifts) >= _ONE_THING_SHARE * drain.value
    return often and enough and not one_thing and drain.value >= _LEAST_VALUE and drain.strangers_share >= 0.8


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
    until_s = max(start_s + _ONCE_WITHIN_S, drain.gifts[-1].at_s)
    others = value_of(gift for gift in ever if not start_s <= gift.at_s <= until_s)
    back = value_of(gift for receiver in drain.receivers for gift in gifts.between(receiver, victim))
    return others <= 0.1 * drain.value and back <= 0.1 * drain.value


def _cases(gifts: Gifts, victim: int, drain: _Drain, *, several: bool) -> Iterator[Case]:
    start_s = drain.gifts[0].at_s
    lasted_s = max(0.0, drain.gifts[-1].at_s - start_s - DAY_S)
    passed = {
        receiver: [
            gift
            for gift in gifts.passed_on(receiver, start_s, lasted_s + _PASSED_WITHIN_S, victim)
            if gift.gold_share >= _PASSED_GOLD_SHARE or gift.wealth_share >= _PASSED_WEALTH_SHARE
        ]
        for receiver in drain.receivers
        if len(drain.receivers) > 1 or len({gift.giver for gift in gifts.to[receiver]}) <= _GIVERS_MAX
    }
    passed_value = sum(min(value, value_of(passed.get(receiver, ()))) for receiver, value in drain.receivers.items())
    strangers, share = drain.strangers_share, passed_value / drain.value
    if strangers < _STRANGERS_SHARE:
        return
    if share < _PASSED_SHARE and not several and not _is_shared_out(drain, strangers, share):
        return
    score = min(0.99, 0.55 + 0.25 * share + 0.2 * strangers * min(1.0, drain.gold_share))
    trades = [gift.sequence for gift in drain.gifts]
    days = (drain.gifts[-1].at_s - start_s) / DAY_S
    lost = f"{drain.value:,.0f} gold's worth went to {len(drain.receivers)} player(s) within {days:.1f} days"
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


def _is_emptied(drain: _Drain) -> bool:
    """Whether all gold, and much else, went within two hours to players that the victim had never met."""
    hours = (drain.gifts[-1].at_s - drain.gifts[0].at_s) / HOUR_S
    emptied = drain.gold_share >= _EMPTY_GOLD_SHARE and drain.wealth_share >= _GANG_WEALTH_SHARE
    return hours <= 2 and emptied and drain.unmet_share >= _UNMET_SHARE


def _is_shared_out(drain: _Drain, strangers: float, passed: float) -> bool:
    """Whether several strangers took nearly everything, even if they keep most of it for now."""
    if len(drain.receivers) == 1 or strangers < 0.8:
        return False
    if len(drain.receivers) <= _GANG_MAX and _is_emptied(drain):
        return True
    hours = (drain.gifts[-1].at_s - drain.gifts[0].at_s) / HOUR_S
    at_once = hours <= 6 and drain.gold_share >= 0.7 and drain.wealth_share >= _WEALTH_SHARE
    return passed >= _SHARED_OUT_PASSED and (at_once or drain.wealth_share >= 0.5)


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
