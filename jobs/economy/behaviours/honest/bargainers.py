"""What nearly everybody does: meet somebody, agree on a price or not, and trade.

A day's encounters are shared out among all who are in the game by how much they play. Most are sales of one item for
gold near its value; some are barters, bundles, small gifts and mistakes that the engine refuses; some go by offers.
"""

from random import Random
from typing import Final

from jobs.economy.behaviours import deals
from jobs.economy.behaviours.acts import Side
from jobs.economy.behaviours.clock import DAY_S, HOUR_S, sessions
from jobs.economy.behaviours.deals import Sale, Sides
from jobs.economy.behaviours.people import Person
from jobs.economy.behaviours.world import Process, World

_PATIENCE: Final = 5
"""People somebody talks to before it gives up for now."""
_BARTERS: Final = 0.07
_BUNDLES: Final = 0.03
_KINDNESSES: Final = 0.025
_MISTAKES: Final = 0.018
_BY_OFFER: Final = 0.08
_HOPEFUL_OFFERS: Final = 0.06
"""Share of the talks without agreement that end with an offer all the same."""
_MOST_OF_PURSE: Final = 0.6
_LONGEST_WAIT_S: Final = 20 * HOUR_S


def play(world: World, draw: Random, trades: int, days: int) -> Process:
    """Has everybody meet and trade, day by day, so that the plan comes to about so many trades in all."""
    by_others = 0
    for day in range(days):
        yield day * DAY_S
        before = world.trades
        world.market.next_day(draw)
        share = max(0, trades - world.trades) // (days - day)
        encounters = max(share // 2, share - by_others)
        here = [person for person in world.people if not person.is_gone and person.created_at_s < (day + 1) * DAY_S]
        weights = [person.activity for person in here]
        counts: dict[Person, int] = {}
        for person in draw.choices(here, weights, k=encounters) if here else ():
            counts[person] = counts.get(person, 0) + 1
        progress = _Progress()
        for person, count in counts.items():
            world.start(_evening(world, draw, person, sessions(draw, person.rhythm, day, count), progress))
        yield (day + 1) * DAY_S - 1
        by_others = max(0, world.trades - before - progress.trades)


class _Progress:
    """How many trades the encounters of a day have come to."""

    trades = 0


def _evening(world: World, draw: Random, person: Person, times: list[float], progress: _Progress) -> Process:
    for at_s in times:
        yield at_s
        if person.holdings is not None and not person.is_gone:
            before = world.trades
            encounter(world, draw, person)
            progress.trades += world.trades - before


def encounter(world: World, draw: Random, person: Person) -> Sides | None:
    """Somebody looks for somebody to trade with; what both gave if they did.

    A trade that is refused, or an offer that will be declined, ends the search for now as well.
    """
    before = len(world.acts)
    for _ in range(_PATIENCE):
        other = world.meet(draw, person)
        sides = _deal(world, draw, person, other) if other else None
        if other and sides:
            world.acquaint(person, other)
        if len(world.acts) > before:
            return sides
    return None


def _deal(world: World, draw: Random, person: Person, other: Person) -> Sides | None:
    kind = draw.random()
    for share, do in _KINDS:
        if kind < share:
            return do(world, draw, person, other)
        kind -= share
    return _haggle(world, draw, person, other)


def _barter(world: World, draw: Random, person: Person, other: Person) -> Sides | None:
    done = deals.barter(world, draw, person, other)
    return (Side(person.number), Side(other.number)) if done else None


def _kindness(world: World, draw: Random, person: Person, other: Person) -> Sides | None:
    """A small gift to somebody: gold or some units."""
    gold = deals.some_gold(draw, person, 0.1) if draw.random() < 0.5 else 0
    items = () if gold else deals.some_goods(draw, person, 5)
    done = deals.give(world, person, other, gold, items)
    return (Side(person.number), Side(other.number)) if done else None


def _mistake(world: World, draw: Random, person: Person, other: Person) -> Sides | None:
    """Somebody overrates what it has, or what there is room for; the engine refuses."""
    (sides,) = draw.choices((_too_many, _too_dear, _too_much), (5, 4, 2))
    if found := sides(world, draw, person, other):
        world.trade(*found)
    return None


def _too_many(world: World, draw: Random, person: Person, other: Person) -> Sides | None:
    """More units than there are."""
    items = [item for item in person.has.items if world.market.values[item]]
    if not items:
        return None
    item = draw.choice(items)
    units = person.has.free(item) + draw.randint(1, 5)
    return Side(person.number, 0, ((item, units),)), Side(other.number, world.market.total(item, units, 0.0))


def _too_dear(world: World, draw: Random, person: Person, other: Person) -> Sides | None:
    """More gold than there is."""
    del world
    gold = person.has.purse + draw.randint(1, 200)
    return Side(person.number, gold), Side(other.number, 0, deals.some_goods(draw, other, 3))


def _too_much(world: World, draw: Random, person: Person, other: Person) -> Sides | None:
    """More units than there is room for."""
    units = world.room(person) + draw.randint(1, 5)
    items = [item for item in other.has.items if other.has.free(item) >= units]
    if not items:
        return None
    item = draw.choice(items)
    gold = min(person.has.purse, world.market.total(item, units, 0.0))
    return Side(person.number, gold), Side(other.number, 0, ((item, units),))


def _bundle(world: World, draw: Random, person: Person, other: Person) -> Sides | None:
    """Several items at once, for gold."""
    most_gold = int(other.has.purse * _MOST_OF_PURSE)
    items = deals.wares(world, person, other, most_gold // 2)
    if len(items) < 2:
        return None
    lines = tuple((item, min(draw.randint(1, 3), person.has.free(item))) for item in draw.sample(items, 2))
    gold = round(world.realm.value_of(lines) * draw.lognormvariate(0, 0.12))
    if gold > other.has.purse or world.room(other) < sum(units for _, units in lines):
        return None
    sides = Side(person.number, 0, lines), Side(other.number, gold)
    world.trade(*sides)
    return sides


_KINDS: Final = ((_BARTERS, _barter), (_BUNDLES, _bundle), (_KINDNESSES, _kindness), (_MISTAKES, _mistake))


def _haggle(world: World, draw: Random, person: Person, other: Person) -> Sides | None:
    """One item against gold, if they agree on its price."""
    buyer, seller = (person, other) if draw.random() < 0.5 else (other, person)
    items = deals.wares(world, seller, buyer, int(buyer.has.purse * _MOST_OF_PURSE))
    if not items:
        buyer, seller = seller, buyer
        items = deals.wares(world, seller, buyer, int(buyer.has.purse * _MOST_OF_PURSE))
    if not items:
        return None
    item = draw.choice(items)
    units = deals.units_for(world, draw, buyer, item)
    level = world.market.agree(draw, buyer, seller, item)
    if level is None:
        if draw.random() < _HOPEFUL_OFFERS:
            _offer_in_hope(world, draw, person, Sale(seller, buyer, item, units, person.beliefs[item]))
        return None
    if draw.random() < _BY_OFFER:
        sides = deals.sale_sides(world, Sale(seller, buyer, item, units, level))
        if sides is None:
            return None
        sides = _offerer_first(sides, person)
        world.start(_offer(world, draw, sides, "accept"))
    else:
        sides = deals.sell(world, draw, Sale(seller, buyer, item, units, level))
    if sides:
        world.market.done(item, level, buyer, seller)
    return sides


def _offer_in_hope(world: World, draw: Random, person: Person, sale: Sale) -> None:
    """An offer at what one thinks right, which the other does not: it is declined, or taken back."""
    sides = deals.sale_sides(world, sale)
    if sides:
        answer = "decline" if draw.random() < 0.65 else "cancel"
        world.start(_offer(world, draw, _offerer_first(sides, person), answer))


def _offerer_first(sides: tuple[Side, Side], person: Person) -> tuple[Side, Side]:
    return sides if sides[0].player == person.number else sides[::-1]


def _offer(world: World, draw: Random, sides: tuple[Side, Side], answer: str) -> Process:
    """An offer and its answer. One that can no longer be accepted is taken back."""
    number = world.offer(*sides)
    if not number:
        return
    at_s = world.now_s + min(draw.lognormvariate(5.5, 1.6), _LONGEST_WAIT_S)
    yield at_s
    if answer == "accept" and world.end_offer(number, "accept", *sides):
        return
    if answer == "accept":
        yield at_s + draw.uniform(30, 3_000)
    world.end_offer(number, "decline" if answer == "decline" else "cancel", *sides)
