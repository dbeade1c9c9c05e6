"""Collectors, who buy one thing wherever they find it, and hoarders, who buy anything cheap and keep it: both `fan_in`.

They buy up as a cartel does, and never sell.
"""

from random import Random
from typing import Final

from jobs.economy.behaviours import deals
from jobs.economy.behaviours.cast import Cast
from jobs.economy.behaviours.clock import DAY_S, over_days
from jobs.economy.behaviours.deals import Sale
from jobs.economy.behaviours.people import Person
from jobs.economy.behaviours.world import Process, World

COLLECTORS_PER_1000: Final = 12
PURCHASES: Final = (20, 90)
PREMIUM: Final = (0.0, 0.2)
HOARDERS_PER_1000: Final = 10
BARGAINS: Final = (20, 70)
DISCOUNT: Final = (0.0, 0.15)


def play(world: World, draw: Random, cast: Cast) -> None:
    """Starts the collectors and hoarders of a plan."""
    thousands = len(world.people) / 1000
    for collector in cast.honest("collector", round(COLLECTORS_PER_1000 * thousands)):
        world.start(_collector(world, draw, collector))
    for hoarder in cast.honest("hoarder", round(HOARDERS_PER_1000 * thousands)):
        world.start(_hoarder(world, draw, hoarder))


def _collector(world: World, draw: Random, collector: Person) -> Process:
    premium, count = draw.uniform(*PREMIUM), int(draw.uniform(*PURCHASES) * world.scale)
    start_s = collector.created_at_s + draw.uniform(0, 3 * DAY_S)
    yield start_s
    values = world.market.values
    items = [item for item, value in values.items() if 0 < value <= max(3, collector.has.purse // 15)]
    if not items:
        return
    favourite = draw.choice(items)
    for at_s in over_days(draw, collector.rhythm, (start_s, world.end_s), count):
        yield at_s
        seller = _owner(world, draw, collector, favourite)
        level = world.market.belief(draw, collector, favourite) + premium
        if seller and world.market.takes(draw, seller, favourite, level, as_buyer=False):
            _buy(world, draw, Sale(seller, collector, favourite, draw.randint(1, 4), level))


def _owner(world: World, draw: Random, person: Person, item: int) -> Person | None:
    """Somebody who is here and has the item, if one is found soon."""
    for _ in range(12):
        other = world.meet(draw, person)
        if other and other.has.free(item) > 0:
            return other
    return None


def _hoarder(world: World, draw: Random, hoarder: Person) -> Process:
    discount, count = draw.uniform(*DISCOUNT), int(draw.uniform(*BARGAINS) * world.scale)
    start_s = hoarder.created_at_s + draw.uniform(0, 3 * DAY_S)
    for at_s in over_days(draw, hoarder.rhythm, (start_s, world.end_s), count):
        yield at_s
        seller = world.meet(draw, hoarder)
        items = deals.wares(world, seller, hoarder, int(hoarder.has.purse * 0.3)) if seller else []
        if not seller or not items:
            continue
        item = draw.choice(items)
        level = world.market.belief(draw, hoarder, item) - discount
        if world.market.takes(draw, seller, item, level, as_buyer=False):
            _buy(world, draw, Sale(seller, hoarder, item, deals.units_for(world, draw, hoarder, item), level))


def _buy(world: World, draw: Random, sale: Sale) -> None:
    if deals.sell(world, draw, sale):
        world.market.done(sale.item, sale.level, sale.seller, sale.buyer)
        world.acquaint(sale.buyer, sale.seller)
