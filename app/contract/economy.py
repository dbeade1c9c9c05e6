"""The economy: which items exist, which classes players are drawn from, and what a class starts with.

The engine (catalog, new players), the simulation (seeded draws) and the report (names) use it.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

MAX_CAPACITY: Final = 999
"""Item units that a new player can carry."""


@dataclass(frozen=True, slots=True)
class Item:
    """A kind of item; `value` is the gold value of one unit."""

    item_id: int
    name: str
    level: int
    value: int


@dataclass(frozen=True, slots=True)
class PlayerClass:
    """A player class; `weight` is its share of random draws, `items` maps item_id to starting units."""

    name: str
    weight: int
    gold: int
    items: MappingProxyType[int, int]


def _catalog(*rows: tuple[int, str, int, int]) -> MappingProxyType[int, Item]:
    return MappingProxyType({row[0]: Item(*row) for row in rows})


def _classes(*rows: tuple[str, int, int, dict[int, int]]) -> MappingProxyType[str, PlayerClass]:
    return MappingProxyType(
        {name: PlayerClass(name, weight, gold, MappingProxyType(items)) for name, weight, gold, items in rows}
    )


ITEMS: Final = _catalog(
    (1, "Suit of Iron Armor", 10, 50),
    (2, "Iron Sword", 10, 10),
    (3, "Healing Potion", 1, 5),
    (4, "Medicinal Herbs", 1, 1),
    (5, "Food Package", 1, 6),
    (6, "Milk", 1, 3),
    (7, "Venison", 1, 10),
    (8, "Leather", 1, 5),
    (9, "Cotton Clothing", 1, 5),
    (10, "Fancy Clothing", 1, 300),
    (11, "Trade Goods", 1, 5),
    (12, "Exotic Pet", 1, 10_000),
    (13, "Political Dirt", 1, 50_000),
    (14, "General Fancy Supplies", 1, 1_000),
    (15, "Crafted Leather Goods", 1, 500),
    (17, "Trade Document", 1, 50),
    (18, "Absurdly Expensive Status Item", 1, 100_000),
    (19, "Trophy of War", 1, 50),
    (20, "Proof of Loyalty", 1, 1_000_000),
)

CLASSES: Final = _classes(
    ("blacksmith", 2, 1_000, {1: 400, 2: 499}),
    ("alchemist", 2, 1_000, {3: 100, 4: 799}),
    ("farmer", 4, 500, {5: 500, 6: 399}),
    ("hunter", 4, 500, {7: 450, 8: 449}),
    ("tailor", 2, 1_000, {9: 700, 10: 199}),
    ("trader", 1, 50_000, {11: 880, 12: 19}),
    ("aristocrat", 1, 5_000_000, {13: 3, 14: 896}),
    ("leatherworker", 2, 1_000, {15: 899}),
    ("banker", 1, 10_000_000, {17: 100, 18: 799}),
    ("warrior", 1, 500, {19: 898, 20: 1}),
)
