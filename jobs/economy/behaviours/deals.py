"""How two people deal, whoever they are: sales against gold, gifts, barter and offers, within what both can do.

Nothing here is refused: what cannot be done is made smaller, or left.
"""

from random import Random
from typing import Final, NamedTuple

from jobs.economy.behaviours.acts import Lines, Side
from jobs.economy.behaviours.people import Person
from jobs.economy.behaviours.world import World

_UNITS_MEDIAN_LOG: Final = 1.1
"""Of units in a sale: 3."""
_UNITS_SIGMA: Final = 1.2
_OPEN_HAND: Final = 3.0
_DAMPING: Final = 0.75
_LEAST_SALE_GOLD: Final = 10
"""Cheap things are sold by the handful: a price in whole gold says little of a single one."""


Sides = tuple[Side, Side]


class Sale(NamedTuple):
    """Units of an item for gold, at a level of price (jobs/economy/behaviours/market.py)."""

    seller: Person
    buyer: Person
    item: int
    units: int
    level: float


def wares(world: World, seller: Person, buyer: Person, most_gold: int) -> list[int]:
    """The items that one could sell to the other a unit of, for so much gold at most."""
    if not world.room(buyer):
        return []
    values, free = world.market.values, seller.has.free
    return [item for item in seller.has.items if 0 < values[item] <= most_gold and free(item) > 0]


def units_for(world: World, draw: Random, buyer: Person, item: int) -> int:
    """How much of an item changes hands in an ordinary sale, by what the buyer has."""
    value = world.market.values[item]
    wanted = max(int(draw.lognormvariate(_UNITS_MEDIAN_LOG, _UNITS_SIGMA)), -(-_LEAST_SALE_GOLD // value))
    spent = max(value, int(buyer.has.purse * buyer.share))
    return max(1, min(wanted, spent // value))


def sale_sides(world: World, sale: Sale) -> Sides | None:
    """Who gives what in a sale, seller first; fewer units if need be, None if not one is possible."""
    seller, buyer, item, units, level = sale
    units = min(units, seller.has.free(item), world.room(buyer))
    purse = buyer.has.purse
    while units > 0:
        gold = world.market.total(item, units, level)
        if gold <= purse:
            return Side(seller.number, 0, ((item, units),)), Side(buyer.number, gold)
        units = min(units - 1, int(units * purse / gold))
    return None


def sell(world: World, draw: Random, sale: Sale) -> Sides | None:
    """A sale, either side of it first; what they gave, None if it could not be."""
    sides = sale_sides(world, sale)
    if sides is None:
        return None
    if draw.random() < 0.5:
        sides = sides[::-1]
    world.trade(*sides)
    return sides


def give(world: World, giver: Person, receiver: Person, gold: int, items: Lines = ()) -> bool:
    """A gift, as much of it as the one has and the other has room for; whether there was any."""
    room = world.room(receiver)
    lines: list[tuple[int, int]] = []
    for item, units in items:
        given = min(units, giver.has.free(item), room)
        if given > 0:
            lines.append((item, given))
            room -= given
    gold = min(gold, giver.has.purse)
    if gold <= 0 and not lines:
        return False
    return world.trade(Side(giver.number, max(0, gold), tuple(lines)), Side(receiver.number))


def some_gold(draw: Random, giver: Person, most_share: float) -> int:
    """A part of what somebody has, up to a share; the rich give more, but not in proportion."""
    purse = giver.has.purse
    return int(min(purse, _OPEN_HAND * purse**_DAMPING) * draw.uniform(0, most_share))


def some_goods(draw: Random, giver: Person, most_units: int) -> Lines:
    """A few units of something that somebody has, or nothing."""
    items = [item for item in giver.has.items if giver.has.free(item) > 0]
    return ((draw.choice(items), draw.randint(1, most_units)),) if items else ()


def barter(world: World, draw: Random, one: Person, two: Person) -> bool:
    """Goods for goods of about the same value; whether it came to that."""
    values = world.market.values
    (ours, theirs) = ([item for item in each.has.items if each.has.free(item) > 0] for each in (one, two))
    if not ours or not theirs:
        return False
    first, second = draw.choice(ours), draw.choice(theirs)
    if first == second or not values[first] or not values[second]:
        return False
    worth = max(values[first], values[second]) * draw.randint(1, 3)
    units_1, units_2 = round(worth / values[first]), round(worth * draw.lognormvariate(0, 0.1) / values[second])
    if not 0 < units_1 <= one.has.free(first) or not 0 < units_2 <= two.has.free(second):
        return False
    if world.room(one) < units_2 - units_1 or world.room(two) < units_1 - units_2:
        return False
    return world.trade(Side(one.number, 0, ((first, units_1),)), Side(two.number, 0, ((second, units_2),)))
