"""The rules of a trade in plain Python: the oracle that the real function is compared with.

Written from the design, not from the Lua code, and as simple as can be.
"""

from dataclasses import dataclass, field
from typing import Any

from app.contract.economy import CLASSES, ITEMS

MAX_AMOUNT = 2**53 - 1


@dataclass
class ModelPlayer:
    gold: int
    items: dict[int, int]
    version: int = 1
    capacity: int = 999

    @property
    def units(self) -> int:
        return sum(self.items.values())

    @property
    def item_value(self) -> int:
        return sum(ITEMS[item].value * units for item, units in self.items.items())


@dataclass
class ModelSide:
    player_id: int
    gold: int = 0
    lines: list[tuple[int, int]] = field(default_factory=list)
    version: int | None = None

    @property
    def items(self) -> dict[int, int]:
        total: dict[int, int] = {}
        for item, quantity in self.lines:
            total[item] = total.get(item, 0) + quantity
        return total

    def as_json(self) -> dict[str, Any]:
        items = [{"item_id": item, "quantity": quantity} for item, quantity in self.lines]
        body: dict[str, Any] = {"player_id": self.player_id, "gold": self.gold, "items": items}
        return body if self.version is None else {**body, "version": self.version}


class ModelRealm:
    """Players and the rules between them."""

    def __init__(self) -> None:
        self.players: dict[int, ModelPlayer] = {}
        self.events = 0

    def create(self, player_class: str) -> int:
        start = CLASSES[player_class]
        self.events += 1
        self.players[len(self.players) + 1] = ModelPlayer(start.gold, dict(start.items))
        return len(self.players)

    def trade(self, one: ModelSide, two: ModelSide) -> str:
        """Decides the trade; '' if accepted, else the reason."""
        self.events += 1
        reason = self._reason(one, two)
        if not reason:
            self._move(one, two)
            self._move(two, one)
            for side in (one, two):
                self.players[side.player_id].version += 1
        return reason

    def _reason(self, one: ModelSide, two: ModelSide) -> str:
        sides = ((one, two), (two, one))
        if one.player_id == two.player_id:
            return "same_player"
        if not (one.gold or two.gold or one.lines or two.lines):
            return "empty_trade"
        if any(item not in ITEMS for side in (one, two) for item in side.items):
            return "unknown_item"
        if any(side.player_id not in self.players for side in (one, two)):
            return "unknown_player"
        if any(side.version not in (None, self.players[side.player_id].version) for side in (one, two)):
            return "stale_state"
        if any(side.gold > self.players[side.player_id].gold for side in (one, two)):
            return "insufficient_gold"
        held = {side.player_id: self.players[side.player_id].items for side in (one, two)}
        if any(n > held[side.player_id].get(item, 0) for side in (one, two) for item, n in side.items.items()):
            return "insufficient_items"
        if any(self.players[side.player_id].gold - side.gold + other.gold > MAX_AMOUNT for side, other in sides):
            return "gold_overflow"
        for side, other in sides:
            player = self.players[side.player_id]
            if player.units - sum(side.items.values()) + sum(other.items.values()) > player.capacity:
                return "capacity_exceeded"
        return ""

    def _move(self, giver: ModelSide, receiver: ModelSide) -> None:
        source, target = self.players[giver.player_id], self.players[receiver.player_id]
        source.gold -= giver.gold
        target.gold += giver.gold
        for item, quantity in giver.items.items():
            source.items[item] -= quantity
            target.items[item] = target.items.get(item, 0) + quantity
        for player in (source, target):
            player.items = {item: units for item, units in player.items.items() if units}
