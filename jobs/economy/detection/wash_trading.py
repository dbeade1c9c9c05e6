"""Wash trading: goods go round among a few accounts and come back, paid each time, so that a market looks alive.

In the words of AMLSim a cycle, between two accounts (back and forth), around several, or from a hub. Market makers
too buy from whom they sold to, but not the same lot at once, and not as most of what the two trade.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
_TIED_TRIPS: Final = 4
_TIED: Final = 0.4
"""Strength of a tie of two that tells only with others."""
_TIES_MIN: Final = 3
"""Such ties that make a ring where none is beyond doubt."""
_LOOSE: Final = 0.3
"""Strength of a tie that counts only because one of the two is in a ring."""
_TIES_MAX: Final = 5
"""Ties of one account that are not beyond doubt; who has more makes a market."""
_DOUBTLESS: Final = 0.85
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
        return 2 <= len(self) == self.equal

    def __len__(self) -> int:
        return len(self.trades)


def find(passes: Iterable[Pass], dealings: Iterable[Dealings]) -> Iterator[Case]:
    """The accounts of rings."""
    ring = _ring(_round_trips(list(passes)), {(row.player_id, row.partner): row for row in dealings})
    for group in nx.connected_components(ring):
        if len(group) <= _GROUP_MAX:
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
            strength = _strength_of_pair(found, _between(members[0], members[1], dealings))
            if not strength and found.is_exact:
                loose.append((members[0], members[1], found))
        else:
            strength = _strength_of_cycle(found)
        if strength:
            nx.add_cycle(ring, members, strength=strength, trips=found)
    _remove_market_makers(ring)
    for one, other, found in loose:
        if one in ring or other in ring:
            ring.add_edge(one, other, strength=_LOOSE, trips=found)
    return ring


def _between(one: int, other: int, dealings: _DealingsOf) -> list[Dealings]:
    """What the trades of two are of all that each does; empty if they hardly trade."""
    return [row for pair in ((one, other), (other, one)) if (row := dealings.get(pair)) is not None]


def _remove_market_makers(ring: "nx.Graph[int]") -> None:
    """Removes the doubtful ties of those who have many, and whoever has none then."""
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
    if of_trades >= 0.7 and exact and telling:
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
