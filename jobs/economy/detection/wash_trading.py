"""Wash trading: goods go round among a few accounts and come back, paid each time, so that a market looks alive.

In the words of AMLSim a cycle, between two accounts (back and forth), around several, or from a hub. Market makers
too buy from whom they sold to, but not the same lot at once, and not as most of what the two trade.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import networkx as nx

from jobs.economy.detection.case import Case
from jobs.economy.detection.evidence import Dealings, Pass
from jobs.economy.log import Cheat

_RING_MAX: Final = 6
_GROUP_MAX: Final = 12
"""Accounts that hang together by round trips; more are a market."""
_LIKE: Final = 0.5
"""A lot comes back if at least so much of it does, and no more than twice."""

_LONE_TRIPS: Final = 5
_MANY_TRIPS: Final = 8
_TIED_TRIPS: Final = 4
_TIED: Final = 0.4
"""Strength of a tie of two that tells only with others."""
_TIED_PAIRS_MAX: Final = 12
"""Pairs so tied in all; where there are more, it is the way this market trades, and tells nothing."""
_TIES_MIN: Final = 3
"""Such ties that make a ring where none is beyond doubt."""
_LOOSE: Final = 0.3
"""Strength of a tie that counts only because one of the two is in a ring."""
_LOOSE_TRIPS: Final = 3
_LOOSE_MAX: Final = 3
_LOOSE_SHARE: Final = 0.75
"""Of all trades of two that must be such trips."""
_TIES_MAX: Final = 5
"""Ties of one account that are not beyond doubt; who has more makes a market."""
_DOUBTLESS: Final = 0.85
_DOUBTLESS_OF_BOTS: Final = 0.9
_CYCLES: Final = 4
"""Times that the same three and more must have closed a way around: chance closes one now and then."""

_DealingsOf = Mapping[tuple[int, int], Dealings]


class _Trips:
    """The round trips of the same few accounts."""

    def __init__(self) -> None:
        self.trades: list[list[int]] = []
        self.equal = 0
        self.like = 0
        self.paid = 0.0

    def add(self, way: Sequence[Pass]) -> None:
        out, back = way[0].quantity, way[-1].sold_quantity
        self.trades.append([way[0].bought, *(each.sold for each in way)])
        self.equal += out == back
        self.like += _LIKE <= out / back <= 1 / _LIKE
        self.paid += way[0].paid + way[-1].got

    @property
    def is_exact(self) -> bool:
        """Each came back as it went."""
        return _LOOSE_TRIPS <= len(self) == self.equal

    def __len__(self) -> int:
        return len(self.trades)


def find(passes: Iterable[Pass], dealings: Iterable[Dealings], bots: AbstractSet[int]) -> Iterator[Case]:
    """The accounts of rings. `bots` buy and sell the same lot all day, from and to whoever is there."""
    ring = _ring(_round_trips(list(passes)), {(row.player_id, row.partner): row for row in dealings})
    ring.remove_edges_from(
        [(one, other) for one, other, tie in ring.edges(bots, data=True) if tie["strength"] < _DOUBTLESS_OF_BOTS]
    )
    for group in nx.connected_components(ring):
        if 1 < len(group) <= _GROUP_MAX:
            yield from _cases(ring.subgraph(group))


def _round_trips(passes: Sequence[Pass]) -> dict[frozenset[int], _Trips]:
    """Lots that came back to who sold them, by the accounts that they went through."""
    following = {(each.bought, each.player_id): each for each in passes}
    trips: dict[frozenset[int], _Trips] = defaultdict(_Trips)
    for first in passes:
        way, seen = [first], {first.seller, first.player_id}
        while way[-1].buyer not in seen and len(seen) < _RING_MAX:
            seen.add(way[-1].buyer)
            onward = following.get((way[-1].sold, way[-1].buyer))
            if onward is None:
                break
            way.append(onward)
        if way[-1].buyer == first.seller:
            trips[frozenset(seen)].add(way)
    return trips


def _ring(trips: Mapping[frozenset[int], _Trips], dealings: _DealingsOf) -> "nx.Graph[int]":
    """Accounts tied by round trips; a tie has its `strength` and its `trips`."""
    ring: nx.Graph[int] = nx.Graph()
    loose: list[tuple[int, int, _Trips]] = []
    for players, found in trips.items():
        members = sorted(players)
        if len(members) == 2:
            between = _between(members[0], members[1], dealings)
            strength = _strength_of_pair(found, between)
            if not strength and between and found.is_exact and 2 * len(found) >= _LOOSE_SHARE * between[0].trades:
                loose.append((members[0], members[1], found))
        else:
            strength = _strength_of_cycle(found)
        if strength:
            nx.add_cycle(ring, members, strength=strength, trips=found)
    _remove_market_makers(ring)
    _add_loose(ring, loose)
    return ring


def _add_loose(ring: "nx.Graph[int]", loose: Sequence[tuple[int, int, _Trips]]) -> None:
    """Adds ties to accounts of rings, unless an account has many such ties, as a market maker does."""
    ties = Counter(player for one, other, _ in loose for player in (one, other))
    members = frozenset(ring)
    for one, other, found in loose:
        if not members.isdisjoint((one, other)) and max(ties[one], ties[other]) <= _LOOSE_MAX:
            ring.add_edge(one, other, strength=_LOOSE, trips=found)


def _between(one: int, other: int, dealings: _DealingsOf) -> list[Dealings]:
    """What the trades of two are of all that each does; empty if they hardly trade."""
    return [row for pair in ((one, other), (other, one)) if (row := dealings.get(pair)) is not None]


def _remove_market_makers(ring: "nx.Graph[int]") -> None:
    """Removes ties that many have, the doubtful ties of those who have many, and whoever has none then."""
    tied = [(one, other) for one, other, tie in ring.edges(data=True) if tie["strength"] == _TIED]
    if len(tied) > _TIED_PAIRS_MAX:
        ring.remove_edges_from(tied)
    for player in list(ring):
        ties = ring.edges(player, data=True)
        doubtful = [(one, other) for one, other, tie in ties if tie["strength"] < _DOUBTLESS]
        if len(doubtful) > _TIES_MAX:
            ring.remove_edges_from(doubtful)
    ring.remove_nodes_from(list(nx.isolates(ring)))


def _strength_of_pair(trips: _Trips, dealings: Sequence[Dealings]) -> float:
    """How sure it is that two trade for the sake of trading: 0, or from 0.4, with others, and from 0.6, alone, to 1."""
    count = len(trips)
    if count < _TIED_TRIPS or not dealings or trips.like < 0.8 * count or trips.equal < 0.4 * count:
        return 0.0
    of_trades = min(1.0, 2 * count / dealings[0].trades)
    of_value = max(min(1.0, trips.paid / row.all_value) for row in dealings)
    exact = trips.like >= 0.9 * count and trips.equal >= 0.6 * count
    telling = count >= _LONE_TRIPS or (count == trips.equal and of_value >= 0.5)
    nearly_all = of_trades >= 0.9 or (of_trades >= 0.7 and count >= _MANY_TRIPS and trips.equal >= 0.9 * count)
    if nearly_all and exact and telling:
        return 0.6 + 0.15 * of_trades + 0.15 * of_value + 0.005 * min(count, 20)
    if of_trades >= 0.5 and (count > _LONE_TRIPS or exact):
        return _TIED
    return 0.0


def _strength_of_cycle(trips: _Trips) -> float:
    """The same for a way around three and more."""
    if trips.like < _CYCLES or trips.equal < 2:
        return 0.0
    return min(0.9, 0.5 + 0.05 * trips.like + 0.05 * trips.equal)


def _cases(group: "nx.Graph[int]") -> Iterator[Case]:
    strengths = sorted((tie["strength"] for _, _, tie in group.edges(data=True)), reverse=True)
    if strengths[0] <= _TIED and strengths.count(_TIED) < _TIES_MIN:
        return
    score = min(0.99, strengths[0] + 0.15 * (len(strengths) > 1) + 0.05 * (len(strengths) > 2))
    for player in group:
        ties: list[_Trips] = [tie["trips"] for _, _, tie in group.edges(player, data=True)]
        trades = sorted({trade for trips in ties for trip in trips.trades for trade in trip})
        count = sum(len(trips) for trips in ties)
        why = f"{count} lots that it traded came straight back, among {len(group)} accounts"
        yield Case(player, Cheat.WASH_TRADING, score, trades, why)
