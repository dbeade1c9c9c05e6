"""What things cost: ideas of prices that people have, and how they learn from each deal and from what they hear.

A price is told as the logarithm of itself over the list's value ("level": 0 is the list, 0.1 some ten per cent above).
Each item has a trend, which wanders from day to day around the list, and a quote, which is what recent deals come to.
"""

import math
from random import Random
from typing import Final

from app.contract.economy import Economy
from jobs.economy.behaviours.people import Person

_HEARSAY: Final = 0.08
"""How far an idea comes towards the quote each time it is used."""
_REASON: Final = 0.04
"""And towards the trend."""
_LEARNING: Final = 0.25
"""How far both come towards the price of their deal."""
_GIVING_WAY: Final = 0.15
"""And towards each other if they do not agree."""
_QUOTE_WEIGHT: Final = 0.03
_LOUDEST: Final = 1.2
"""How far a single deal can be from the quote and still be heard in full."""
_NEED: Final = (0.06, 0.07)
"""How much more than their idea people pay, and how much less they take, for wanting the deal: mean, spread."""
_FORGETTING: Final = 0.25
_TREND_RETURN: Final = 0.12
_TREND_STEP: Final = 0.025


class Market:
    """Trend and quote of each item, and the deals of people who have ideas of both."""

    def __init__(self, economy: Economy) -> None:
        self.values = {item.item_id: item.value for item in economy.items.values()}
        self.trend = dict.fromkeys(self.values, 0.0)
        self.quote = dict.fromkeys(self.values, 0.0)

    def next_day(self, draw: Random) -> None:
        """The trends wander on, and what was paid yesterday is forgotten a little."""
        for item, trend in self.trend.items():
            self.trend[item] = trend * (1 - _TREND_RETURN) + draw.gauss(0, _TREND_STEP)
            self.quote[item] += _FORGETTING * (self.trend[item] - self.quote[item])

    def total(self, item: int, units: int, level: float) -> int:
        """Gold for so many units at a level; at least 1."""
        return max(1, round(units * self.values[item] * math.exp(level)))

    def belief(self, draw: Random, person: Person, item: int) -> float:
        """The level at which a person thinks an item stands."""
        quote, trend = self.quote[item], self.trend[item]
        idea = person.beliefs.get(item)
        if idea is None:
            idea = 0.6 * quote + 0.4 * trend + draw.gauss(0, person.error)
        else:
            idea += _HEARSAY * (quote - idea) + _REASON * (trend - idea)
        person.beliefs[item] = idea
        return idea

    def agree(self, draw: Random, buyer: Person, seller: Person, item: int) -> float | None:
        """The level on which two agree, in the middle between what they would pay and take; None if they do not."""
        bid_idea, ask_idea = self.belief(draw, buyer, item), self.belief(draw, seller, item)
        bid, ask = bid_idea + draw.gauss(*_NEED), ask_idea - draw.gauss(*_NEED)
        if bid < ask:
            buyer.beliefs[item] = bid_idea + _GIVING_WAY * (ask_idea - bid_idea)
            seller.beliefs[item] = ask_idea - _GIVING_WAY * (ask_idea - bid_idea)
            return None
        return (bid + ask) / 2

    def takes(self, draw: Random, person: Person, item: int, level: float, *, as_buyer: bool) -> bool:
        """Whether a person takes a price that another names."""
        idea, need = self.belief(draw, person, item), draw.gauss(*_NEED)
        is_taken = level <= idea + need if as_buyer else level >= idea - need
        if not is_taken:
            person.beliefs[item] = idea + _GIVING_WAY * (level - idea)
        return is_taken

    def done(self, item: int, level: float, *parties: Person) -> None:
        """A deal at this level: its parties learn from it, and others hear of it."""
        for person in parties:
            idea = person.beliefs.get(item, level)
            person.beliefs[item] = idea + _LEARNING * (level - idea)
        quote = self.quote[item]
        self.quote[item] = quote + _QUOTE_WEIGHT * max(-_LOUDEST, min(_LOUDEST, level - quote))
