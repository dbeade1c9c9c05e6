"""What each player holds by the events alone: kept by the audit while it goes through them, part after part.

Each state that an event lists must follow from the one before it and from what was traded. Where an accepted loss lies
between two states of a player, the second cannot follow from the first; its gold and the totals of its items are taken
from that state, and the items themselves from Redis, if they add up to these totals (compare.py).

A new version of the catalog changes what items are worth, so where one was published, the value of what each player
holds is reckoned anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

from msgspec import Struct

GOLD: Final = 0

Amounts = dict[int, int]
"""Amount by item_id, GOLD for gold; what is zero is left out."""

UNKNOWN: Final = -1
"""The value of items that are not all known, after it has changed."""


class Range(Protocol):
    """A range of sequence numbers."""

    @property
    def first(self) -> int:
        """The first one."""

    @property
    def last(self) -> int:
        """The last one."""


class Player(Struct):
    """A player after the event `sequence`. `unproved`: not all of its items and holds follow from events."""

    version: int = 0
    sequence: int = 0
    gold: int = 0
    item_units: int = 0
    distinct_items: int = 0
    item_value: int = 0
    items: Amounts = {}
    held: Amounts = {}
    unproved: bool = False

    @property
    def totals(self) -> tuple[int, int, int, int]:
        """What each state lists of the player as a whole."""
        return self.gold, self.item_units, self.distinct_items, self.item_value


class InRedis(Struct):
    """A player as it was read from Redis through the engine, at its version."""

    player_class: str
    version: int
    owned: Amounts
    held: Amounts


class Change(Struct):
    """What changed of one thing when a player came to a version."""

    version: int
    item_id: int
    amount: int
    held: int


class Book:
    """The players up to the event `sequence`, and in `broken`, in words, the states that do not follow.

    `unlinked` are players some of whose states or items do not follow; which ones, another query names.
    `changed` are the players that changed since the book was opened, `supply` is what the game brought in, less what it
    took, and `missing_versions` counts the states that went with accepted losses, `uncreated` are players whose
    creation did.
    """

    def __init__(
        self,
        players: Mapping[int, Player],
        losses: Sequence[Range],
        sequence: int,
        values: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        """`values`: what a unit of each item is worth at the event `sequence`."""
        self.players = dict(players)
        self._losses = losses
        self.sequence = sequence
        self._values = values
        self.changed: set[int] = set()
        self.states = 0
        self.missing_versions = 0
        self.uncreated: set[int] = set()
        self.supply: Amounts = {}
        for player in players.values():
            add(self.supply, player.items | {GOLD: player.gold})
        self.broken: list[str] = []
        self.unlinked: set[int] = set()
        self.unlinked_items: set[int] = set()

    # ------------------------------------------------------------ going through the events

    def follow(
        self, until: int, states: Iterable[dict[str, Any]], items: Iterable[dict[str, Any]], holds: Iterable[Any]
    ) -> None:
        """Goes through the next part, up to event `until`: rows of audit/states, audit/items and audit/holds."""
        self.sequence = until
        rows = list(states)
        for row in rows:
            self._follow_states(row)
        for row in items:
            self._follow_item(row)
        for player_id, item_id, change in holds:
            add(self.players.setdefault(player_id, Player()).held, {item_id: change})
            self.changed.add(player_id)
        for row in rows:
            self._check_totals(row["player_id"])

    def bring(self, amounts: Iterable[tuple[int, int]]) -> None:
        """Counts what the game brought in, less what it took: rows of audit/supply."""
        add(self.supply, dict(amounts))

    def revalue(self, values: Mapping[int, int]) -> None:
        """From the next event on, items are worth this."""
        self._values = values
        for player_id, player in self.players.items():
            player.item_value = UNKNOWN if player.unproved else self.value_of(player.items)
            self.changed.add(player_id)

    def value_of(self, items: Amounts) -> int:
        """The gold value of items; of one that is in no catalog, which nobody can hold, nothing."""
        return sum(self._values.get(item_id, 0) * amount for item_id, amount in items.items())

    def _follow_states(self, row: dict[str, Any]) -> None:
        player_id = row["player_id"]
        player = self.players.setdefault(player_id, Player())
        self.changed.add(player_id)
        self.states += row["states"]
        before = tuple(row[f"{name}_before"] for name in _TOTALS)
        if player.item_value == UNKNOWN:
            player.item_value = row["item_value_before"]
        if (row["first_version"] - 1, *before) != (player.version, *player.totals):
            if row["first_version"] - 1 > player.version and self.lost_between(player.sequence, row["first_sequence"]):
                self.missing_versions += row["first_version"] - 1 - player.version
                player.unproved = True
                if not player.version:
                    self.uncreated.add(player_id)
            else:
                self._name(player_id, row["first_version"], row["first_sequence"])
        if not row["follows"]:
            self.unlinked.add(player_id)
        player.version, player.sequence = row["version"], row["sequence"]
        for name in _TOTALS:
            setattr(player, name, row[name])

    def _follow_item(self, row: dict[str, Any]) -> None:
        player_id, item_id = row["player_id"], row["item_id"]
        player = self.players.setdefault(player_id, Player())
        if row["quantity_before"] != player.items.get(item_id, 0) and not player.unproved:
            self._name(player_id, player.version, player.sequence, what=f"item {item_id}")
        if not row["follows"]:
            self.unlinked_items.add(player_id)
        player.items.pop(item_id, None)
        add(player.items, {item_id: row["quantity"]})

    def _check_totals(self, player_id: int) -> None:
        player = self.players[player_id]
        listed = (sum(player.items.values()), len(player.items))
        if not player.unproved and listed != (player.item_units, player.distinct_items):
            self._name(player_id, player.version, player.sequence, what="the sum of its items")

    def _name(self, player_id: int, version: int, sequence: int, what: str = "") -> None:
        self.broken.append(broken_state(player_id, version, sequence, what))

    def put(self, player_id: int, player: Player) -> None:
        """Takes over what was found out otherwise."""
        self.players[player_id] = player
        self.changed.add(player_id)

    def lost_after(self, sequence: int) -> bool:
        """An accepted loss lies after the event."""
        return any(sequence < loss.last for loss in self._losses)

    def lost_between(self, sequence: int, next_sequence: int) -> bool:
        """An accepted loss lies between the two events."""
        return any(sequence < loss.last and loss.first < next_sequence for loss in self._losses)

    # ------------------------------------------------------------ comparing

    def held_amounts(self) -> Amounts:
        """What all players hold together."""
        total: Amounts = {}
        for player in self.players.values():
            add(total, player.items | {GOLD: player.gold})
        return total


def broken_state(player_id: int, version: int, sequence: int, what: str = "") -> str:
    """Names a state that does not follow, or `what` of it."""
    of_what = f"{what} of " if what else ""
    return f"{of_what}player {player_id} at version {version:,} (event {sequence:,})"


_TOTALS: Final = ("gold", "item_units", "distinct_items", "item_value")


def add(amounts: Amounts, more: Mapping[int, int]) -> None:
    """Adds in place; what comes to zero is left out."""
    for item_id, amount in more.items():
        total = amounts.get(item_id, 0) + amount
        if total:
            amounts[item_id] = total
        else:
            amounts.pop(item_id, None)
