"""Gold farms: accounts that earn are swept again and again into a mule, which pays out to buyers.

In the words of AMLSim a gather-scatter: farmers → mule → buyers. In a guild's bank those who pay in also take out; a
lender is paid back by those it lent to; a prize giver gathers nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from jobs.economy.detection.case import Case
from jobs.economy.detection.gifts import Gift, Gifts, value_of
from jobs.economy.log import Cheat

_SWEPT_SHARE: Final = 0.3
"""Of its gold that a farmer gives at once."""
_SWEEPS_MIN: Final = 3
_GATHERED_MIN: Final = 300
_IN_GOLD_SHARE: Final = 0.7
"""Of all gifts of a mule, by number: a guild's bank deals in goods."""
_PAYOUT_SHARE: Final = 0.04
"""Of what a mule paid out that somebody must have got to be a buyer."""
_OFTEN: Final = 5
"""Sweeps after which one buyer is enough."""
_RETURNED_MAX: Final = 0.15
_GIVEN_BACK_OFTEN: Final = 3
_PAID_MIN: Final = 0.3
"""Of what a mule gathered that it pays out."""
_PAID_OF_MANY: Final = 0.15
_MANY_FARMERS: Final = 3
"""Who give much of their gold again and again, so that it matters less how much was paid out by now."""
_DELIVERIES_MIN: Final = 6
_DEVOTED_SHARE: Final = 0.7
"""Of all that a farmer gives, that it gives to the one who sells it."""
_GOLD_ALONE_SHARE: Final = 0.9
"""Of what that one gives, by number."""
_SMALLEST_GOLD: Final = 30


class _Mule(NamedTuple):
    player: int
    sweeps: list[Gift]
    payouts: list[Gift]

    @property
    def farmers(self) -> set[int]:
        return {gift.giver for gift in self.sweeps}

    @property
    def steady_farmers(self) -> set[int]:
        large = Counter(gift.giver for gift in self.sweeps if gift.gold_share >= _SWEPT_SHARE)
        return {farmer for farmer, times in large.items() if times >= _SWEEPS_MIN}

    @property
    def buyers(self) -> set[int]:
        return {gift.receiver for gift in self.payouts}

    @property
    def paid(self) -> float:
        return sum(gift.gold for gift in self.payouts) / value_of(self.sweeps)


def find(gifts: Gifts) -> Iterator[Case]:
    """Farmers, mules and buyers."""
    candidates = {player: mule for player in gifts.to if (mule := _candidate(gifts, player)) is not None}
    for mule in candidates.values():
        often = len(mule.sweeps) >= _OFTEN and len(mule.payouts) >= _SWEEPS_MIN
        pays_on = mule.paid >= _PAID_MIN and (len(mule.buyers) > 1 or often or mule.buyers & candidates.keys())
        if pays_on or (mule.paid >= _PAID_OF_MANY and len(mule.steady_farmers) >= _MANY_FARMERS):
            yield from _cases(mule)
    for player in gifts.to.keys() - candidates.keys():
        if (shop := _shop(gifts, player)) is not None:
            yield from _cases(shop)


def _candidate(gifts: Gifts, player: int) -> _Mule | None:
    """A player that is swept into, and what it pays to others; None if it is none."""
    gathered = [gift for gift in gifts.to[player] if _is_of_gold(gift) and _is_one_way(gifts, gift.giver, player)]
    swept = {gift.giver for gift in gathered if gift.gold_share >= _SWEPT_SHARE}
    sweeps = [gift for gift in gathered if gift.giver in swept or _times(gathered, gift.giver) >= _OFTEN]
    if sum(gift.gold_share >= _SWEPT_SHARE for gift in sweeps) < _SWEEPS_MIN and len(sweeps) < 2 * _OFTEN:
        return None
    mule = _Mule(player, sweeps, _payouts(gifts, player, sweeps))
    return mule if mule.payouts and _deals_in_gold(gifts, player) and value_of(sweeps) >= _GATHERED_MIN else None


def _shop(gifts: Gifts, player: int) -> _Mule | None:
    """A player that is given goods again and again, by accounts that give to nobody else, and gives gold alone."""
    one_way = [gift for gift in gifts.to[player] if _is_one_way(gifts, gift.giver, player)]
    farmers = {
        farmer
        for farmer, times in Counter(gift.giver for gift in one_way).items()
        if times >= _DELIVERIES_MIN
        and value_of(gifts.between(farmer, player)) >= _DEVOTED_SHARE * value_of(gifts.by[farmer])
    }
    sweeps = [gift for gift in one_way if gift.giver in farmers]
    shop = _Mule(player, sweeps, _payouts(gifts, player, sweeps))
    gold_alone = sum(map(_is_of_gold, gifts.by.get(player, ()))) >= _GOLD_ALONE_SHARE * len(gifts.by.get(player, ()))
    sells = len(shop.payouts) >= _SWEEPS_MIN and len(shop.buyers) > 1 and gold_alone
    return shop if sweeps and sells and value_of(sweeps) >= _GATHERED_MIN else None


def _payouts(gifts: Gifts, player: int, sweeps: Sequence[Gift]) -> list[Gift]:
    """Gold that went to others than who gave it, without what was hardly any of it."""
    farmers = {gift.giver for gift in sweeps}
    given = gifts.by.get(player, ())
    return _large(
        [g for g in given if _is_of_gold(g) and g.receiver not in farmers and _is_one_way(gifts, player, g.receiver)]
    )


def _is_one_way(gifts: Gifts, giver: int, receiver: int) -> bool:
    """Whether hardly anything came back, however little it was worth each time."""
    back = len(gifts.between(receiver, giver))
    return back < _GIVEN_BACK_OFTEN and gifts.returned(giver, receiver) <= _RETURNED_MAX


def _is_of_gold(gift: Gift) -> bool:
    return gift.gold >= _SMALLEST_GOLD


def _times(gathered: Iterable[Gift], giver: int) -> int:
    return sum(gift.giver == giver for gift in gathered)


def _large(payouts: Sequence[Gift]) -> list[Gift]:
    """Without those to players who got hardly any of it."""
    total = value_of(payouts)
    got: Counter[int] = Counter()
    for gift in payouts:
        got[gift.receiver] += gift.gold
    return [gift for gift in payouts if got[gift.receiver] >= _PAYOUT_SHARE * total]


def _deals_in_gold(gifts: Gifts, player: int) -> bool:
    every = (*gifts.to[player], *gifts.by.get(player, ()))
    in_gold = [gift for gift in every if gift.gold > 0]
    return len(in_gold) >= _IN_GOLD_SHARE * len(every)


def _cases(mule: _Mule) -> Iterator[Case]:
    breadth = min(1.0, (len(mule.farmers) + len(mule.buyers)) / 6)
    score = min(0.99, 0.55 + 0.2 * breadth + 0.2 * min(1.0, mule.paid) + 0.05 * (len(mule.sweeps) >= 8))
    trades = [gift.sequence for gift in (*mule.sweeps, *mule.payouts)]
    gathered, paid = value_of(mule.sweeps), value_of(mule.payouts)
    why = f"mule: {len(mule.farmers)} player(s) gave {gathered:,.0f} gold's worth in {len(mule.sweeps)} sweeps, "
    why += f"{len(mule.buyers)} others got {paid:,.0f}"
    yield Case(mule.player, Cheat.GOLD_SELLING, score, trades, why)
    for farmer in mule.farmers:
        own = [gift for gift in mule.sweeps if gift.giver == farmer]
        if len(own) >= 2:
            what = f"farmer: gave {value_of(own):,.0f} gold's worth to player {mule.player}, in {len(own)} trades"
            yield Case(farmer, Cheat.GOLD_SELLING, score, [gift.sequence for gift in own], what)
    for buyer in mule.buyers:
        own = [gift for gift in mule.payouts if gift.receiver == buyer]
        what = f"buyer: got {value_of(own):,.0f} gold for nothing of player {mule.player}"
        yield Case(buyer, Cheat.GOLD_SELLING, score, [gift.sequence for gift in own], what)
