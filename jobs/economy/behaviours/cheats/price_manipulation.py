"""Price manipulation: a cartel buys up an item, lifts its price by sales among its own, and dumps it on others.

Flow patterns: `fan_in` of goods while it buys, `cycle` while it lifts, `fan_out` (`bipartite` to its victims) while it
dumps. Victims are those whom members talk into buying; whoever buys at the lifted price in the market does so on its
own. Evasive: it buys in smaller lots near the market's price, does not lift it among its own, and dumps slowly.
"""

from random import Random
from typing import Final

from jobs.economy.behaviours import deals, flows
from jobs.economy.behaviours.cast import Instance
from jobs.economy.behaviours.clock import DAY_S, HOUR_S, over_days
from jobs.economy.behaviours.deals import Sale
from jobs.economy.behaviours.honest.errands import make_room
from jobs.economy.behaviours.people import Person
from jobs.economy.behaviours.world import Process, World

SIZES: Final = (3, 7)
PURCHASES: Final = (10, 40)
LOT_UNITS: Final = (2, 12)
MARKUP: Final = (0.05, 0.3)
LIFTS: Final = (3, 14)
LIFTED: Final = (0.35, 1.2)
DUMPED: Final = 0.15
BUYING_DAYS: Final = (0.8, 5.0)
DUMPING_H: Final = (4.0, 48.0)
LOTS_PER_VICTIM: Final = (2, 6)
LOTS_IN_MARKET: Final = (6, 30)


def roles(draw: Random, size: int) -> list[str]:
    """Two members at least; a third of all are victims."""
    victims = draw.randint(1, max(1, size // 3))
    return ["manipulator"] * (size - victims) + ["victim"] * victims


def play(world: World, draw: Random, instance: Instance) -> None:
    """Starts a cartel."""
    world.start(_cartel(world, draw, instance))


def _cartel(world: World, draw: Random, instance: Instance) -> Process:
    members, victims = instance.members["manipulator"], instance.members["victim"]
    evasive = instance.is_evasive
    slow = 2.0 if evasive else 1.0
    buying_s = draw.uniform(*BUYING_DAYS) * DAY_S * slow
    dumping_s = draw.uniform(*DUMPING_H) * HOUR_S * slow
    start_s, end_s = instance.window
    shrink = min(1.0, (end_s - start_s) / (buying_s + dumping_s + DAY_S))
    buying_s, dumping_s = buying_s * shrink, dumping_s * shrink
    begins_s = draw.uniform(start_s, max(start_s, end_s - buying_s - dumping_s - DAY_S))
    yield begins_s
    item = _target(world, draw, members)
    for member in members:
        world.start(_buys(world, draw, member, (item, evasive), (begins_s, begins_s + buying_s)))
    yield begins_s + buying_s
    lifted = world.market.quote[item] + draw.uniform(*LIFTED) * (0.6 if evasive else 1.0)
    yield from _lifts(world, draw, members, (item, lifted), 0 if evasive else draw.randint(*LIFTS))
    window = world.now_s, world.now_s + dumping_s
    dump = item, lifted + draw.uniform(-0.2, 0.0)
    for victim in victims:
        edges = [edge for edge in flows.bipartite(members, victims)[0] if edge[1] is victim]
        world.start(_talks_into(world, draw, edges, dump, window))
    for member in members:
        world.start(_dumps(world, draw, member, dump, window))


def _target(world: World, draw: Random, members: list[Person]) -> int:
    """An item that all members can buy much of."""
    values = world.market.values
    poorest = min(member.has.purse for member in members)
    items = sorted((value, item) for item, value in values.items() if 0 < value <= max(3, poorest // 40))
    return draw.choice(items[-4:])[1] if items else min(values, key=lambda each: values[each])


def _buys(world: World, draw: Random, member: Person, target: tuple[int, bool], window: tuple[float, float]) -> Process:
    """Buys from whoever has it, somewhat above the market's price, until there is no room or gold (`fan_in`)."""
    item, evasive = target
    markup = draw.uniform(*MARKUP) * (0.4 if evasive else 1.0)
    least = -(-8 // world.market.values[item])
    for at_s in over_days(draw, member.rhythm, window, draw.randint(*PURCHASES)):
        yield at_s
        if world.room(member) < LOT_UNITS[1]:
            make_room(world, draw, member)
            yield world.now_s + draw.uniform(20, 300)
        for _ in range(12):
            seller = world.anybody(draw, member)
            if seller and seller.has.free(item) >= least:
                break
        else:
            continue
        level = world.market.quote[item] + markup
        if world.market.takes(draw, seller, item, level, as_buyer=False):
            units = max(least, draw.randint(*LOT_UNITS) // (2 if evasive else 1))
            if deals.sell(world, draw, Sale(seller, member, item, units, level)):
                world.market.done(item, level, seller)


def _lifts(world: World, draw: Random, members: list[Person], target: tuple[int, float], times: int) -> Process:
    """Sales among its own at ever higher prices (`cycle`)."""
    item, lifted = target
    quote = world.market.quote[item]
    edges = [edge for layer in flows.cycle(members) for edge in layer]
    for number in range(times):
        seller, buyer = edges[number % len(edges)]
        if seller.has.free(item) <= 0:
            seller, buyer = buyer, seller
        level = quote + (lifted - quote) * (number + 1) / times
        if deals.sell(world, draw, Sale(seller, buyer, item, draw.randint(*LOT_UNITS), level)):
            world.market.done(item, level, seller, buyer)
        yield world.now_s + draw.uniform(60, 1_500)


def _talks_into(
    world: World, draw: Random, edges: list[flows.Edge], dump: tuple[int, float], window: tuple[float, float]
) -> Process:
    """Sells to a victim what it can pay for: who of the cartel has most left."""
    item, level = dump
    victim = edges[0][1]
    for at_s in sorted(draw.uniform(*window) for _ in range(draw.randint(*LOTS_PER_VICTIM))):
        yield at_s
        if world.room(victim) < LOT_UNITS[1]:
            make_room(world, draw, victim)
            yield world.now_s + draw.uniform(20, 300)
        seller = max((seller for seller, _ in edges), key=lambda member: (member.has.free(item), member.number))
        units = max(1, int(victim.has.purse * draw.uniform(0.1, 0.5) / world.market.total(item, 1, level)))
        if deals.sell(world, draw, Sale(seller, victim, item, min(units, 40), level)):
            world.market.done(item, level, victim)


def _dumps(world: World, draw: Random, member: Person, dump: tuple[int, float], window: tuple[float, float]) -> Process:
    """Offers it to whoever is here, lower and lower, down to below the trend; who thinks it worth that buys."""
    item, lifted = dump
    times = sorted(draw.uniform(*window) for _ in range(draw.randint(*LOTS_IN_MARKET)))
    for number, at_s in enumerate(times):
        yield at_s
        level = lifted + (world.market.trend[item] - DUMPED - lifted) * number / len(times)
        for _ in range(6):
            buyer = world.anybody(draw, member)
            if buyer and member.has.free(item) and world.market.takes(draw, buyer, item, level, as_buyer=True):
                units = 2 * deals.units_for(world, draw, buyer, item)
                if deals.sell(world, draw, Sale(member, buyer, item, units, level)):
                    world.market.done(item, level, buyer)
                    break
