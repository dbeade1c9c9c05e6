"""Whether what callers saw of a realm is linearizable: its events, replayed in their order through the plain model.

Each command takes effect at one sequence number, so the linearization order need not be searched for: it is given, and
a small checker is a complete one. A history is linearizable if
1. in that order the model decides every command as the engine did, and comes to the same states (`Replay.apply`),
2. every answer and every snapshot shows the states at its number (`Replay.shown`, compared by the test),
3. the order agrees with real time: what was answered before another command was sent has the lower number
   (`assert_real_time_order`).
"""

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Any, NamedTuple

from app.contract.events import (
    AdjustmentRejected,
    CatalogPublished,
    Event,
    OfferClosed,
    OfferMade,
    OfferRejected,
    PlayerAdjusted,
    PlayerCreated,
    PlayerForgotten,
    PlayerRenamed,
    Side,
    SideAfter,
    TradeAccepted,
    TradeRejected,
)
from tests.model import ModelOffer, ModelRealm, ModelSide

Sides = tuple[ModelSide, ModelSide]
Adjusted = tuple[int, int, dict[int, int]]
"""Player, gold and units by item, as they are sent."""


class Window(NamedTuple):
    """When a command was sent and when its answer was there: it took effect in between."""

    sent: float
    returned: float


def assert_real_time_order(windows: Mapping[int, Window]) -> None:
    """No command has a lower number than one that was answered before it was sent."""
    latest_sent = 0.0
    for sequence in sorted(windows):
        window = windows[sequence]
        assert window.returned >= latest_sent, f"event {sequence} follows one that was sent after its answer"
        latest_sent = max(latest_sent, window.sent)


class Replay:
    """A realm's events applied to the model, one by one.

    `requested` maps the ids of trades and offers to the sides that were sent, `adjusted` those of adjustments to the
    player, gold and units: events must show these. Trades in
    `together` were decided with others, all or none, so that a refused one says nothing about its own merits.
    """

    def __init__(
        self,
        requested: Mapping[str, Sides],
        together: AbstractSet[str] = frozenset(),
        adjusted: Mapping[str, Adjusted] = MappingProxyType({}),
    ) -> None:
        self.model = ModelRealm()
        self._adjusted = adjusted
        self.sequence = 0
        self._requested = requested
        self._together = together
        self._offers: dict[str, ModelOffer] = {}

    def apply(self, event: Event) -> list[int]:
        """The next event; fails if the model decides it otherwise, or comes to another state. Returns who changed."""
        self.sequence += 1
        assert event.sequence == self.sequence
        match event:
            case CatalogPublished():
                assert event.sequence == 1
            case PlayerAdjusted():
                assert self.model.adjust(*self._sent(event)) == "", event
                return self._compare(event)
            case AdjustmentRejected():
                assert self.model.adjust(*self._sent(event)) == event.reason, event
            case PlayerRenamed():
                self.model.rename(event.player_id)
                return self._compare(event)
            case PlayerForgotten():
                raise AssertionError("nobody is forgotten here")
            case PlayerCreated():
                assert self.model.create(event.player_class) == event.player_id
                return self._compare(event)
            case TradeAccepted():
                assert self._decide(event) == "", event
                return self._compare(event.player_1, event.player_2)
            case TradeRejected():
                if event.trade_id not in self._together:
                    assert self._decide(event) == event.reason, event
            case OfferMade():
                assert self.model.make_offer(*self._sides(event.offer_id, event)) == "", event
                self._offers[event.offer_id] = self.model.offers[-1]
                return self._compare(event.player_1)
            case OfferRejected():
                assert self.model.make_offer(*self._sides(event.offer_id, event)) == event.reason, event
            case OfferClosed():
                self.model.close(self._end(event.offer_id), event.outcome)
                return self._compare(event.player_1)

        return []

    def _sent(self, event: PlayerAdjusted | AdjustmentRejected) -> Adjusted:
        sent = self._adjusted[event.adjustment_id]
        given, taken = (
            Counter({line.item_id: line.quantity for line in goods.items}) for goods in (event.given, event.taken)
        )
        given.subtract(taken)
        assert sent == (event.player_id, event.given.gold - event.taken.gold, given)
        return sent

    def _decide(self, event: TradeAccepted | TradeRejected) -> str:
        if event.offer_id is None:
            return self.model.trade(*self._sides(event.trade_id, event))
        is_accepted = isinstance(event, TradeAccepted)
        offer = self._end(event.offer_id) if is_accepted else self._offers[event.offer_id]
        assert (offer.one.gold, offer.two.gold) == (event.player_1.gold, event.player_2.gold)
        assert (offer.one.items, offer.two.items) == (_units(event.player_1), _units(event.player_2))
        return self.model.accept(offer)

    def _end(self, offer_id: str) -> ModelOffer:
        ended = self._offers.pop(offer_id)
        self.model.offers = [offer for offer in self.model.offers if offer is not ended]
        return ended

    def _sides(self, sent_id: str, event: TradeAccepted | TradeRejected | OfferMade | OfferRejected) -> Sides:
        sides = self._requested[sent_id]
        for side, shown in zip(sides, (event.player_1, event.player_2), strict=True):
            assert (side.player_id, side.gold, side.items) == (shown.player_id, shown.gold, _units(shown)), event
        return sides

    def _compare(self, *changed: PlayerCreated | PlayerRenamed | PlayerAdjusted | SideAfter) -> list[int]:
        for side in changed:
            player, state = self.model.players[side.player_id], side.state
            totals = (player.version, player.gold, player.units, len(player.items), player.item_value)
            assert totals == (state.version, state.gold, state.item_units, state.distinct_items, state.item_value)
            assert all(player.items.get(line.item_id, 0) == line.quantity for line in state.items)
        return [side.player_id for side in changed]

    def shown(self, player_id: int) -> dict[str, Any]:
        """The player as `essence` makes it of an answer."""
        player = self.model.players[player_id]
        return {
            "version": player.version,
            "gold": player.gold,
            "items": dict(player.items),
            "held_gold": player.held_gold,
            "held": +player.held,
        }


def _units(side: Side) -> dict[int, int]:
    return {line.item_id: line.quantity for line in side.items}


def essence(player: Mapping[str, Any]) -> dict[str, Any]:
    """What changes of a player, from an answer."""
    held = player.get("held", {"gold": 0, "items": []})
    return {
        "version": player["version"],
        "gold": player["gold"],
        "items": {item["item_id"]: item["quantity"] for item in player["inventory"]["items"]},
        "held_gold": held["gold"],
        "held": {item["item_id"]: item["quantity"] for item in held["items"]},
    }
