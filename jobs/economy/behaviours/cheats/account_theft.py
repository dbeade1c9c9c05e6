"""Account theft: a stolen account is emptied within minutes, to accounts that it never met, and these pass it on.

Flow patterns: `fan_out` from the victim; `scatter_gather` where a fence takes what the thieves took. Evasive: the
account is emptied in parts over days, after some ordinary trades with the thief, and part of it against tokens.
"""

from random import Random
from typing import Final

from jobs.economy.behaviours import deals, flows
from jobs.economy.behaviours.acts import Lines, Side
from jobs.economy.behaviours.cast import Instance
from jobs.economy.behaviours.clock import HOUR_S
from jobs.economy.behaviours.deals import Sale
from jobs.economy.behaviours.honest.errands import make_room
from jobs.economy.behaviours.people import Person
from jobs.economy.behaviours.world import Process, World

SIZES: Final = (3, 6)
VICTIMS: Final = (1, 2)
PARTS: Final = (2, 6)
PART_GAP_S: Final = (4.0, 180.0)
EVASIVE_PARTS: Final = (6, 14)
EVASIVE_GAP_H: Final = (1.0, 14.0)
TAKEN_SHARE: Final = (0.8, 1.0)
PASSED_ON_AFTER_S: Final = (60.0, 20_000.0)
ROOM_UNITS: Final = 40
RETURNS: Final = 0.6
"""Share of the victims who play on."""
_LINES: Final = 4


def roles(draw: Random, size: int) -> list[str]:
    """Thieves, a victim or two, and mostly a fence."""
    fences = 1 if size > 3 or draw.random() < 0.5 else 0
    victims = draw.randint(VICTIMS[0], min(VICTIMS[1], size - fences - 1))
    return ["fence"] * fences + ["victim"] * victims + ["thief"] * (size - fences - victims)


def play(world: World, draw: Random, instance: Instance) -> None:
    """Starts the thefts of a gang, one for each victim."""
    thieves, fences = instance.members["thief"], instance.members.get("fence", [])
    start_s, end_s = instance.window
    for victim in instance.members["victim"]:
        # the victim has lived a while, so that there is something to lose, and friends who were not robbed of it
        latest = 0.6 if instance.is_evasive else 0.9
        at_s = start_s + (end_s - start_s) * draw.uniform(0.25, latest)
        layers = flows.scatter_gather(victim, thieves, fences[0]) if fences else flows.fan_out(victim, thieves)
        steal = _steal_slowly if instance.is_evasive else _steal
        world.start(steal(world, draw, layers, at_s))


def _steal(world: World, draw: Random, layers: flows.Layers, at_s: float) -> Process:
    """All at once."""
    yield at_s
    victim = layers[0][0][0]
    parts = max(len(layers[0]), draw.randint(*PARTS))
    share = draw.uniform(*TAKEN_SHARE)
    gap_s = draw.uniform(*PART_GAP_S)
    for number in range(parts):
        _, thief = layers[0][number % len(layers[0])]
        if world.room(thief) < ROOM_UNITS:
            make_room(world, draw, thief)
            yield world.now_s + draw.uniform(2, 20)
        _take(world, (victim, thief), share if number + 1 == parts else share * 0.6, 0.0)
        yield world.now_s + gap_s * draw.uniform(0.4, 1.8)
    victim.is_gone = draw.random() >= RETURNS
    yield from _pass_on(world, draw, layers)


def _steal_slowly(world: World, draw: Random, layers: flows.Layers, at_s: float) -> Process:
    """In parts over days, after ordinary trades with the thieves, some of it against tokens."""
    yield at_s
    victim = layers[0][0][0]
    for _, thief in layers[0]:
        for _ in range(draw.randint(1, 3)):
            deals.barter(world, draw, victim, thief)
            yield world.now_s + draw.uniform(600, 3 * HOUR_S)
    parts = draw.randint(*EVASIVE_PARTS)
    longest_gap_s = (world.end_s - world.now_s) / (parts + 4)
    for number in range(parts):
        _, thief = layers[0][number % len(layers[0])]
        _take(world, (victim, thief), draw.uniform(0.15, 0.45), draw.uniform(0, 0.05) if draw.random() < 0.5 else 0.0)
        yield world.now_s + min(draw.uniform(*EVASIVE_GAP_H) * HOUR_S, longest_gap_s)
    yield from _pass_on(world, draw, layers)


def _pass_on(world: World, draw: Random, layers: flows.Layers) -> Process:
    """What was taken goes to the fence, or to whoever buys it."""
    takers = [thief for _, thief in layers[0]]
    fences = [fence for _, fence in layers[1]] if len(layers) > 1 else []
    for number, thief in enumerate(takers):
        yield world.now_s + draw.uniform(*PASSED_ON_AFTER_S)
        if fences:
            gold, items = int(thief.has.purse * draw.uniform(0.7, 1.0)), _dearest(world, thief)
            deals.give(world, thief, fences[number], gold, items)
        else:
            yield from _sell_off(world, draw, thief)


def _sell_off(world: World, draw: Random, thief: Person) -> Process:
    """To strangers, below the price."""
    for item, _ in _dearest(world, thief):
        for _ in range(6):
            buyer = world.anybody(draw, thief)
            level = world.market.quote[item] - draw.uniform(0.1, 0.4)
            if buyer and deals.sell(world, draw, Sale(thief, buyer, item, draw.randint(1, 5), level)):
                yield world.now_s + draw.uniform(30, 900)


def _take(world: World, edge: flows.Edge, share: float, paid: float) -> None:
    """A share of the gold and of the dearest things, of which a share is paid for as if it were a sale."""
    victim, thief = edge
    gold = int(victim.has.purse * share)
    room = world.room(thief)
    lines: list[tuple[int, int]] = []
    for item, units in _dearest(world, victim):
        taken = min(max(1, int(units * share)), room)
        if taken > 0:
            lines.append((item, taken))
            room -= taken
    price = int(paid * gold)
    if 0 < price <= thief.has.purse and lines:
        world.trade(Side(victim.number, 0, tuple(lines)), Side(thief.number, price))
    elif gold or lines:
        world.trade(Side(victim.number, gold, tuple(lines)), Side(thief.number))


def _dearest(world: World, person: Person) -> Lines:
    """The most valuable of what somebody has."""
    values = world.market.values
    items = sorted(person.has.items, key=lambda item: (-values[item], item))[:_LINES]
    return tuple((item, person.has.free(item)) for item in items if person.has.free(item) > 0)
