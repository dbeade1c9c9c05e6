"""Newcomers: what somebody does in the first hours, and who is seen no more after the first days.

The first quests pay a little and follow one another closely; then come the first trades. Of all who come, a part loses
interest after some days and takes along what it has, without a word: its wealth lies idle.
"""

from random import Random
from typing import Final

from jobs.economy.behaviours.cast import Cast
from jobs.economy.behaviours.clock import DAY_S, gap_s
from jobs.economy.behaviours.honest.bargainers import encounter
from jobs.economy.behaviours.honest.errands import quest
from jobs.economy.behaviours.people import Person
from jobs.economy.behaviours.world import Process, World

FIRST_QUESTS: Final = (1, 4)
FIRST_TRADES: Final = (0, 3)
QUITS: Final = 0.2
STAYS_DAYS: Final = 5.0


def play(world: World, draw: Random, cast: Cast) -> None:
    """Starts everybody's first hours, and ends the play of those who quit."""
    for person in world.people:
        world.start(_first_hours(world, draw, person))
        if draw.random() < QUITS and not cast.has_part(person):
            world.start(_quits(draw, person))


def _first_hours(world: World, draw: Random, person: Person) -> Process:
    at_s = person.created_at_s
    for _ in range(draw.randint(*FIRST_QUESTS)):
        at_s += gap_s(draw)
        yield at_s
        quest(world, draw, person)
    for _ in range(int(draw.randint(*FIRST_TRADES) * min(1.0, world.scale))):
        yield world.now_s + gap_s(draw)
        encounter(world, draw, person)


def _quits(draw: Random, person: Person) -> Process:
    yield person.created_at_s + DAY_S * (0.5 + draw.expovariate(1 / STAYS_DAYS))
    person.is_gone = True
