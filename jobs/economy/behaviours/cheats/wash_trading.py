"""Wash trading: a ring of 2 to 6 accounts sells the same goods round and round, so that they look sought after.

Flow patterns: `mutual` for two; `cycle`, `random` or `bipartite` there and back for more. Nobody's position changes
much. Evasive: amounts, prices and times vary as in honest trade, the rounds are fewer and stretch over weeks, and the
goods change.
"""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Final

from jobs.economy.behaviours import deals, flows
from jobs.economy.behaviours.cast import Instance
from jobs.economy.behaviours.clock import DAY_S, HOUR_S, over_days
from jobs.economy.behaviours.deals import Sale
from jobs.economy.behaviours.honest.errands import make_room
from jobs.economy.behaviours.people import Person
from jobs.economy.behaviours.world import Process, World

SIZES: Final = (2, 6)
TRADES: Final = (40, 220)
EVASIVE_TRADES: Final = (24, 90)
LEVEL: Final = (-0.3, 0.9)
LASTS_DAYS: Final = (1.0, 12.0)
GAP_S: Final = (4.0, 600.0)
PURSE_SHARE: Final = (0.15, 0.7)
ROOM_UNITS: Final = 30
STAKE_GOLD: Final = 60
PADDING: Final = (0.5, 8.0)


def roles(draw: Random, size: int) -> list[str]:
    """All are alike."""
    del draw
    return ["ring_member"] * size


def play(world: World, draw: Random, instance: Instance) -> None:
    """Starts a ring, whose members trade honestly as well, so that it does not stand out."""
    for member in instance.everyone:
        member.activity = max(member.activity, draw.uniform(*PADDING))
    world.start(_ring(world, draw, instance))


def _ring(world: World, draw: Random, instance: Instance) -> Process:
    members, evasive = instance.everyone, instance.is_evasive
    left = int(draw.uniform(*(EVASIVE_TRADES if evasive else TRADES)) * max(0.4, world.scale))
    start_s, end_s = instance.window
    lasts_s = (end_s - start_s) if evasive else draw.uniform(*LASTS_DAYS) * DAY_S
    begins_s = draw.uniform(start_s, max(start_s, end_s - lasts_s))
    yield begins_s
    level, share, gap_s = draw.uniform(*LEVEL), draw.uniform(*PURSE_SHARE), draw.uniform(*GAP_S)
    pattern = draw.choice(("cycle", "random", "bipartite")) if len(members) > 2 else "mutual"
    yield from _prepare(world, draw, members)
    goods = _goods(world, draw, members, share)
    while left > 0 and world.now_s < end_s:
        yield _next_round_s(draw, members[0], (world.now_s, min(end_s, begins_s + lasts_s)), evasive=evasive)
        yield from _prepare(world, draw, members)
        if evasive:
            goods = _goods(world, draw, members, share * draw.uniform(0.3, 1.0))
            level = world.market.quote[goods[0]] + draw.gauss(0, 0.08)
        # it begins with who has most of the goods, and comes back there
        members.sort(key=lambda member: (-member.has.free(goods[0]), member.number))
        for giver, receiver in _round(draw, members, pattern):
            left -= _pass(world, draw, Sale(giver, receiver, *goods, level))
            yield world.now_s + (draw.lognormvariate(7.2, 1.2) if evasive else gap_s * draw.uniform(0.5, 1.6))


def _prepare(world: World, draw: Random, members: Sequence[Person]) -> Process:
    """Sees to it that all have room, and gold to pay with: from the richest, if one has hardly any."""
    richest = max(members, key=lambda member: (member.has.purse, member.number))
    for member in members:
        if world.room(member) < ROOM_UNITS:
            make_room(world, draw, member)
            yield world.now_s + draw.uniform(20, 600)
        if member.has.purse < STAKE_GOLD:
            deals.give(world, richest, member, min(2 * STAKE_GOLD, richest.has.purse // 3))
            yield world.now_s + draw.uniform(20, 600)


def _round(draw: Random, members: Sequence[Person], pattern: str) -> list[flows.Edge]:
    """Who sells to whom, once round."""
    if pattern == "mutual":
        layers = flows.mutual(*members)
    elif pattern == "cycle":
        layers = flows.cycle(members)
    elif pattern == "random":
        layers = flows.walk(draw, members, 2 * len(members))
    else:
        half = len(members) // 2
        (back,) = flows.bipartite(members[half:], members[:half])
        draw.shuffle(back)
        layers = [*flows.bipartite(members[:half], members[half:]), back]
    return [edge for layer in layers for edge in layer]


def _next_round_s(draw: Random, leader: Person, window: tuple[float, float], *, evasive: bool) -> float:
    """When the next round begins: soon, or the next day; if evasive, within a day or two."""
    now_s, end_s = window
    if not evasive and draw.random() < 0.7:
        return now_s + draw.uniform(30, 1_800)
    days = over_days(draw, leader.rhythm, (now_s + 0.5 * HOUR_S, now_s + 1.5 * DAY_S), 1)
    return days[0] if days else end_s


def _goods(world: World, draw: Random, members: Sequence[Person], share: float) -> tuple[int, int]:
    """What goes round: something that they have enough of and all can pay for, and how much of it at once."""
    poorest = min(member.has.purse for member in members)
    values = world.market.values
    stock = Counter[int]()
    for member in members:
        for item in member.has.items:
            stock[item] += member.has.free(item)
    payable = [(units, item) for item, units in stock.items() if 0 < values[item] <= max(1, poorest // 3)]
    if not payable:
        return stock.most_common(1)[0][0], 1
    units, item = draw.choice(sorted(payable)[-3:])
    return item, max(1, min(30, int(poorest * share / values[item]), units // len(members)))


def _pass(world: World, draw: Random, sale: Sale) -> bool:
    """One sale within the ring, if the seller has the goods; whether there was one."""
    if not deals.sell(world, draw, sale):
        return False
    world.market.done(sale.item, sale.level, sale.seller, sale.buyer)
    return True
