"""Who is who: the truth about a plan.

Cheats are cast first, from all accounts alike; then the honest look-alikes, from those that are left. `labels` has
everyone in an instance of a cheat with its role, victims too; `innocents` has those who could be taken for one and are
none.
"""

from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from jobs.economy.behaviours.people import Person
from jobs.economy.log import Cheat, Innocent, Label


class Instance(NamedTuple):
    """A cheat that some accounts do together, from a moment on; `members` by role."""

    name: str
    cheat: Cheat
    members: dict[str, list[Person]]
    is_evasive: bool
    window: tuple[float, float]

    @property
    def everyone(self) -> list[Person]:
        """All members."""
        return [person for role in self.members.values() for person in role]


@dataclass
class Cast:
    """Draws people for roles, and keeps the truth."""

    people: list[Person]
    draw: Random
    labels: list[Label] = field(default_factory=list)
    innocents: list[Innocent] = field(default_factory=list)
    _labelled: set[int] = field(default_factory=set)
    _leading: set[int] = field(default_factory=set)
    """Who has a part that another would contradict, such as to leave."""

    def accounts(self, count: int) -> list[Person]:
        """Accounts for a cheat: any that has no part in another."""
        free = [person for person in self.people if person.number not in self._labelled]
        return self.draw.sample(free, count)

    def label(self, instance: Instance) -> None:
        """Writes down who is to be found."""
        for role, persons in instance.members.items():
            for person in persons:
                self._labelled.add(person.number)
                self.labels.append(
                    Label(person.number, instance.cheat, role, instance.name, evasive=instance.is_evasive)
                )

    def honest(self, kind: str, count: int) -> list[Person]:
        """Honest people who have a part of this kind, each with no other such part."""
        chosen = self.reserve(count)
        self.innocent(kind, *chosen)
        return chosen

    def reserve(self, count: int) -> list[Person]:
        """Honest people for a part that not all of them may come to play."""
        taken = self._labelled | self._leading
        free = [person for person in self.people if person.number not in taken]
        chosen = self.draw.sample(free, min(count, len(free)))
        self._leading.update(person.number for person in chosen)
        return chosen

    def has_part(self, person: Person) -> bool:
        """Whether a person has a part for which it must stay."""
        return person.number in self._leading

    def others(self, count: int) -> list[Person]:
        """Anybody, cheats and honest alike, as they are everybody's acquaintances."""
        return self.draw.sample(self.people, min(count, len(self.people)))

    def innocent(self, kind: str, *persons: Person) -> None:
        """Writes down who could be taken for a cheat and is none; cheats themselves are not."""
        self.innocents += [Innocent(each.number, kind) for each in persons if each.number not in self._labelled]
