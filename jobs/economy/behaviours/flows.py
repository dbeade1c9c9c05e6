"""How value flows between accounts: the typologies of AMLSim and AMLGentex, by their names.

A flow is what goes from whom to whom, in layers: all edges of a layer before those of the next.

| pattern | edges |
| --- | --- |
| `fan_out` | one to many |
| `fan_in` | many to one |
| `mutual` | two, both ways in turn |
| `cycle` | each to the next, the last to the first |
| `random` | a walk: who has received gives on, to anybody |
| `bipartite` | everyone of one group to everyone of another |
| `stack` | bipartite twice: a group to a second, and that to a third |
| `scatter_gather` | one to many, and these to one |
| `gather_scatter` | many to one, and this to many |
"""

from collections.abc import Sequence
from random import Random

from jobs.economy.behaviours.people import Person

Edge = tuple[Person, Person]
Group = Sequence[Person]
Layers = list[list[Edge]]


def fan_out(source: Person, targets: Group) -> Layers:
    """One to many."""
    return [[(source, target) for target in targets]]


def fan_in(sources: Group, target: Person) -> Layers:
    """Many to one."""
    return [[(source, target) for source in sources]]


def mutual(one: Person, two: Person) -> Layers:
    """There and back."""
    return [[(one, two)], [(two, one)]]


def cycle(members: Group) -> Layers:
    """Each to the next, and the last to the first."""
    return [[(member, members[(place + 1) % len(members)])] for place, member in enumerate(members)]


def walk(draw: Random, members: Group, steps: int) -> Layers:
    """`random`: the first gives, and each who has received gives on to another that is drawn."""
    layers: Layers = []
    holder = members[0]
    for _ in range(steps):
        target = draw.choice([member for member in members if member is not holder])
        layers.append([(holder, target)])
        holder = target
    return layers


def bipartite(sources: Group, targets: Group) -> Layers:
    """Everyone of a group to everyone of another."""
    return [[(source, target) for source in sources for target in targets]]


def stack(sources: Group, middle: Group, targets: Group) -> Layers:
    """A group to a second, and that to a third."""
    return bipartite(sources, middle) + bipartite(middle, targets)


def scatter_gather(source: Person, middle: Group, target: Person) -> Layers:
    """One to many, and these to one."""
    return fan_out(source, middle) + fan_in(middle, target)


def gather_scatter(sources: Group, middle: Person, targets: Group) -> Layers:
    """Many to one, and this to many."""
    return fan_in(sources, middle) + fan_out(middle, targets)
