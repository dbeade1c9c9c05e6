"""Guild banks: members pay in (fan-in), the bank helps those in need (fan-out): `gather_scatter`, as a mule's.

Unlike a mule's, its customers are the same on both sides: who pays in gets something out, over weeks.
"""

from random import Random
from typing import Final

from jobs.economy.behaviours import deals
from jobs.economy.behaviours.cast import Cast
from jobs.economy.behaviours.clock import DAY_S, over_days
from jobs.economy.behaviours.people import Person
from jobs.economy.behaviours.world import Process, World

PER_1000: Final = 3.2
MEMBERS: Final = (6, 20)
DEPOSITS_PER_MEMBER: Final = (3, 16)
DEPOSIT_SHARE: Final = (0.05, 0.5)
HELP_PER_DEPOSIT: Final = (0.4, 1.0)


def play(world: World, draw: Random, cast: Cast) -> None:
    """Starts the guilds of a plan."""
    for bank in cast.honest("guild_bank", round(PER_1000 * len(world.people) / 1000)):
        members = [person for person in cast.others(draw.randint(*MEMBERS)) if person is not bank]
        cast.innocent("guild_member", *members)
        world.start(_guild(world, draw, bank, members))


def _guild(world: World, draw: Random, bank: Person, members: list[Person]) -> Process:
    start_s = bank.created_at_s + draw.uniform(0, 4 * DAY_S)
    helping = draw.uniform(*HELP_PER_DEPOSIT)
    most = draw.uniform(*DEPOSIT_SHARE)
    yield start_s
    for member in members:
        count = int(draw.uniform(*DEPOSITS_PER_MEMBER) * world.scale)
        world.start(_member(world, draw, (member, bank), (most, helping), count))


def _member(
    world: World, draw: Random, pair: tuple[Person, Person], terms: tuple[float, float], deposits: int
) -> Process:
    """A member pays in now and then, and gets help now and then."""
    member, bank = pair
    most, helping = terms
    window = max(world.now_s, member.created_at_s + DAY_S / 4), world.end_s
    for at_s in over_days(draw, member.rhythm, window, round(deposits * (1 + helping))):
        yield at_s
        if member.is_gone:
            return
        is_deposit = draw.random() * (1 + helping) < 1
        giver, receiver = (member, bank) if is_deposit else (bank, member)
        gold = deals.some_gold(draw, giver, most)
        items = deals.some_goods(draw, giver, 8) if draw.random() < 0.4 else ()
        deals.give(world, giver, receiver, 0 if items else gold, items)
