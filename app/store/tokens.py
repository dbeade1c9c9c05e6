"""Tokens that are no longer good: those of a player that were issued before a moment."""

import time
from typing import Any

from redis import Redis

from app.store.client import store_errors
from app.store.keys import Keys


class Tokens:
    """Takes back tokens. Of each player that is one key, until all of those tokens have expired anyway."""

    def __init__(self, client: Redis, keys: Keys, token_ttl_s: int) -> None:
        self._client = client
        self._keys = keys
        self._token_ttl_s = token_ttl_s

    def revoke(self, player_id: int) -> None:
        """Takes back all tokens of the player that were issued until now."""
        with store_errors():
            self._client.set(self._keys.revoked(player_id), f"{time.time():.6f}", ex=self._token_ttl_s)

    def is_revoked(self, player_id: int, issued_at: float) -> bool:
        """Whether a token that was issued then (seconds since 1970) has been taken back."""
        with store_errors():
            revoked_at: Any = self._client.get(self._keys.revoked(player_id))
        return revoked_at is not None and issued_at <= float(revoked_at)
