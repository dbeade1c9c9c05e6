"""Trades in which one player gave much more than it got, and what became of what it gave."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

HOUR_S: Final = 3_600
DAY_S: Final = 24 * HOUR_S


@dataclass(frozen=True, slots=True)
class Gift:
    """One such trade, a row of sql/detection/gifts.sql. Gold and values are what came net from the giver.

    `had_gold`, `had_items`: gold and item value that the giver had before. `earlier`: trades of the two before this
    one; `met_s` and `at_s` are seconds since 1970.
    """

    sequence: int
    at: datetime
    giver: int
    receiver: int
    value: float
    gold: int
    items: int
    had_gold: int
    had_items: int
    earlier: int
    met_s: float

    @property
    def at_s(self) -> float:
        """When it was given."""
        return self.at.timestamp()

    @property
    def gold_share(self) -> float:
        """The share of its gold that the giver gave."""
        return self.gold / self.had_gold if self.had_gold > 0 else 0.0

    @property
    def wealth_share(self) -> float:
        """The share of all it had that the giver gave, items at list value."""
        had = self.had_gold + self.had_items
        return (self.gold + self.items) / had if had > 0 else 0.0


class Gifts:
    """All gifts, by who gave and by who got them, each in their order."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self.all = [_gift(row) for row in rows]
        self.by: dict[int, list[Gift]] = defaultdict(list)
        self.to: dict[int, list[Gift]] = defaultdict(list)
        self._between: dict[tuple[int, int], list[Gift]] = defaultdict(list)
        for gift in self.all:
            self.by[gift.giver].append(gift)
            self.to[gift.receiver].append(gift)
            self._between[gift.giver, gift.receiver].append(gift)

    def between(self, giver: int, receiver: int) -> Sequence[Gift]:
        """What one gave the other."""
        return self._between.get((giver, receiver), ())

    def returned(self, giver: int, receiver: int) -> float:
        """How much of what one gave the other came back as gifts, as a share of it."""
        given = value_of(self.between(giver, receiver))
        return value_of(self.between(receiver, giver)) / given if given else 0.0

    def passed_on(self, player: int, after_s: float, within_s: float, but: int) -> list[Gift]:
        """What a player gave to others than `but` in a stretch of time."""
        return [g for g in self.by.get(player, ()) if after_s < g.at_s <= after_s + within_s and g.receiver != but]


def value_of(gifts: Iterable[Gift]) -> float:
    """What they were worth together."""
    return sum(gift.value for gift in gifts)


def _gift(row: Mapping[str, Any]) -> Gift:
    return Gift(
        sequence=row["sequence"],
        at=row["occurred_at"],
        giver=row["giver"],
        receiver=row["receiver"],
        value=row["value"],
        gold=row["gold"],
        items=row["items"],
        had_gold=row["had_gold"],
        had_items=row["had_items"],
        earlier=row["earlier"],
        met_s=row["first_met"].timestamp(),
    )
