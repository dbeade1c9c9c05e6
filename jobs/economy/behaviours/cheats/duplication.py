"""Duplication: the same trade sent again and again under new names within a second, in the hope that it counts twice.

A duper hands over, or sells, the same goods to a receiver in bursts of copies; the engine decides each for itself, so
some copies move goods that are there and others are refused. Flow pattern: `fan_out` from the dupers, in bursts.
Evasive: copies differ by a unit, or stretch over some seconds, and bursts are short and few.
"""

from random import Random
from typing import Final

from jobs.economy.behaviours.acts import Side
from jobs.economy.behaviours.cast import Instance
from jobs.economy.behaviours.clock import DAY_S, over_days
from jobs.economy.behaviours.honest.errands import make_room
from jobs.economy.behaviours.people import Person
from jobs.economy.behaviours.world import Process, World

SIZES: Final = (2, 4)
BURSTS: Final = (3, 16)
COPIES: Final = (2, 7)
EVASIVE_COPIES: Final = (2, 3)
WITHIN_S: Final = (0.08, 0.95)
EVASIVE_WITHIN_S: Final = (1.0, 6.0)
HELD_SHARE: Final = (0.05, 0.9)
LASTS_DAYS: Final = (0.3, 10.0)
GOLD: Final = 0.2
SALES: Final = 0.5
ROOM_UNITS: Final = 15


def roles(draw: Random, size: int) -> list[str]:
    """Dupers and receivers."""
    receivers = draw.randint(1, size - 1)
    return ["duper"] * (size - receivers) + ["receiver"] * receivers


def play(world: World, draw: Random, instance: Instance) -> None:
    """Starts the dupers, each with every receiver in turn."""
    start_s, end_s = instance.window
    lasts_s = min(end_s - start_s, draw.uniform(*LASTS_DAYS) * DAY_S)
    begins_s = draw.uniform(start_s, end_s - lasts_s)
    window = begins_s, begins_s + lasts_s
    receivers = instance.members["receiver"]
    for duper in instance.members["duper"]:
        world.start(_duper(world, draw, (duper, receivers), window, evasive=instance.is_evasive))


def _duper(
    world: World, draw: Random, group: tuple[Person, list[Person]], window: tuple[float, float], *, evasive: bool
) -> Process:
    duper, receivers = group
    yield window[0]
    bursts = max(len(receivers), draw.randint(*BURSTS) // (2 if evasive else 1))
    for number, at_s in enumerate(over_days(draw, duper.rhythm, window, bursts)):
        receiver = receivers[number % len(receivers)]
        yield max(at_s, world.now_s + draw.uniform(3, 30))
        if world.room(receiver) < ROOM_UNITS:
            make_room(world, draw, receiver)
            yield world.now_s + draw.uniform(10, 300)
        first_s = world.now_s
        sides = _content(world, draw, duper, receiver)
        copies = draw.randint(*(EVASIVE_COPIES if evasive else COPIES))
        within_s = draw.uniform(*(EVASIVE_WITHIN_S if evasive else WITHIN_S))
        for copy_s in sorted(draw.uniform(0, within_s) for _ in range(copies)):
            yield first_s + copy_s
            world.trade(*(_varied(draw, sides) if evasive else sides))


def _content(world: World, draw: Random, duper: Person, receiver: Person) -> tuple[Side, Side]:
    """A part of what the duper has, up to most of it: gold for nothing, or goods for nothing or for gold."""
    values = world.market.values
    items = [item for item in duper.has.items if duper.has.free(item) > 1 and values[item]]
    room = world.room(receiver)
    if not items or room < 1 or draw.random() < GOLD:
        return Side(duper.number, max(1, int(duper.has.purse * draw.uniform(*HELD_SHARE)))), Side(receiver.number)
    item = draw.choice(items)
    units = max(1, min(int(duper.has.free(item) * draw.uniform(*HELD_SHARE)), room // draw.randint(1, 3) or 1, 60))
    gold = 0
    if draw.random() < SALES:
        gold = min(world.market.total(item, units, draw.gauss(0, 0.1)), receiver.has.purse // 2)
    return Side(duper.number, 0, ((item, units),)), Side(receiver.number, gold)


def _varied(draw: Random, sides: tuple[Side, Side]) -> tuple[Side, Side]:
    """Nearly the same."""
    one, two = sides
    if not one.items:
        return Side(one.player, max(1, one.gold - draw.randint(0, 2))), two
    ((item, units),) = one.items
    return Side(one.player, one.gold, ((item, max(1, units - draw.randint(0, 1))),)), two
