"""Pairs and people of habit: partners in a craft, a disciplined fast human, and those who click twice.

Partners in a craft buy materials and sell products to each other for weeks (`mutual`, `periodical`): much between two,
as in wash trading, but different things, at the market's price, for use. The fast human trades as often as a bot, and
sleeps, pauses and varies. Who clicks twice sends the same trade again within seconds, and gives back what came of it.
"""

from random import Random
from typing import Final

from app.contract.reasons import AdjustmentReason
from jobs.economy.behaviours import deals
from jobs.economy.behaviours.acts import Side
from jobs.economy.behaviours.cast import Cast
from jobs.economy.behaviours.clock import DAY_S, HOUR_S, over_days
from jobs.economy.behaviours.deals import Sale
from jobs.economy.behaviours.honest.bargainers import encounter
from jobs.economy.behaviours.people import Person
from jobs.economy.behaviours.world import Process, World

PARTNERS_PER_1000: Final = 6
EXCHANGES: Final = (20, 110)
FAST_PER_1000: Final = 3.2
FAST_TRADES: Final = (100, 360)
PACE_S: Final = (15.0, 60.0)
SITTING_H: Final = (1.5, 4.5)
CLICKERS_PER_1000: Final = 8
DOUBLE_CLICKS: Final = (1, 6)


def play(world: World, draw: Random, cast: Cast) -> None:
    """Starts them all."""
    thousands = len(world.people) / 1000
    for _ in range(round(PARTNERS_PER_1000 * thousands)):
        partners = cast.others(2)
        cast.innocent("craft_partners", *partners)
        world.start(_partners(world, draw, *partners))
    for person in cast.honest("fast_human", round(FAST_PER_1000 * thousands)):
        world.start(_fast_human(world, draw, person))
    for person in cast.honest("double_click", round(CLICKERS_PER_1000 * thousands)):
        world.start(_clicker(world, draw, person))


def _partners(world: World, draw: Random, one: Person, two: Person) -> Process:
    start_s = max(one.created_at_s, two.created_at_s) + draw.uniform(0, 2 * DAY_S)
    count = int(draw.uniform(*EXCHANGES) * world.scale)
    for at_s in over_days(draw, one.rhythm, (start_s, world.end_s), count):
        yield at_s
        if one.is_gone or two.is_gone:
            return
        seller, buyer = draw.sample((one, two), 2)
        # each sells what it has most of: its own craft's
        items = deals.wares(world, seller, buyer, int(buyer.has.purse * 0.3))
        if items:
            item = max(items, key=lambda each: (seller.has.free(each), each))
            level = world.market.quote[item] + draw.gauss(0, 0.03)
            goods = item, deals.units_for(world, draw, buyer, item)
            if deals.sell(world, draw, Sale(seller, buyer, *goods, level)):
                world.market.done(item, level, seller, buyer)
            yield world.now_s + draw.uniform(30, 900)
            _use(world, draw, buyer, item)


def _use(world: World, draw: Random, person: Person, item: int) -> None:
    """What was bought is used, so that there is room for the next."""
    units = min(person.has.free(item), draw.randint(1, 6))
    if units > 0:
        world.adjust(person, 0, ((item, -units),), AdjustmentReason.CONSUMPTION, "workshop")


def _fast_human(world: World, draw: Random, person: Person) -> Process:
    """Long sittings at a quick pace, which is not a machine's: it wanders, and there are pauses and nights."""
    left = int(draw.uniform(*FAST_TRADES) * world.scale)
    pace_s = draw.uniform(*PACE_S)
    day = int(person.created_at_s // DAY_S) + draw.randint(1, 3)
    while left > 0 and (day + 1) * DAY_S < world.end_s:
        at_s = person.rhythm.sitting(draw, day)
        ends_s = at_s + draw.uniform(*SITTING_H) * HOUR_S
        while at_s < ends_s and left > 0:
            yield at_s
            encounter(world, draw, person)
            left -= 1
            pause_s = draw.uniform(300, 1_500) if draw.random() < 0.03 else 0
            at_s = world.now_s + pace_s * draw.lognormvariate(0, 0.45) + pause_s
        day += draw.randint(1, 3)


def _clicker(world: World, draw: Random, person: Person) -> Process:
    """Trades of which some are sent again."""
    start_s = person.created_at_s + HOUR_S
    for at_s in over_days(draw, person.rhythm, (start_s, world.end_s), draw.randint(*DOUBLE_CLICKS)):
        yield at_s
        if person.is_gone or not (sides := encounter(world, draw, person)):
            continue
        yield world.now_s + draw.uniform(0.15, 2.5)
        if any(side.gold or side.items for side in sides) and world.trade(*sides):
            yield world.now_s + draw.uniform(20, 400)
            world.trade(Side(sides[0].player, *sides[1][1:]), Side(sides[1].player, *sides[0][1:]))
