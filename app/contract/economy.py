"""The economy of a game: which items exist, which classes players are drawn from, and what a class starts with.

It is read from TOML: the file of ECONOMY_FILE, or economy.toml beside this module, the reference. The engine publishes
it to its realm; from then on the realm's catalog is what counts (app/store/catalog.py), and jobs ask the engine for it.
"""

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from app.contract.limits import (
    MAX_CAPACITY,
    MAX_CLASS_ITEMS,
    MAX_CLASSES,
    MAX_ITEM_VALUE,
    MAX_ITEMS,
    Amount,
    Id,
    Quantity,
    Username,
)

_Capacity = Annotated[int, Meta(ge=1, le=MAX_CAPACITY)]
_Small = Annotated[int, Meta(ge=0, le=1_000_000)]
_Version = Annotated[int, Meta(ge=1, le=1_000_000_000)]


class Item(Struct, frozen=True):
    """A kind of item; `value` is the gold value of one unit."""

    item_id: int
    name: str
    level: int
    value: int


class PlayerClass(Struct, frozen=True):
    """A player class; `weight` is its share of random draws, `items` maps item_id to starting units."""

    name: str
    weight: int
    gold: int
    items: dict[int, int]


class Economy(Struct, frozen=True):
    """One version of an economy: items by id, classes by name.

    `max_capacity`: item units that a new player can carry.
    """

    version: int
    max_capacity: int
    items: dict[int, Item]
    classes: dict[str, PlayerClass]

    @property
    def digest(self) -> str:
        """What tells its content from others'."""
        return hashlib.blake2b(msgspec.json.encode(self), digest_size=6).hexdigest()


class BadEconomy(ValueError):
    """A file that holds no economy: `problems` says each mistake with its place."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def reference_economy() -> Economy:
    """The economy that is played unless another is given."""
    return read_economy(files("app.contract").joinpath("economy.toml").read_text())


# ---------------------------------------------------------------- reading


class _ItemTable(Struct, frozen=True, forbid_unknown_fields=True):
    id: Id
    name: Username
    level: _Small
    value: Annotated[int, Meta(ge=0, le=MAX_ITEM_VALUE)]


class _ClassTable(Struct, frozen=True, forbid_unknown_fields=True):
    name: Username
    weight: _Small
    gold: Amount
    items: Annotated[dict[int, Quantity], Meta(max_length=MAX_CLASS_ITEMS)]


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    version: _Version
    max_capacity: _Capacity
    items: Annotated[list[Any], Meta(min_length=1, max_length=MAX_ITEMS)]
    classes: Annotated[list[Any], Meta(min_length=1, max_length=MAX_CLASSES)]


def read_economy(text: str) -> Economy:
    """The economy that a TOML text holds; raises BadEconomy, which names all mistakes."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadEconomy([f"this is not TOML: {error}"]) from None
    try:
        whole = msgspec.convert(raw, _File)
    except msgspec.ValidationError as error:
        raise BadEconomy([str(error)]) from None
    reading = _Reading(text)
    items = list(reading.tables("items", whole.items, _ItemTable))
    classes = list(reading.tables("classes", whole.classes, _ClassTable))
    reading.check_items(items)
    reading.check_classes(classes, {item.id for _, item in items}, whole.max_capacity)
    if reading.problems:
        raise BadEconomy(reading.problems)
    return Economy(
        whole.version,
        whole.max_capacity,
        {item.id: Item(item.id, item.name, item.level, item.value) for _, item in items},
        {each.name: PlayerClass(each.name, each.weight, each.gold, each.items) for _, each in classes},
    )


class _Reading:
    """Finds the mistakes of a text, each with its place."""

    def __init__(self, text: str) -> None:
        self.problems: list[str] = []
        self._lines = {
            name: [
                n for n, line in enumerate(text.splitlines(), start=1) if re.match(rf"\s*\[\[\s*{name}\s*\]\]", line)
            ]
            for name in ("items", "classes")
        }

    def tables(self, name: str, raw: Sequence[Any], kind: Any) -> Iterator[tuple[str, Any]]:
        """Each table that fits its shape, with its place."""
        for number, table in enumerate(raw):
            place = self._place(name, number, table)
            try:
                yield place, msgspec.convert(table, kind, str_keys=True)
            except msgspec.ValidationError as error:
                self.problems.append(f"{place}: {error}")

    def _place(self, name: str, number: int, table: Any) -> str:
        lines = self._lines[name]
        line = f"line {lines[number]}, " if number < len(lines) else ""
        called = table.get("name") if isinstance(table, Mapping) else None
        return f"{line}{name}[{number}]" + (f" ({called})" if isinstance(called, str) else "")

    def _check_once(self, places: Sequence[tuple[str, Any]], what: str) -> None:
        times = Counter(value for _, value in places)
        for place, value in places:
            if times[value] > 1:
                first = next(other for other, same in places if same == value)
                if first != place:
                    self.problems.append(f"{place}: {what} {value!r} stands before at {first}")

    def check_items(self, items: Sequence[tuple[str, _ItemTable]]) -> None:
        """Each id and each name once."""
        self._check_once([(place, item.id) for place, item in items], "the id")
        self._check_once([(place, item.name) for place, item in items], "the name")

    def check_classes(self, classes: Sequence[tuple[str, _ClassTable]], item_ids: set[int], max_capacity: int) -> None:
        """Each name once; what they start with exists and can be carried; one at least is drawn."""
        self._check_once([(place, each.name) for place, each in classes], "the class")
        for place, each in classes:
            for item_id in each.items.keys() - item_ids:
                self.problems.append(f"{place}: it starts with item {item_id}, which is not among the items")
            if sum(each.items.values()) > max_capacity:
                units = sum(each.items.values())
                self.problems.append(
                    f"{place}: it starts with {units:,} units, more than max_capacity {max_capacity:,}"
                )
        if classes and not any(each.weight for _, each in classes):
            self.problems.append("classes: one at least must have a weight above 0, or no class can be drawn")
