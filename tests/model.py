"""The rules of a trade in plain Python: the oracle that the real function is compared with.

Written from the design, not from the Lua code, and as simple as can be.
"""

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.economy import CLASSES, ITEMS

MAX_AMOUNT = 2**53 - 1


@dataclass
class ModelPlayer:
    gold: int
    items: dict[int, int]
    version: int = 1
    capacity: int = 999
    held_gold: int = 0
    held: Counter[int] = field(default_factory=Counter)
    closed: bool = False

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


@dataclass
class ModelOffer:
    one: ModelSide
    two: ModelSide
    status: str = "open"


class ModelRealm:
    """Players, offers and the rules between them."""

    def __init__(self, max_open: int = 100) -> None:
        self.players: dict[int, ModelPlayer] = {}
        self.offers: list[ModelOffer] = []
        # the first one publishes the catalog
        self.events = 1
        self.supply: Counter[int] = Counter()
        """What the game brought in, less what it took, by item; gold is item 0."""
        self._max_open = max_open

    def create(self, player_class: str) -> int:
        start = CLASSES[player_class]
        self.events += 1
        self.supply.update({0: start.gold, **start.items})
        self.players[len(self.players) + 1] = ModelPlayer(start.gold, dict(start.items))
        return len(self.players)

    def trade(self, one: ModelSide, two: ModelSide) -> str:
        """Decides the trade; '' if accepted, else the reason."""
        self.events += 1
        reason = self._reason(one, two)
        if not reason:
            self._move(one, two)
            self._move(two, one)
            self._raise_versions(one, two)
        return reason

    def adjust(self, player_id: int, gold: int, items: dict[int, int]) -> str:
        """Gives what is above 0 and takes what is below; '' if accepted, else the reason."""
        self.events += 1
        reason = self._adjustment_reason(player_id, gold, items)
        if not reason:
            player = self.players[player_id]
            player.gold += gold
            for item, quantity in items.items():
                player.items[item] = player.items.get(item, 0) + quantity
            player.items = {item: units for item, units in player.items.items() if units}
            player.version += 1
            self.supply.update({0: gold, **items})
        return reason

    def rename(self, player_id: int) -> None:
        """To another name than it has."""
        self.events += 1
        self.players[player_id].version += 1

    def forget(self, player_id: int) -> None:
        """Closes the account, and ends the player's offers, made and received."""
        self.events += 1
        self.players[player_id].closed = True
        self.players[player_id].version += 1
        for offer in self.offers:
            if offer.status == "open" and player_id in (offer.one.player_id, offer.two.player_id):
                self.close(offer, "account_closed")

    def together(self, trades: Sequence[tuple[ModelSide, ModelSide]]) -> list[str]:
        """Decides trades all or nothing; the reason of each."""
        before = copy.deepcopy(self.players)
        for place, (one, two) in enumerate(trades):
            reason = self.trade(one, two)
            if reason:
                self.players = before
                self.events += len(trades) - place - 1
                return [reason if other == place else "batch_refused" for other in range(len(trades))]
        return [""] * len(trades)

    def make_offer(self, one: ModelSide, two: ModelSide) -> str:
        """Makes the offer, the last of `offers`; '' or the reason against it."""
        self.events += 1
        reason = self._offer_reason(one, two)
        if not reason:
            self.offers.append(ModelOffer(copy.deepcopy(one), copy.deepcopy(two)))
            self._hold(one, 1)
            self._raise_versions(one)
        return reason

    def accept(self, offer: ModelOffer) -> str:
        """Player 2 accepts: '' or the reason against it."""
        one, two = ModelSide(offer.one.player_id, offer.one.gold, offer.one.lines), copy.deepcopy(offer.two)
        two.version = None
        self._hold(one, -1)
        reason = self.trade(one, two)
        if reason:
            self._hold(one, 1)
        else:
            offer.status = "accepted"
        return reason

    def close(self, offer: ModelOffer, outcome: str) -> None:
        self.events += 1
        self._hold(offer.one, -1)
        self._raise_versions(offer.one)
        offer.status = outcome

    def _hold(self, side: ModelSide, sign: int) -> None:
        player = self.players[side.player_id]
        player.held_gold += sign * side.gold
        for item, quantity in side.items.items():
            player.held[item] += sign * quantity

    def _raise_versions(self, *sides: ModelSide) -> None:
        for side in sides:
            self.players[side.player_id].version += 1

    def _offer_reason(self, one: ModelSide, two: ModelSide) -> str:
        reason = self._general_reason(one, two) or self._lacking(one)
        made = [offer for offer in self.offers if offer.status == "open" and offer.one.player_id == one.player_id]
        return reason or ("too_many_offers" if len(made) >= self._max_open else "")

    def _general_reason(self, one: ModelSide, two: ModelSide) -> str:
        if one.player_id == two.player_id:
            return "same_player"
        if not (one.gold or two.gold or one.lines or two.lines):
            return "empty_trade"
        if any(item not in ITEMS for side in (one, two) for item in side.items):
            return "unknown_item"
        if any(side.player_id not in self.players for side in (one, two)):
            return "unknown_player"
        if any(self.players[side.player_id].closed for side in (one, two)):
            return "account_closed"
        if any(side.version not in (None, self.players[side.player_id].version) for side in (one, two)):
            return "stale_state"
        return ""

    def _adjustment_reason(self, player_id: int, gold: int, items: dict[int, int]) -> str:
        if any(item not in ITEMS for item in items):
            return "unknown_item"
        if player_id not in self.players:
            return "unknown_player"
        player = self.players[player_id]
        if player.closed:
            return "account_closed"
        if -gold > player.gold - player.held_gold:
            return "insufficient_gold"
        if any(-n > player.items.get(item, 0) - player.held[item] for item, n in items.items() if n < 0):
            return "insufficient_items"
        if player.gold + gold > MAX_AMOUNT:
            return "gold_overflow"
        if player.units + sum(items.values()) > player.capacity:
            return "capacity_exceeded"
        return ""

    def _lacking(self, *sides: ModelSide) -> str:
        players = [(side, self.players[side.player_id]) for side in sides]
        if any(side.gold > player.gold - player.held_gold for side, player in players):
            return "insufficient_gold"
        for side, player in players:
            if any(n > player.items.get(item, 0) - player.held[item] for item, n in side.items.items()):
                return "insufficient_items"
        return ""

    def _reason(self, one: ModelSide, two: ModelSide) -> str:
        reason = self._general_reason(one, two) or self._lacking(one, two)
        if reason:
            return reason
        for side, other in ((one, two), (two, one)):
            if self.players[side.player_id].gold - side.gold + other.gold > MAX_AMOUNT:
                return "gold_overflow"
        for side, other in ((one, two), (two, one)):
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
