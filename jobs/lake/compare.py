"""Compares what Redis says of players with what the events say, each at the version that was read.

Players change while they are read. So the book stands at an event before the first was read, and what came after it,
the `tail`, is added change by change, up to the version that was read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from jobs.lake.book import GOLD, UNKNOWN, Amounts, Book, Change, InRedis, Player, add

Tail = Mapping[int, Sequence[Change]]
"""The changes after the book's event by player, in the order of their versions."""

_NOBODY: Final = Player()


@dataclass(slots=True)
class Compared:
    """What the comparison found: amounts and versions that differ, and holds that differ, in words.

    `pending` players have changes that the lake has not yet; `adopted` ones were touched by an accepted loss, and have
    their items from Redis; `created` ones are known from Redis alone, by their class.
    """

    amounts: int = 0
    held_amounts: int = 0
    differences: list[str] = field(default_factory=list)
    held_differences: list[str] = field(default_factory=list)
    pending: int = 0
    adopted: int = 0
    lost_versions: int = 0
    created: list[str] = field(default_factory=list)


class Comparison:
    """Compares player by player. `is_behind`: the lake has not come to the event after which the reading ended."""

    def __init__(self, book: Book, tail: Tail, *, is_behind: bool) -> None:
        self._book = book
        self._tail = tail
        self._is_behind = is_behind
        self.found = Compared()

    def compare(self, in_redis: Mapping[int, InRedis]) -> Compared:
        """Compares all players, also those that only one side knows."""
        for player_id in sorted(in_redis.keys() | self._book.players.keys()):
            if found := in_redis.get(player_id):
                self._compare(player_id, found)
            else:
                self.found.differences.append(f"player {player_id} is not in Redis")
        return self.found

    def _compare(self, player_id: int, found: InRedis) -> None:
        player = self._book.players.get(player_id, _NOBODY)
        changes = [change for change in self._tail.get(player_id, ()) if change.version <= found.version]
        versions = dict.fromkeys(change.version for change in changes)
        if [player.version, *versions] != list(range(player.version, found.version + 1)):
            self._compare_version(player_id, player, changes, found)
        elif player.unproved:
            self._compare_totals(player_id, player, changes, found)
        else:
            owned = _sum(player.items | {GOLD: player.gold}, ((item.item_id, item.amount) for item in changes))
            held = _sum(player.held, ((item.item_id, item.held) for item in changes))
            self.found.differences += _differences(player_id, found.owned, owned)
            self.found.held_differences += _differences(player_id, found.held, held)
            self.found.amounts += len(found.owned)
            self.found.held_amounts += len(found.held)

    def _compare_version(self, player_id: int, player: Player, changes: Sequence[Change], found: InRedis) -> None:
        """The changes do not lead to the version that was read."""
        versions = sorted({change.version for change in changes})
        newest = versions[-1] if versions else player.version
        lost_before = versions[0] if versions else found.version + 1
        rest = list(range(lost_before, found.version + 1))
        if self._is_behind and found.version > newest:
            self.found.pending += 1
        elif lost_before > player.version + 1 and versions == rest and self._book.lost_after(player.sequence):
            self._adopt_lost(player_id, player, changes, found)
        elif newest != found.version:
            text = f"player {player_id} has version {found.version:,} in Redis, and {newest:,} by the events"
            self.found.differences.append(text)
        else:
            text = f"player {player_id}: versions between {player.version:,} and {newest:,} are missing"
            self.found.differences.append(text)

    def _adopt_lost(self, player_id: int, player: Player, changes: Sequence[Change], found: InRedis) -> None:
        """What led to the player's state was lost, and no later state is in the book: Redis is all that there is."""
        before = changes[0].version - 1 if changes else found.version
        self.found.adopted += 1
        self.found.lost_versions += before - player.version
        if not player.version:
            self.found.created.append(found.player_class)
        owned = _sum(found.owned, ((change.item_id, -change.amount) for change in changes))
        gold = owned.pop(GOLD, 0)
        adopted = Player(
            version=before,
            sequence=self._book.sequence,
            gold=gold,
            item_units=sum(owned.values()),
            distinct_items=len(owned),
            item_value=self._book.value_of(owned),
            items=owned,
            held=_sum(found.held, ((change.item_id, -change.held) for change in changes)),
        )
        self._book.put(player_id, adopted)

    def _compare_totals(self, player_id: int, player: Player, changes: Sequence[Change], found: InRedis) -> None:
        """Touched by a loss: gold and the totals of items follow from states; the items are those of Redis."""
        owned = _sum(found.owned, ((change.item_id, -change.amount) for change in changes))
        held = _sum(found.held, ((change.item_id, -change.held) for change in changes))
        items = {item_id: amount for item_id, amount in owned.items() if item_id != GOLD}
        if player.item_value == UNKNOWN:
            player.item_value = self._book.value_of(items)
        in_redis = (owned.get(GOLD, 0), sum(items.values()), len(items), self._book.value_of(items))
        if in_redis != player.totals or min(items.values(), default=1) < 1:
            names = "gold, item units, distinct items and item value"
            self.found.differences.append(
                f"player {player_id}'s {names}: {in_redis} by Redis, {player.totals} by events"
            )
            return
        self.found.adopted += 1
        if player_id in self._book.uncreated:
            self.found.created.append(found.player_class)
        player.items, player.held, player.unproved = items, held, False
        self._book.put(player_id, player)


def tail_of(rows: Iterable[Sequence[Any]]) -> dict[int, list[Change]]:
    """The tail, of the rows of audit/changes."""
    tail: dict[int, list[Change]] = {}
    for player_id, *change in rows:
        tail.setdefault(player_id, []).append(Change(*change))
    return tail


def _sum(amounts: Amounts, more: Iterable[tuple[int, int]]) -> Amounts:
    total = {item_id: amount for item_id, amount in amounts.items() if amount}
    for item_id, amount in more:
        add(total, {item_id: amount})
    return total


def _differences(player_id: int, in_redis: Amounts, replayed: Amounts) -> list[str]:
    keys = sorted(key for key in in_redis.keys() | replayed.keys() if in_redis.get(key, 0) != replayed.get(key, 0))
    return [
        f"player {player_id}'s {'gold' if key == GOLD else f'item {key}'}: {in_redis.get(key, 0):,} in Redis, "
        f"{replayed.get(key, 0):,} by the events"
        for key in keys
    ]
