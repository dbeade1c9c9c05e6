"""Wash trading: goods go round among a few accounts and come back, paid each time, so that volume and prices look alive.

In the words of AMLSim a cycle, between two accounts (back and forth), around several, or from a hub. Market makers
too buy from whom they sold to, but not the same lot at once, and not as most of what the two trade.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

import networkx as nx

from jobs.economy.detection.case import Case
from jobs.economy.log import Cheat

_RING_MAX: Final = 6
_GROUP_MAX: Final = 12
"""Accounts that hang together by round trips; more are a market."""
_LIKE: Final = 0.5
"""A lot comes back if at least so much of it does, and no more than twice."""

_SURE: Final = 0.6
"""A pair alone must be more than two who often trade; two pairs that hang together are."""

Rows = Iterable[Mapping[str, Any]]


class _Trips:
    """The round trips of the same few accounts."""

    def __init__(self) -> None:
        self.trades: list[list[int]] = []
        self.equal = 0
        self.like = 0
        self.paid = 0.0

    def add(self, passes: list[Mapping[str, Any]]) -> None:
        out, back = passes[0]["quantity"], passes[-1]["sold_quantity"]
        self.trades.append([passes[0]["bought"], *(each["sold"] for each in passes)])
        self.equal += out == back
        self.like += _LIKE <= out / back <= 1 / _LIKE
        self.paid += passes[0]["paid"] + passes[-1]["got"]

    def __len__(self) -> int:
        return len(self.trades)


def find(passes: Rows, dealings: Rows) -> Iterator[Case]:
    """The accounts of rings: rows of sql/detection/passes.sql and dealings.sql."""
    trips = _round_trips(passes)
    shares = {(row["player_id"], row["partner"]): row for row in dealings}
    ring: nx.Graph[int] = nx.Graph()
    for players, found in trips.items():
        strength = _strength_of_pair(players, found, shares) if len(players) == 2 else _strength_of_cycle(found)
        if strength:
            members = list(players)
            for one, other in pairwise([*members, members[0]]):
                ring.add_edge(one, other, strength=strength, trips=found)
    for group in nx.connected_components(ring):
        if len(group) <= _GROUP_MAX:
            yield from _cases(ring.subgraph(group))


def _round_trips(passes: Rows) -> dict[frozenset[int], _Trips]:
    """Lots that came back to who sold them, by the accounts that they went through."""
    rows = list(passes)
    following = {(row["bought"], row["player_id"]): row for row in rows}
    trips: dict[frozenset[int], _Trips] = defaultdict(_Trips)
    for row in rows:
        way = [row]
        seen = {row["seller"], row["player_id"]}
        while way[-1]["buyer"] not in seen and len(seen) < _RING_MAX:
            seen.add(way[-1]["buyer"])
            onward = following.get((way[-1]["sold"], way[-1]["buyer"]))
            if onward is None:
                break
            way.append(onward)
        if way[-1]["buyer"] == row["seller"]:
            trips[frozenset(seen)].add(way)
    return trips


def _strength_of_pair(
    players: frozenset[int], trips: _Trips, shares: Mapping[tuple[int, int], Mapping[str, Any]]
) -> float:
    """How sure it is that two trade with each other for the sake of trading, from 0 to 1."""
    one, other = players
    rows = [row for pair in ((one, other), (other, one)) if (row := shares.get(pair)) is not None]
    if len(trips) < 3 or len(rows) < 2 or trips.like < 0.8 * len(trips):
        return 0.0
    of_trades = min(1.0, 2 * len(trips) / rows[0]["trades"])
    of_value = max(min(1.0, trips.paid / row["all_value"]) for row in rows)
    if of_value >= 0.5 and of_trades >= 0.5:
        return 0.5 + 0.4 * of_value
    if len(trips) >= 4 and trips.equal >= 0.4 * len(trips) and of_trades >= 0.5 and of_value >= 0.08:
        return 0.3 + 0.2 * of_trades + 0.02 * min(len(trips), 20)
    return 0.0


def _strength_of_cycle(trips: _Trips) -> float:
    """The same for a way around three and more, which chance hardly closes twice."""
    if trips.like < 2:
        return 0.0
    return min(0.9, 0.3 + 0.1 * trips.like + 0.1 * trips.equal)


def _cases(group: "nx.Graph[int]") -> Iterator[Case]:
    strengths = sorted((data["strength"] for _, _, data in group.edges(data=True)), reverse=True)
    score = min(0.99, strengths[0] + 0.15 * (len(strengths) > 1) + 0.05 * (len(strengths) > 2))
    if score < _SURE:
        return
    for player in group:
        edges = [data["trips"] for _, _, data in group.edges(player, data=True)]
        trades = sorted({trade for trips in edges for trip in trips.trades for trade in trip})
        count = sum(len(trips) for trips in edges)
        why = f"{count} lots that it traded came straight back, among {len(group)} accounts"
        yield Case(player, Cheat.WASH_TRADING, score, trades, why)
