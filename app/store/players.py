"""Players of a realm."""

from collections.abc import Sequence
from typing import Any, Final

from redis import Redis

from app.domain import Creation, NewPlayer, Player
from app.errors import AccountClosed, ExternalIdTaken, IdempotencyMismatch
from app.store.client import store_errors
from app.store.functions import Functions, in_calls
from app.store.keys import Keys
from app.store.layout import digest_of_creation, encode, fingerprint, read_player, read_player_or_none

_OFFERS_A_CALL: Final = 50


class Players:
    """Creates players, finds, renames and forgets them."""

    def __init__(self, client: Redis, keys: Keys, functions: Functions) -> None:
        self._client = client
        self._keys = keys
        self._functions = functions

    def create(self, new: NewPlayer, drawn: str = "") -> Creation | None:
        """Creates the player, of the class `drawn` if it asks for none; O(1) at any number of players.

        None if there is no such class.
        Raises IdempotencyMismatch if the name of the command was used
        for another one, and ExternalIdTaken.
        """
        named = digest_of_creation(new), fingerprint(new)
        arguments = (new.username or "", new.player_class or drawn, new.external_id or "", *named)
        status, *rest = self._functions.decide("create_player", *arguments)
        match status:
            case b"unknown_class":
                return None
            case b"mismatch":
                raise IdempotencyMismatch(new.key or "")
            case b"external_id_taken":
                raise ExternalIdTaken(new.external_id or "", int(rest[0]))
        return Creation(read_player(*rest), is_replayed=status == b"replayed")

    def rename(self, player_id: int, username: str) -> Player | None:
        """Gives a player another username; None if there is no such player. Raises AccountClosed."""
        status, *rest = self._functions.decide("rename_player", player_id, username)
        if status == b"closed":
            raise AccountClosed(player_id)
        return None if status == b"unknown" else read_player(*rest)

    def forget(self, player_id: int) -> Player | None:
        """Removes a player's names and closes its account; the player as it is then, None if there is none.

        Some of its open offers are ended at once, the relay sees to the rest (`close_accounts`).
        """
        status, *rest = self._functions.decide("forget_player", player_id, _OFFERS_A_CALL)
        return None if status == b"unknown" else read_player(*rest)

    def close_accounts(self, most_offers: int) -> bool:
        """Ends so many open offers of closed accounts; says whether more are left."""
        return bool(self._functions.call("close_accounts", most_offers))

    def find(self, player_id: int) -> Player | None:
        """The player's state, or None if there is no such player."""
        return self._found([player_id])[0]

    def find_external(self, external_id: str) -> Player | None:
        """The player that the game calls so, or None."""
        player_id = self._functions.call("external", external_id)
        return None if player_id is None else self.find(int(player_id))

    def page(self, after: int, limit: int) -> list[Player]:
        """At most `limit` players in the order of their ids, those with an id above `after`."""
        with store_errors():
            count: Any = self._client.get(self._keys.player_count)
        ids = range(after + 1, min(after + limit, int(count or 0)) + 1)
        found = (player for part in in_calls(ids) for player in self._found(part))
        return [player for player in found if player]

    def _found(self, ids: Sequence[int]) -> list[Player | None]:
        found = self._functions.call("players", encode(list(ids)))
        return [read_player_or_none(*pair) for pair in zip(found[::2], found[1::2], strict=True)]
