"""Cartels: several accounts buy an item up within days, and then sell it off at the same time.

In the words of AMLSim a fan-in to each, and a fan-out. A collector keeps what it buys; a merchant and a bargainer buy
and sell by turns; a speculator does it alone. When an item is in demand, many sell it who have not bought it up before.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, groupby
from operator import attrgetter
from typing import Final, NamedTuple

from jobs.economy.detection.case import Case
from jobs.economy.detection.evidence import Turn
from jobs.economy.detection.gifts import DAY_S
from jobs.economy.log import Cheat

_BUYING_S: Final = 10 * DAY_S
_SELLING_S: Final = 4 * DAY_S
_PURCHASES_MIN: Final = 5
_SALES_MIN: Final = 3
_ONE_WAY_SHARE: Final = 0.8
"""Of its trades while it buys that are purchases, and of those while it sells that are sales."""
_SOLD_SHARE: Final = 0.25
"""Of what it bought that it sells."""
_BID_TO_USUAL: Final = 0.95
"""Who buys below the usual price is a merchant."""

_MANY_PURCHASES: Final = 8
_MANY_SALES: Final = 5
_DEAR_BID: Final = 1.03
_DEAR_ASK: Final = 1.05
_TOGETHER_S: Final = 1.25 * DAY_S
_CARTEL_MAX: Final = 15

_LEAST_ASK: Final = 0.98
_BOLD_ASK: Final = 1.5
_BOLD_BID: Final = 1.1
_BOLD_PURCHASES: Final = 15
_BOLD_SALES: Final = 8
"""At which even one alone is no speculator."""

_TALKED_INTO: Final = 1.25
_LOTS_MIN: Final = 2
_EXCESS_SHARE: Final = 0.12
"""Of all that the cartel got above the usual price: a victim pays much of it, in the market each pays a little."""


class _Campaign(NamedTuple):
    """What one player bought up of an item and sold off."""

    player_id: int
    purchases: int
    sales: int
    bought: int
    sold: int
    bid: float
    ask: float
    begins_s: float
    sold_at_s: float
    ends_s: float
    trades: Sequence[int]

    @property
    def is_clear(self) -> bool:
        """So large, and so far from the usual price, that two of them are no chance."""
        many = self.purchases >= _MANY_PURCHASES and self.sales >= _MANY_SALES
        return many and self.is_dear and self.ask >= _LEAST_ASK

    @property
    def is_bold(self) -> bool:
        many = self.purchases >= _BOLD_PURCHASES and self.sales >= _BOLD_SALES
        return many and self.bid >= _BOLD_BID and self.ask >= _BOLD_ASK

    @property
    def is_dear(self) -> bool:
        return self.bid >= _DEAR_BID and (self.ask >= _DEAR_ASK or self.purchases >= _BOLD_PURCHASES)

    def sold_dear(self, turn: Turn) -> bool:
        """Whether a trade sold for much more than usual, while the campaign went on or on the day after."""
        is_during = self.begins_s <= turn.at_s <= self.ends_s + DAY_S
        return is_during and turn.units < 0 and turn.to_usual >= _TALKED_INTO


def find(turns: Iterable[Turn]) -> Iterator[Case]:
    """Members of cartels, and whom they talked into buying."""
    for item_id, of_item in groupby(turns, key=attrgetter("item_id")):
        every = list(of_item)
        campaigns = [
            campaign
            for _, of_player in groupby(every, key=attrgetter("player_id"))
            if (campaign := _campaign(list(of_player))) is not None
        ]
        for group in _together(campaigns):
            clear = sum(each.is_clear for each in group)
            if (clear >= 2 or any(each.is_bold for each in group)) and len(group) <= _CARTEL_MAX:
                members = {each.player_id: each for each in group if each.is_dear}
                yield from _cases(item_id, members)
                yield from _victims(item_id, members, every)


def _campaign(turns: Sequence[Turn]) -> _Campaign | None:
    """The time before which a player bought the item up, and after which it sold it off; None if there was none.

    Without what it traded both ways with the same partner, as a cartel does to lift the price.
    """
    sellers = {turn.partner for turn in turns if turn.units > 0}
    buyers = {turn.partner for turn in turns if turn.units < 0}
    one_way = [turn for turn in turns if turn.partner not in sellers & buyers]
    times = [turn.at_s for turn in one_way]
    purchases = [0, *accumulate(turn.units > 0 for turn in one_way)]
    best: _Campaign | None = None
    for place in range(1, len(one_way)):
        if one_way[place - 1].units < 0 or one_way[place].units > 0:
            continue
        begin = bisect_left(times, times[place - 1] - _BUYING_S)
        end = bisect_right(times, times[place] + _SELLING_S)
        bought = purchases[place] - purchases[begin]
        sold = end - place - (purchases[end] - purchases[place])
        if bought < max(_PURCHASES_MIN, _ONE_WAY_SHARE * (place - begin)):
            continue
        if sold < max(_SALES_MIN, _ONE_WAY_SHARE * (end - place)):
            continue
        found = _measured(one_way[begin:place], one_way[place:end])
        if found is not None and (best is None or found.purchases + found.sales > best.purchases + best.sales):
            best = found
    return best


def _measured(buying: Sequence[Turn], selling: Sequence[Turn]) -> _Campaign | None:
    """What was bought and sold in the two phases; None if it is too little, or was bought cheap."""
    purchases = [turn for turn in buying if turn.units > 0]
    sales = [turn for turn in selling if turn.units < 0]
    bought, sold = sum(turn.units for turn in purchases), -sum(turn.units for turn in sales)
    bid = sum(turn.units * turn.to_usual for turn in purchases) / bought
    ask = -sum(turn.units * turn.to_usual for turn in sales) / sold
    if sold < _SOLD_SHARE * bought or bid < _BID_TO_USUAL:
        return None
    return _Campaign(
        player_id=buying[0].player_id,
        purchases=len(purchases),
        sales=len(sales),
        bought=bought,
        sold=sold,
        bid=bid,
        ask=ask,
        sold_at_s=-sum(turn.units * turn.at_s for turn in sales) / sold,
        ends_s=sales[-1].at_s,
        begins_s=purchases[0].at_s,
        trades=[turn.sequence for turn in (*purchases, *sales)],
    )


def _together(campaigns: Iterable[_Campaign]) -> Iterator[list[_Campaign]]:
    """Those that sold at the same time."""
    group: list[_Campaign] = []
    for campaign in sorted(campaigns, key=attrgetter("sold_at_s")):
        if group and campaign.sold_at_s - group[-1].sold_at_s > _TOGETHER_S:
            yield group
            group = []
        group.append(campaign)
    if group:
        yield group


def _cases(item_id: int, members: Mapping[int, _Campaign]) -> Iterator[Case]:
    """Everybody whose prices were unusual, beside at least one or two that are clear."""
    dearest = max(each.ask for each in members.values())
    score = max(0.6, min(0.99, 0.55 + 0.08 * len(members) + 0.2 * (dearest - 1)))
    for each in members.values():
        why = f"bought {each.bought:,} of item {item_id} in {each.purchases} trades at {each.bid:.2f} of the usual, "
        why += f"then sold {each.sold:,} in {each.sales} at {each.ask:.2f}, together with {len(members) - 1} other(s)"
        yield Case(each.player_id, Cheat.PRICE_MANIPULATION, score, each.trades, why)


def _victims(item_id: int, members: Mapping[int, _Campaign], turns: Iterable[Turn]) -> Iterator[Case]:
    """Who bought again and again of members, for so much more than usual that it is much of what they gained."""
    dear: dict[int, list[Turn]] = defaultdict(list)
    for turn in turns:
        if turn.player_id in members and turn.partner not in members and members[turn.player_id].sold_dear(turn):
            dear[turn.partner].append(turn)
    excess = {player: sum(-lot.units * (lot.to_usual - 1) for lot in lots) for player, lots in dear.items()}
    for player, lots in dear.items():
        if len(lots) >= _LOTS_MIN and excess[player] >= _EXCESS_SHARE * sum(excess.values()):
            units = -sum(lot.units for lot in lots)
            price = -sum(lot.units * lot.to_usual for lot in lots) / units
            why = f"victim: bought {units:,} of item {item_id} of a cartel, at {price:.2f} of the usual price"
            yield Case(player, Cheat.PRICE_MANIPULATION, 0.6, [lot.sequence for lot in lots], why)
