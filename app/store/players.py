"""Players of a realm."""

from collections.abc import Sequence
from typing import Any

from redis import Redis

from app.contract.economy import CLASSES, MAX_CAPACITY
from app.domain import NewPlayer, Player
from app.store.client import store_errors
from app.store.functions import Functions, in_calls
from app.store.keys import Keys
from app.store.layout import encode, pack_units, read_player


class Players:
    """Creates players and finds them."""

    def __init__(self, client: Redis, keys: Keys, functions: Functions) -> None:
        self._client = client
        self._keys = keys
        self._functions = functions

    def create(self, new: NewPlayer) -> Player:
        """Creates the player; O(1) at any number of players."""
        start = CLASSES[new.player_class]
        arguments = (new.username or "", start.name, MAX_CAPACITY, start.gold, pack_units(dict(start.items)))
        _, packed = self._functions.decide("create_player", *arguments)
        return read_player(packed)

    def find(self, player_id: int) -> Player | None:
        """The player's state, or None if there is no such player."""
        return self._found([player_id])[0]

    def page(self, after: int, limit: int) -> list[Player]:
        """At most `limit` players in the order of their ids, those with an id above `after`."""
        with store_errors():
            count: Any = self._client.get(self._keys.player_count)
        ids = range(after + 1, min(after + limit, int(count or 0)) + 1)
        found = (player for part in in_calls(ids) for player in self._found(part))
        return [player for player in found if player]

    def _found(self, ids: Sequence[int]) -> list[Player | None]:
        found = self._functions.call("players", encode(list(ids)))
        return [read_player(packed) if packed else None for packed in found]
