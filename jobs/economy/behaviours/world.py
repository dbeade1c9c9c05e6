"""The world in which a plan is made: its clock, who is in it and what they do, act by act.

A behaviour is a process: a generator that yields the moment (`at_s`) at which it wants to go on, and acts when it is
its turn. Processes take turns in the order of virtual time, so acts come out in that order, each valid when it is made.
"""

import heapq
from collections.abc import Generator
from random import Random
from typing import Final, Literal

from app.contract.economy import Economy
from app.contract.reasons import AdjustmentReason
from jobs.economy.behaviours.acts import Act, Adjust, Create, EndOffer, Lines, MakeOffer, Side, Trade
from jobs.economy.behaviours.market import Market
from jobs.economy.behaviours.people import Person
from jobs.economy.behaviours.realm import Realm

Process = Generator[float, None, None]

_MEETINGS: Final = 6
"""How many people somebody looks at to find one that is here."""
_CURIOSITY: Final = 0.3
_LEAST_CURIOSITY: Final = 0.05


class World:
    """State of a plan in the making; `scale` is how busy it is beside 70,000 trades."""

    def __init__(self, economy: Economy, people: list[Person], end_s: float, scale: float) -> None:
        self.economy = economy
        self.people = people
        self.end_s = end_s
        self.scale = scale
        self.now_s = 0.0
        self.realm = Realm(economy)
        self.market = Market(economy)
        self.acts: list[Act] = []
        self.trades = 0
        self._offers = 0
        self._adjustments = 0
        self._queue: list[tuple[float, int, Process]] = []
        self._started = 0
        self._urn: list[Person] = []
        """Everyone who can be met, as often as they were met: who is known by many gets to know more."""

    # ---------------------------------------------------------------- time

    def start(self, process: Process) -> None:
        """Lets a process begin: up to its first moment it runs at once."""
        self._wait(process)

    def run(self) -> None:
        """Lets all processes act until the end."""
        while self._queue:
            at_s, _, process = heapq.heappop(self._queue)
            self.now_s = at_s
            self._wait(process)

    def _wait(self, process: Process) -> None:
        at_s = next(process, None)
        if at_s is not None and at_s < self.end_s:
            self._started += 1
            heapq.heappush(self._queue, (max(at_s, self.now_s), self._started, process))

    # ---------------------------------------------------------------- acts

    def create(self, person: Person, username: str) -> None:
        """The person comes into the game."""
        person.holdings = self.realm.create(person.number, person.player_class)
        self._urn.append(person)
        self.acts.append(Create(self.now_s, person.number, username, person.player_class))

    def trade(self, one: Side, two: Side) -> bool:
        """The two trade, or try to; whether it is accepted."""
        reason = self.realm.trade(one, two)
        self.trades += 1
        self.acts.append(Trade(self.now_s, self.trades, one, two, reason))
        return not reason

    def adjust(self, person: Person, gold: int, items: Lines, why: AdjustmentReason, reference: str) -> bool:
        """The game gives and takes, or tries to; whether it is accepted."""
        reason = self.realm.adjust(person.number, gold, items)
        self._adjustments += 1
        number = self._adjustments
        self.acts.append(Adjust(self.now_s, number, person.number, gold, items, why, reference, reason))
        return not reason

    def offer(self, one: Side, two: Side) -> int:
        """The first offers its side for the other; the offer's number, 0 if it is refused."""
        self._offers += 1
        reason = self.realm.offer(self._offers, one, two)
        self.acts.append(MakeOffer(self.now_s, self._offers, one, two, reason))
        return 0 if reason else self._offers

    def end_offer(self, offer: int, answer: Literal["accept", "decline", "cancel"], one: Side, two: Side) -> bool:
        """Answers an open offer; whether it has ended, which an acceptance that is refused does not do."""
        reason, number = "", 0
        if answer == "accept":
            self.trades += 1
            reason, number = self.realm.accept(offer), self.trades
        else:
            self.realm.close(offer)
        self.acts.append(EndOffer(self.now_s, number, offer, answer, one, two, reason))
        return not reason

    # ---------------------------------------------------------------- people

    def room(self, person: Person) -> int:
        """Item units that a person can take in."""
        return self.realm.capacity - person.has.units

    def meet(self, draw: Random, person: Person) -> Person | None:
        """Somebody to trade with who is here: an acquaintance, the rather the oftener they traded, or a new one.

        New ones are met the rather the better known they are (preferential attachment), which makes degrees scale-free.
        """
        curiosity = max(_LEAST_CURIOSITY, 1 / (1 + _CURIOSITY * len(person.known)))
        for _ in range(_MEETINGS):
            others = self._urn if draw.random() < curiosity or not person.partners else person.partners
            other = draw.choice(others)
            if other is not person and other.is_here(self.now_s):
                return other
        return None

    def anybody(self, draw: Random, person: Person) -> Person | None:
        """Somebody who is here, whether they know each other or not."""
        for _ in range(_MEETINGS):
            other = draw.choice(self._urn)
            if other is not person and other.is_here(self.now_s):
                return other
        return None

    def acquaint(self, one: Person, two: Person) -> None:
        """They have traded as people do who found each other, and may do so again."""
        for person, other in ((one, two), (two, one)):
            person.partners.append(other)
            person.known.add(other.number)
            self._urn.append(person)

    def advertise(self, person: Person, times: int) -> None:
        """Makes a person in the game easier to meet."""
        self._urn.extend([person] * times)
