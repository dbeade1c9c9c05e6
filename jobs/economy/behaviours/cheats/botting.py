"""Botting: a program plays the account, at a fixed pace, day and night.

Each tick it takes what it found and sells some of it to whoever is here. Evasive: the pace varies by a third, and it
rests for some hours a day at about the same time.
"""

from random import Random
from typing import Final

from jobs.economy.behaviours import deals
from jobs.economy.behaviours.cast import Instance
from jobs.economy.behaviours.clock import DAY_S, HOUR_S
from jobs.economy.behaviours.deals import Sale
from jobs.economy.behaviours.honest.errands import find
from jobs.economy.behaviours.people import Person
from jobs.economy.behaviours.world import Process, World

SIZES: Final = (1, 3)
PERIOD_S: Final = (60.0, 1_500.0)
TICKS: Final = (120, 520)
JITTER: Final = (0.005, 0.1)
EVASIVE_JITTER: Final = (0.2, 0.45)
REST_H: Final = (3.0, 7.0)
UNITS: Final = (1, 6)
LOOT_UNITS: Final = (4, 25)
DISCOUNT: Final = (0.02, 0.2)
_LEAST_TICKS: Final = 60
_FINDS: Final = 0.08


def roles(draw: Random, size: int) -> list[str]:
    """All are alike."""
    del draw
    return ["bot"] * size


def play(world: World, draw: Random, instance: Instance) -> None:
    """Starts the bots of one program."""
    period_s, jitter = draw.uniform(*PERIOD_S), draw.uniform(*(EVASIVE_JITTER if instance.is_evasive else JITTER))
    start_s, end_s = instance.window
    rest_h = draw.uniform(*REST_H) if instance.is_evasive else 0.0
    for bot in instance.everyone:
        ticks = max(_LEAST_TICKS, int(draw.uniform(*TICKS) * min(1.0, world.scale)))
        lasts_s = ticks * period_s
        begins_s = draw.uniform(start_s, max(start_s, min(end_s - lasts_s, end_s - DAY_S / 4)))
        world.start(_bot(world, draw, bot, (begins_s, ticks), (period_s, jitter, rest_h)))


def _bot(world: World, draw: Random, bot: Person, run: tuple[float, int], pace: tuple[float, float, float]) -> Process:
    begins_s, ticks = run
    period_s, jitter, rest_h = pace
    rests_at_h = draw.uniform(0, 24)
    finds_for_s = period_s * draw.uniform(0.02, 0.4)
    units, discount = draw.randint(*UNITS), draw.uniform(*DISCOUNT)
    at_s = begins_s
    yield at_s
    item = _wares(world, draw, bot)
    for _ in range(ticks):
        at_s += period_s * max(0.05, draw.uniform(1 - jitter, 1 + jitter))
        if (at_s / HOUR_S - rests_at_h) % 24 < rest_h:
            at_s += rest_h * HOUR_S
        yield at_s
        if world.room(bot) and (bot.has.free(item) < LOOT_UNITS[1] or draw.random() < _FINDS):
            find(world, draw, bot, item, min(world.room(bot), draw.randint(*LOOT_UNITS)))
        yield at_s + finds_for_s
        _sell(world, draw, bot, (item, units), discount)


def _wares(world: World, draw: Random, bot: Person) -> int:
    """What it sells: of the cheapest things that it has much of one, which anybody buys."""
    values = world.market.values
    plenty = [item for item in bot.has.items if bot.has.free(item) >= LOOT_UNITS[1] and values[item]]
    cheapest = sorted(
        plenty or [item for item, value in values.items() if value], key=lambda item: (values[item], item)
    )
    return draw.choice(cheapest[:2])


def _sell(world: World, draw: Random, bot: Person, goods: tuple[int, int], discount: float) -> None:
    item, units = goods
    level = world.market.quote[item] - discount
    least = max(units, -(-8 // world.market.values[item]))
    for _ in range(6):
        buyer = world.anybody(draw, bot)
        if buyer is None or not world.market.takes(draw, buyer, item, level, as_buyer=True):
            continue
        if deals.sell(world, draw, Sale(bot, buyer, item, least, level)):
            world.market.done(item, level, buyer)
            return
