"""People who give without asking for anything: couples and friends both ways, prize givers and welcomers one way.

Of the flow patterns: couples and friends are `mutual`, prizes and starter packs `fan_out`.
"""

from random import Random
from typing import Final

from app.contract.reasons import AdjustmentReason
from jobs.economy.behaviours import deals
from jobs.economy.behaviours.cast import Cast
from jobs.economy.behaviours.clock import DAY_S, HOUR_S, over_days
from jobs.economy.behaviours.people import Person
from jobs.economy.behaviours.world import Process, World

COUPLES_PER_1000: Final = 8
FRIENDS_PER_1000: Final = 14
FRIENDS: Final = (2, 4)
COUPLE_GIFTS: Final = (10, 60)
FRIEND_GIFTS: Final = (6, 40)
GENEROSITY: Final = (0.05, 0.5)
PRIZE_GIVERS_PER_1000: Final = 3
CONTESTS: Final = (1, 4)
WINNERS: Final = (5, 25)
WELCOMERS_PER_1000: Final = 3
PACKS: Final = (8, 60)


def play(world: World, draw: Random, cast: Cast) -> None:
    """Starts the givers of a plan."""
    thousands = len(world.people) / 1000
    for _ in range(round(COUPLES_PER_1000 * thousands)):
        couple = cast.others(2)
        cast.innocent("couple", *couple)
        world.start(_circle(world, draw, couple, COUPLE_GIFTS))
    for _ in range(round(FRIENDS_PER_1000 * thousands)):
        friends = cast.others(draw.randint(*FRIENDS))
        cast.innocent("friends", *friends)
        world.start(_circle(world, draw, friends, FRIEND_GIFTS))
    for giver in cast.honest("prize_giver", round(PRIZE_GIVERS_PER_1000 * thousands)):
        world.start(_prize_giver(world, draw, giver))
    for giver in cast.honest("starter_packs", round(WELCOMERS_PER_1000 * thousands)):
        world.start(_welcomer(world, draw, giver))


def _circle(world: World, draw: Random, circle: list[Person], gifts: tuple[int, int]) -> Process:
    """Gifts within a circle, each from one that is drawn to another (`mutual`)."""
    generosity = draw.uniform(*GENEROSITY)
    start_s = max(person.created_at_s for person in circle) + draw.uniform(0, DAY_S)
    count = int(draw.uniform(*gifts) * world.scale)
    for at_s in over_days(draw, circle[0].rhythm, (start_s, world.end_s), count):
        yield at_s
        giver, receiver = draw.sample(circle, 2)
        if giver.is_gone or receiver.is_gone:
            continue
        if draw.random() < 0.45:
            deals.give(world, giver, receiver, deals.some_gold(draw, giver, generosity))
        else:
            deals.give(world, giver, receiver, 0, deals.some_goods(draw, giver, 12))
        if draw.random() < 0.3:
            world.acquaint(giver, receiver)


def _prize_giver(world: World, draw: Random, giver: Person) -> Process:
    """Contests of which the winners get gold or things, all within an hour (`fan_out`)."""
    start_s = giver.created_at_s + draw.uniform(0, 3 * DAY_S)
    for at_s in over_days(draw, giver.rhythm, (start_s, world.end_s), draw.randint(*CONTESTS)):
        yield at_s
        # the game pays into the pot, as it does for events that it likes
        world.adjust(giver, draw.randint(100, 2_000), (), AdjustmentReason.REWARD, f"contest {draw.randint(1, 99)}")
        yield at_s + draw.uniform(300, 7_200)
        winners = draw.randint(*WINNERS)
        pot = deals.some_gold(draw, giver, 0.8)
        thing = deals.some_goods(draw, giver, 3)
        for place in range(1, winners + 1):
            yield world.now_s + draw.uniform(8, 150)
            winner = world.anybody(draw, giver)
            if winner:
                deals.give(world, giver, winner, pot // (place + 2), thing if place % 2 else ())


def _welcomer(world: World, draw: Random, giver: Person) -> Process:
    """The same pack for each newcomer that is met, some gold and some of a thing (`fan_out`)."""
    start_s = giver.created_at_s + draw.uniform(0, DAY_S)
    packs = int(draw.uniform(*PACKS) * world.scale)
    newcomers = [person for person in world.people if start_s < person.created_at_s + DAY_S < world.end_s]
    chosen = sorted(draw.sample(newcomers, min(packs, len(newcomers))), key=lambda person: person.created_at_s)
    pack: tuple[int, tuple[tuple[int, int], ...]] | None = None
    for newcomer in chosen:
        yield max(newcomer.created_at_s, start_s) + draw.uniform(0.05, 6) * HOUR_S
        if newcomer.holdings is None or newcomer.is_gone:
            continue
        if pack is None:
            pack = max(1, deals.some_gold(draw, giver, 0.06)), deals.some_goods(draw, giver, 10)
        deals.give(world, giver, newcomer, *pack)
