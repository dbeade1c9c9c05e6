"""What the game gives and takes: quests that reward, loot, crafts and meals that consume, its shop, wear.

They are the faucets and sinks of the economy, and meals and crafts make the room without which nobody could buy.
"""

from random import Random
from typing import Final

from app.contract.reasons import AdjustmentReason
from jobs.economy.behaviours.clock import DAY_S, sessions
from jobs.economy.behaviours.people import Person
from jobs.economy.behaviours.world import Process, World

_PER_TRADE: Final = 0.35
"""Errands, beside the trades of a plan."""
_QUESTS: Final = 40
_REWARD_MEDIAN_LOG: Final = 2.9
"""Of gold: 18."""
_REWARD_SIGMA: Final = 0.9
_ZONES: Final = 12
_NO_ROOM: Final = 0.02
_SHOP_TAKES: Final = 0.5
"""What the game's shop pays, of an item's value; it sells for more than that."""
_SHOP_ASKS: Final = 1.15


def play(world: World, draw: Random, trades: int, days: int) -> Process:
    """Everybody's errands, day by day, by how much they play."""
    for day in range(days):
        yield day * DAY_S
        here = [person for person in world.people if not person.is_gone and person.created_at_s < day * DAY_S + DAY_S]
        counts: dict[Person, int] = {}
        weights = [person.activity for person in here]
        for person in draw.choices(here, weights, k=int(trades * _PER_TRADE / days)) if here else ():
            counts[person] = counts.get(person, 0) + 1
        for person, count in counts.items():
            world.start(_evening(world, draw, person, sessions(draw, person.rhythm, day, count)))


def _evening(world: World, draw: Random, person: Person, times: list[float]) -> Process:
    for at_s in times:
        yield at_s
        if person.holdings is not None and not person.is_gone:
            errand(world, draw, person)


def errand(world: World, draw: Random, person: Person) -> None:
    """One errand, of a kind that is drawn."""
    (do,) = draw.choices(_ERRANDS, _WEIGHTS)
    do(world, draw, person)


def quest(world: World, draw: Random, person: Person) -> int:
    """A reward in gold, sometimes with a thing; the gold."""
    items = cheap(world)
    has_thing = draw.random() < 0.2 and items and world.room(person) > 2
    thing = ((draw.choice(items), draw.randint(1, 3)),) if has_thing else ()
    number = draw.randint(1, _QUESTS)
    gold = max(1, round(draw.lognormvariate(_REWARD_MEDIAN_LOG, _REWARD_SIGMA)))
    world.adjust(person, gold, thing, AdjustmentReason.REWARD, f"quest {number}")
    return gold


def loot(world: World, draw: Random, person: Person) -> None:
    """Something cheap that was found; once in a while there is no room for it, and the game tries all the same."""
    items = cheap(world)
    found = draw.randint(1, 8)
    if items:
        units = world.room(person) + found if draw.random() < _NO_ROOM else found
        find(world, draw, person, draw.choice(items), units)


def find(world: World, draw: Random, person: Person, item: int, units: int) -> None:
    """So many units of an item are found somewhere."""
    world.adjust(person, 0, ((item, units),), AdjustmentReason.LOOT, f"zone {draw.randint(1, _ZONES)}")


def craft(world: World, draw: Random, person: Person) -> None:
    """Some units of a thing become fewer of a dearer one."""
    values = world.market.values
    owned = [item for item in person.has.items if person.has.free(item) >= 10 and values[item]]
    if not owned:
        return
    material = draw.choice(owned)
    dearer = [item for item, value in values.items() if values[material] < value <= 12 * values[material]]
    if not dearer:
        return
    product = draw.choice(dearer)
    made = draw.randint(1, 3)
    used = -(-made * values[product] // values[material])
    if used <= person.has.free(material):
        lines = ((material, -used), (product, made))
        world.adjust(person, 0, lines, AdjustmentReason.CRAFT, f"recipe {material}-{product}")


def meal(world: World, draw: Random, person: Person) -> None:
    """Something cheap is used up."""
    items = [item for item in cheap(world) if person.has.free(item) > 0]
    if items:
        item = draw.choice(items)
        units = min(draw.randint(2, 15), person.has.free(item))
        world.adjust(person, 0, ((item, -units),), AdjustmentReason.CONSUMPTION, "meal")


def shop(world: World, draw: Random, person: Person) -> None:
    """Something is bought from the game's shop, or sold to it."""
    values = world.market.values
    if draw.random() < 0.5:
        items = [item for item in cheap(world) if values[item]]
        item, units = draw.choice(items), min(draw.randint(1, 6), world.room(person))
        gold = -max(1, round(units * values[item] * _SHOP_ASKS))
        if units and person.has.purse >= -gold:
            world.adjust(person, gold, ((item, units),), AdjustmentReason.PURCHASE, "shop")
        return
    owned = [item for item in person.has.items if person.has.free(item) > 0 and 0 < values[item] <= 500]
    if owned:
        item = draw.choice(owned)
        units = min(draw.randint(2, 12), person.has.free(item))
        gold = max(1, int(units * values[item] * _SHOP_TAKES))
        world.adjust(person, gold, ((item, -units),), AdjustmentReason.PURCHASE, "shop")


def make_room(world: World, draw: Random, person: Person) -> None:
    """Sells to the game's shop what there is most of, for somebody who is about to take in much."""
    values = world.market.values
    item = max(person.has.items, key=lambda each: (person.has.free(each), each), default=0)
    units = min(draw.randint(20, 60), person.has.free(item) // 2) if item else 0
    if units > 0:
        gold = max(1, int(units * values[item] * _SHOP_TAKES))
        world.adjust(person, gold, ((item, -units),), AdjustmentReason.PURCHASE, "shop")


def wear(world: World, draw: Random, person: Person) -> None:
    """A unit of something is worn out."""
    items = [item for item in person.has.items if person.has.free(item) > 0]
    if items:
        world.adjust(person, 0, ((draw.choice(items), -1),), AdjustmentReason.DECAY, "wear")


def cheap(world: World) -> list[int]:
    """The cheaper half of all items."""
    values = world.market.values
    middle = sorted(values.values())[len(values) // 2]
    return [item for item, value in values.items() if value <= middle]


_ERRANDS: Final = (quest, loot, craft, meal, shop, wear)
_WEIGHTS: Final = (28, 22, 10, 28, 12, 4)
