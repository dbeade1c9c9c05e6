"""A plan of play: everything that happens in a game of some weeks, drawn from a seed, with the truth about who cheats.

The same economy and setting give the same plan, byte for byte, whoever carries it out and however.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from types import ModuleType
from typing import Final, NamedTuple

from app.contract.economy import Economy
from app.errors import HaggleError
from jobs.economy.behaviours.acts import Act
from jobs.economy.behaviours.cast import Cast, Instance
from jobs.economy.behaviours.cheats import (
    account_theft,
    botting,
    duplication,
    gold_selling,
    price_manipulation,
    wash_trading,
)
from jobs.economy.behaviours.clock import DAY_S
from jobs.economy.behaviours.honest import (
    bargainers,
    errands,
    givers,
    guilds,
    keepers,
    leavers,
    merchants,
    newcomers,
    regulars,
)
from jobs.economy.behaviours.people import Person, draw_people
from jobs.economy.behaviours.world import Process, World
from jobs.economy.log import Cheat, Innocent, Label

CHEATS: Final[dict[Cheat, ModuleType]] = {
    Cheat.WASH_TRADING: wash_trading,
    Cheat.GOLD_SELLING: gold_selling,
    Cheat.PRICE_MANIPULATION: price_manipulation,
    Cheat.DUPLICATION: duplication,
    Cheat.BOTTING: botting,
    Cheat.ACCOUNT_THEFT: account_theft,
}
EVASIVE_SHARE: Final = 1 / 3
"""Of the instances of a cheat."""
_USUAL_TRADES: Final = 70_000
_LEAST_SCALE: Final = 0.1
_MOST_SCALE: Final = 2.0
_SETTLES_IN_S: Final = 0.5 * DAY_S
"""A cheat begins once its accounts have been there for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What to plan. `trades` is about how many are decided, `prevalence` the share of players that are to be found."""

    players: int = 2_500
    trades: int = 70_000
    days: int = 28
    prevalence: float = 0.02
    seed: int = 1

    def __post_init__(self) -> None:
        if self.players < 2 or self.days < 2:
            raise HaggleError("a plan needs two players and two days at least")
        if not 0 <= self.prevalence <= 0.5:
            raise HaggleError("the prevalence is a share of the players, from 0 to 0.5")


class Plan(NamedTuple):
    """What happens, in the order of virtual time, and the truth about it: by the players' numbers in the plan."""

    acts: list[Act]
    labels: list[Label]
    innocents: list[Innocent]


def plan(economy: Economy, setting: Setting) -> Plan:
    """Draws a plan."""
    seed, days = setting.seed, setting.days
    people = draw_people(economy, _draw(seed, "people"), setting.players, days)
    scale = min(_MOST_SCALE, max(_LEAST_SCALE, setting.trades / _USUAL_TRADES))
    world = World(economy, people, days * DAY_S, scale)
    cast = Cast(people, _draw(seed, "cast"))
    world.start(_arrivals(world, seed))
    _start_cheats(world, cast, setting)
    for behaviour in (merchants, givers, guilds, keepers, regulars, leavers, newcomers):
        behaviour.play(world, _draw(seed, behaviour.__name__.rpartition(".")[2]), cast)
    world.start(errands.play(world, _draw(seed, "errands"), setting.trades, days))
    world.start(bargainers.play(world, _draw(seed, "bargainers"), setting.trades, days))
    world.run()
    return Plan(world.acts, sorted(cast.labels, key=lambda label: label.player_id), _once(cast.innocents))


def _draw(seed: int, name: str) -> Random:
    return Random(f"behaviours {seed} {name}")


def _arrivals(world: World, seed: int) -> Process:
    for person in world.people:
        yield person.created_at_s
        world.create(person, f"{person.player_class}_{seed}_{person.number}")


def _once(innocents: list[Innocent]) -> list[Innocent]:
    """Each player and kind once: somebody may be the old friend of two."""
    return sorted(set(innocents), key=lambda innocent: (innocent.player_id, innocent.kind))


# ---------------------------------------------------------------- cheats


def _start_cheats(world: World, cast: Cast, setting: Setting) -> None:
    """Casts and starts cheats until so many players have a part in one, the six kinds about equally."""
    draw = _draw(setting.seed, "cheats")
    names = Counter[Cheat]()
    for cheat, size in _sizes(draw, round(setting.prevalence * setting.players)):
        module = CHEATS[cheat]
        names[cheat] += 1
        members: dict[str, list[Person]] = defaultdict(list)
        for role, person in zip(module.roles(draw, size), cast.accounts(size), strict=True):
            members[role].append(person)
        start_s = max(person.created_at_s for role in members.values() for person in role) + _SETTLES_IN_S
        window = min(start_s, 0.8 * world.end_s), world.end_s
        instance = Instance(f"{cheat}-{names[cheat]}", cheat, dict(members), draw.random() < EVASIVE_SHARE, window)
        cast.label(instance)
        module.play(world, draw, instance)


def _sizes(draw: Random, players: int) -> Iterator[tuple[Cheat, int]]:
    """Cheats and how many take part, so many players in all: always the kind that has the fewest by then."""
    labelled = Counter[Cheat]()
    while left := players - labelled.total():
        possible = [cheat for cheat, module in CHEATS.items() if module.SIZES[0] <= left]
        fewest = min(labelled[cheat] for cheat in possible)
        cheat = draw.choice([cheat for cheat in possible if labelled[cheat] == fewest])
        low, high = CHEATS[cheat].SIZES
        size = draw.randint(low, min(high, left))
        labelled[cheat] += size
        yield cheat, size
