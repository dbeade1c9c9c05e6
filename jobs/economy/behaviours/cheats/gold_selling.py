"""Gold selling: farmers earn gold for hire and hand it to a mule, which delivers it to buyers who paid elsewhere.

Flow patterns: `gather_scatter`; `stack` where there are two mules. Nothing comes back for the gold. Evasive: each
transfer looks like a sale, of something next to worthless, in smaller parts and with more time in between.
"""

from random import Random
from typing import Final, NamedTuple

from jobs.economy.behaviours import flows
from jobs.economy.behaviours.acts import Lines, Side
from jobs.economy.behaviours.cast import Instance
from jobs.economy.behaviours.clock import DAY_S, HOUR_S, over_days
from jobs.economy.behaviours.honest.errands import quest
from jobs.economy.behaviours.people import Person
from jobs.economy.behaviours.world import Process, World

SIZES: Final = (4, 12)
HANDOVERS: Final = (4, 16)
HANDOVER_SHARE: Final = (0.35, 0.95)
DELIVERIES: Final = (1, 5)
DELIVERY_SHARE: Final = (0.25, 0.9)
JOBS_PER_HANDOVER: Final = (1, 5)
LASTS_DAYS: Final = (2.0, 14.0)
DELAY_H: Final = (0.1, 30.0)
TOKEN_UNITS: Final = (1, 3)
OWN_GOLD: Final = 3_000
"""Most that a farmer hands over at once of what it had before."""
ADVANCE: Final = 120
"""What a mule delivers of its own while it has gathered less."""


def roles(draw: Random, size: int) -> list[str]:
    """One mule, or two if there are many; buyers; most are farmers."""
    mules = 2 if size >= 7 and draw.random() < 0.5 else 1
    buyers = draw.randint(1, max(1, (size - mules) // 3))
    return ["mule"] * mules + ["buyer"] * buyers + ["farmer"] * (size - mules - buyers)


class _Business(NamedTuple):
    """When it goes on, how, and what gold each mule has gathered and not delivered."""

    window: tuple[float, float]
    is_evasive: bool
    stock: dict[Person, int]


def play(world: World, draw: Random, instance: Instance) -> None:
    """Starts farmers and deliveries."""
    farmers, mules, buyers = (instance.members[role] for role in ("farmer", "mule", "buyer"))
    start_s, end_s = instance.window
    lasts_s = min(end_s - start_s, draw.uniform(*LASTS_DAYS) * DAY_S * (1.6 if instance.is_evasive else 1.0))
    begins_s = draw.uniform(start_s, end_s - lasts_s)
    business = _Business((begins_s, begins_s + lasts_s), instance.is_evasive, dict.fromkeys(mules, 0))
    if len(mules) == 1:
        gather, scatter = flows.gather_scatter(farmers, mules[0], buyers)
    else:
        gather, scatter = flows.stack(farmers, mules, buyers)
    for farmer in farmers:
        world.start(_farmer(world, draw, [edge for edge in gather if edge[0] is farmer], business))
    for buyer in buyers:
        world.start(_buyer(world, draw, [edge for edge in scatter if edge[1] is buyer], business))


def _farmer(world: World, draw: Random, edges: list[flows.Edge], business: _Business) -> Process:
    """Earns, and hands over what it has earned, with some of what it had."""
    farmer = edges[0][0]
    share = draw.uniform(*HANDOVER_SHARE) * (0.6 if business.is_evasive else 1.0)
    yield business.window[0]
    for at_s in over_days(draw, farmer.rhythm, business.window, draw.randint(*HANDOVERS)):
        jobs = draw.randint(*JOBS_PER_HANDOVER)
        yield max(world.now_s, at_s - jobs * 200)
        earned = 0
        for _ in range(jobs):
            earned += quest(world, draw, farmer)
            yield world.now_s + draw.uniform(60, 320)
        edge = draw.choice(edges)
        gold = min(int(farmer.has.purse * share), earned + int(OWN_GOLD * share))
        if _transfer(world, draw, edge, gold, evasive=business.is_evasive):
            business.stock[edge[1]] += gold


def _buyer(world: World, draw: Random, edges: list[flows.Edge], business: _Business) -> Process:
    """Gets what it has paid for, in one or some deliveries."""
    buyer, stock = edges[0][1], business.stock
    share = draw.uniform(*DELIVERY_SHARE) * (0.6 if business.is_evasive else 1.0)
    start_s, end_s = business.window
    first_s = start_s + (end_s - start_s) * draw.uniform(0.5, 0.85)
    last_s = min(end_s + draw.uniform(*DELAY_H) * HOUR_S, world.end_s)
    yield first_s
    for at_s in over_days(draw, buyer.rhythm, (first_s, last_s), draw.randint(*DELIVERIES)):
        yield at_s
        edge = max(edges, key=lambda each: (stock[each[0]], each[0].number))
        mule = edge[0]
        gold = min(int(max(stock[mule], ADVANCE) * share), mule.has.purse)
        if _transfer(world, draw, edge, gold, evasive=business.is_evasive):
            stock[mule] = max(0, stock[mule] - gold)


def _transfer(world: World, draw: Random, edge: flows.Edge, gold: int, *, evasive: bool) -> bool:
    """Gold for nothing, or for a token; whether there was any."""
    giver, receiver = edge
    if gold <= 0:
        return False
    token = _token(world, draw, receiver) if evasive and world.room(giver) >= TOKEN_UNITS[1] else ()
    sides = Side(giver.number, gold), Side(receiver.number, 0, token)
    return world.trade(*(sides if draw.random() < 0.5 else sides[::-1]))


def _token(world: World, draw: Random, person: Person) -> Lines:
    """A unit or some of something cheap that somebody has."""
    values = world.market.values
    items = [item for item in person.has.items if person.has.free(item) >= TOKEN_UNITS[1] and values[item]]
    cheaper = sorted(items, key=lambda item: (values[item], item))[: 1 + len(items) // 2]
    return ((draw.choice(cheaper), draw.randint(*TOKEN_UNITS)),) if cheaper else ()
