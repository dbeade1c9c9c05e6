"""Merchants: they buy from many (fan-in) and sell to many (fan-out) with a spread, and live on it.

Regular customers come back to them; a large order goes in several equal lots, one after the other within seconds.
"""

from random import Random
from typing import Final

from jobs.economy.behaviours import deals
from jobs.economy.behaviours.cast import Cast
from jobs.economy.behaviours.clock import DAY_S, over_days
from jobs.economy.behaviours.deals import Sale
from jobs.economy.behaviours.people import Person
from jobs.economy.behaviours.world import Process, World

PER_1000: Final = 24
DEALS: Final = (40, 260)
SPREAD: Final = (0.05, 0.25)
LOTS: Final = (2, 4)
_LOTS_SHARE: Final = 0.06
_PROMINENCE: Final = 6


def play(world: World, draw: Random, cast: Cast) -> None:
    """Starts the merchants of a plan."""
    for merchant in cast.honest("merchant", PER_1000 * len(world.people) // 1000):
        world.start(_merchant(world, draw, merchant))


def _merchant(world: World, draw: Random, merchant: Person) -> Process:
    spread = draw.uniform(*SPREAD)
    opens_s = merchant.created_at_s + draw.uniform(0, 2 * DAY_S)
    deals_done = int(draw.uniform(*DEALS) * world.scale)
    yield opens_s
    world.advertise(merchant, _PROMINENCE)
    for at_s in over_days(draw, merchant.rhythm, (opens_s, world.end_s), deals_done):
        yield at_s
        customer = world.meet(draw, merchant)
        if customer and merchant.is_here(at_s):
            yield from _serve(world, draw, merchant, customer, spread)


def _serve(world: World, draw: Random, merchant: Person, customer: Person, spread: float) -> Process:
    """Buys below the quote or sells above it, whichever the merchant has more need of."""
    is_sale = draw.random() < 0.5 or not world.room(merchant)
    seller, buyer = (merchant, customer) if is_sale else (customer, merchant)
    items = deals.wares(world, seller, buyer, int(buyer.has.purse * 0.5))
    if not items:
        return
    item = draw.choice(items)
    level = world.market.belief(draw, merchant, item) + (spread if is_sale else -spread) / 2
    if not world.market.takes(draw, customer, item, level, as_buyer=is_sale):
        return
    goods = item, deals.units_for(world, draw, buyer, item)
    lots = draw.randint(*LOTS) if draw.random() < _LOTS_SHARE else 1
    for lot in range(lots):
        if lot:
            yield world.now_s + draw.uniform(1.5, 15)
        if not deals.sell(world, draw, Sale(seller, buyer, *goods, level)):
            return
    world.market.done(item, level, merchant, customer)
    world.acquaint(merchant, customer)
