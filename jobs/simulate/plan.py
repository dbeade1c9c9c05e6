"""What a simulation will do: players, trades and offers drawn from a seed, before anything is sent.

The same seed and economy give the same players, trades and offers, whatever the engine answers and in whatever order.
A trade is one-for-one: each side gives one unit of a random item that it holds by then; a player without items
buys with gold if it can.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.contract.economy import Economy


@dataclass(frozen=True, slots=True)
class PlannedPlayer:
    """A player to create."""

    username: str
    player_class: str


@dataclass(frozen=True, slots=True)
class PlannedSide:
    """What one player gives: `player` is an index into the plan's players; one unit of `item_id`, or gold."""

    player: int
    item_id: int | None
    gold: int


@dataclass(frozen=True, slots=True)
class PlannedTrade:
    """A trade to do, the `number`-th of its run."""

    number: int
    one: PlannedSide
    two: PlannedSide


@dataclass(frozen=True, slots=True)
class PlannedOffer(PlannedTrade):
    """A trade that the first player offers, and what becomes of it: accept, decline or cancel."""

    answer: str


@dataclass(slots=True)
class _Holdings:
    """What a planned player holds at a point of the plan."""

    gold: int
    items: dict[int, int] = field(default_factory=dict)

    def give(self, side: PlannedSide, other: "_Holdings") -> None:
        self.gold -= side.gold
        other.gold += side.gold
        if side.item_id is not None:
            self.items[side.item_id] -= 1
            if not self.items[side.item_id]:
                del self.items[side.item_id]
            other.items[side.item_id] = other.items.get(side.item_id, 0) + 1


def plan_players(economy: Economy, seed: int, count: int) -> list[PlannedPlayer]:
    """The players of a seed."""
    draw = random.Random(f"players {seed}")
    weights = [player_class.weight for player_class in economy.classes.values()]
    classes = draw.choices(list(economy.classes), weights, k=count)
    return [PlannedPlayer(f"{name}_{seed}_{number}", name) for number, name in enumerate(classes, 1)]


def plan_trades(economy: Economy, seed: int, players: list[PlannedPlayer], count: int) -> Iterator[PlannedTrade]:
    """The trades of a seed, in order; a trade builds on those before it that share a player."""
    draw = random.Random(f"trades {seed}")
    holdings = _created(economy, players)
    for number in range(1, count + 1):
        trade = _draw_trade(economy, draw, number, holdings)
        _settle(trade, holdings)
        yield trade


def plan_offers(
    economy: Economy, seed: int, players: list[PlannedPlayer], trades: int, count: int
) -> Iterator[PlannedOffer]:
    """The offers of a seed that come after so many trades, in order; each is answered before a player's next."""
    draw = random.Random(f"offers {seed}")
    holdings = _created(economy, players)
    for trade in plan_trades(economy, seed, players, trades) if count else ():
        _settle(trade, holdings)
    for number in range(1, count + 1):
        trade = _draw_trade(economy, draw, number, holdings)
        offer = PlannedOffer(number, trade.one, trade.two, draw.choice(("accept", "decline", "cancel")))
        if offer.answer == "accept":
            _settle(offer, holdings)
        yield offer


def _created(economy: Economy, players: list[PlannedPlayer]) -> list[_Holdings]:
    classes = [economy.classes[player.player_class] for player in players]
    return [_Holdings(player_class.gold, dict(player_class.items)) for player_class in classes]


def _settle(trade: PlannedTrade, holdings: list[_Holdings]) -> None:
    one, two = holdings[trade.one.player], holdings[trade.two.player]
    one.give(trade.one, two)
    two.give(trade.two, one)


def _draw_trade(economy: Economy, draw: random.Random, number: int, holdings: list[_Holdings]) -> PlannedTrade:
    while True:
        first, second = draw.sample(range(len(holdings)), 2)
        items = [_draw_item(draw, holdings[player]) for player in (first, second)]
        prices = [economy.items[item].value if item is not None else 0 for item in items]
        sides = (_side(first, items[0], prices[1], holdings), _side(second, items[1], prices[0], holdings))
        if sides[0] and sides[1] and any(items):
            return PlannedTrade(number, sides[0], sides[1])


def _draw_item(draw: random.Random, holdings: _Holdings) -> int | None:
    return draw.choice(sorted(holdings.items)) if holdings.items else None


def _side(player: int, own: int | None, price: int, holdings: list[_Holdings]) -> PlannedSide | None:
    """The side of a player that gives its item, or the price of the other's; None if it can do neither."""
    if own is not None:
        return PlannedSide(player, own, 0)
    return PlannedSide(player, None, price) if holdings[player].gold >= price else None
