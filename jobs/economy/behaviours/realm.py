"""What everyone holds, by the rules of a trade: plans are made against it, and events are told from it.

The rules are those of the engine (docs/glossary.md) as far as plans need them: nobody is forgotten, items are known,
and no balance comes near 2^53.
"""

from collections.abc import Iterable

from app.contract.economy import Economy
from app.contract.reasons import Rejection
from jobs.economy.behaviours.acts import Lines, Side


class Holdings:
    """What one player has; `held` and `held_gold` are what its open offers hold of it."""

    __slots__ = ("gold", "held", "held_gold", "items", "units", "value", "version")

    def __init__(self, gold: int, items: dict[int, int], value: int) -> None:
        self.gold = gold
        self.items = items
        self.units = sum(items.values())
        self.value = value
        self.version = 1
        self.held_gold = 0
        self.held: dict[int, int] = {}

    @property
    def purse(self) -> int:
        """Gold that it can give."""
        return self.gold - self.held_gold

    def free(self, item: int) -> int:
        """Units of an item that it can give."""
        return self.items.get(item, 0) - self.held.get(item, 0)

    def lacks_items(self, items: Lines) -> bool:
        """Whether it cannot give these."""
        return any(self.free(item) < units for item, units in items)


class Realm:
    """All players by number, and the open offers by theirs."""

    def __init__(self, economy: Economy) -> None:
        self.capacity = economy.max_capacity
        self._classes = economy.classes
        self._values = {item.item_id: item.value for item in economy.items.values()}
        self._players: dict[int, Holdings] = {}
        self._offers: dict[int, tuple[Side, Side]] = {}

    def __getitem__(self, player: int) -> Holdings:
        return self._players[player]

    def __contains__(self, player: int) -> bool:
        return player in self._players

    def value_of(self, items: Lines) -> int:
        """What items are worth by the list, in gold."""
        return sum(self._values[item] * units for item, units in items)

    def create(self, player: int, player_class: str) -> Holdings:
        """A player with what its class starts with."""
        start = self._classes[player_class]
        found = Holdings(start.gold, dict(start.items), self.value_of(tuple(start.items.items())))
        self._players[player] = found
        return found

    def trade(self, one: Side, two: Side) -> str:
        """Decides a trade and moves what is given; the reason if it is refused, else ""."""
        reason = self._reason(one, two)
        if not reason:
            self._move(one, two)
        return reason

    def adjust(self, player: int, gold: int, items: Lines) -> str:
        """Gives and takes, taking first; the reason if it is refused, else ""."""
        has = self._players[player]
        taken = tuple((item, -units) for item, units in items if units < 0)
        if has.purse < -gold:
            return Rejection.INSUFFICIENT_GOLD
        if has.lacks_items(taken):
            return Rejection.INSUFFICIENT_ITEMS
        if has.units + _units(items) > self.capacity:
            return Rejection.CAPACITY_EXCEEDED
        has.gold += gold
        self._add(has, sorted(items, key=lambda line: line[1]))
        has.version += 1
        return ""

    def offer(self, number: int, one: Side, two: Side) -> str:
        """Holds what the first side gives; the reason if it is refused, else ""."""
        has = self._players[one.player]
        if has.purse < one.gold:
            return Rejection.INSUFFICIENT_GOLD
        if has.lacks_items(one.items):
            return Rejection.INSUFFICIENT_ITEMS
        self._hold(one, 1)
        has.version += 1
        self._offers[number] = one, two
        return ""

    def accept(self, offer: int) -> str:
        """The offer becomes a trade, or stays open with the reason against that."""
        one, two = self._offers[offer]
        self._hold(one, -1)
        reason = self.trade(one, two)
        if reason:
            self._hold(one, 1)
        else:
            del self._offers[offer]
        return reason

    def close(self, offer: int) -> None:
        """The offer ends, and what it held is free."""
        one, _ = self._offers.pop(offer)
        self._hold(one, -1)
        self._players[one.player].version += 1

    def _reason(self, one: Side, two: Side) -> str:
        first, second = self._players[one.player], self._players[two.player]
        if first.purse < one.gold or second.purse < two.gold:
            return Rejection.INSUFFICIENT_GOLD
        if first.lacks_items(one.items) or second.lacks_items(two.items):
            return Rejection.INSUFFICIENT_ITEMS
        more = _units(two.items) - _units(one.items)
        if first.units + more > self.capacity or second.units - more > self.capacity:
            return Rejection.CAPACITY_EXCEEDED
        return ""

    def _move(self, one: Side, two: Side) -> None:
        first, second = self._players[one.player], self._players[two.player]
        for has, given, taken in ((first, one, two), (second, two, one)):
            has.gold += taken.gold - given.gold
            self._add(has, ((item, -units) for item, units in given.items))
            self._add(has, taken.items)
            has.version += 1

    def _add(self, has: Holdings, items: Iterable[tuple[int, int]]) -> None:
        for item, units in items:
            left = has.items.get(item, 0) + units
            if left:
                has.items[item] = left
            else:
                has.items.pop(item, None)
            has.units += units
            has.value += units * self._values[item]

    def _hold(self, side: Side, sign: int) -> None:
        has = self._players[side.player]
        has.held_gold += sign * side.gold
        for item, units in side.items:
            has.held[item] = has.held.get(item, 0) + sign * units


def _units(items: Lines) -> int:
    return sum(units for _, units in items)
