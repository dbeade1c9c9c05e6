"""Rate limits per caller, counted in Redis so that all workers and engines share them."""

import time
from typing import Final, NamedTuple

from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis import Redis

from app.store.client import store_errors
from app.store.keys import Keys

WINDOW_S: Final = 60


class Allowance(NamedTuple):
    """What a caller may still send: `limit` in any window, `remaining` of it, `reset_s` until there is more."""

    limit: int
    remaining: int
    reset_s: int
    is_exceeded: bool


class Rates:
    """Counts requests, and their bytes, per caller. Raises Unavailable when Redis cannot serve it.

    A window slides: what was sent in the minute before counts by its share that is left. To refuse writes nothing.
    """

    def __init__(self, client: Redis, realm: str) -> None:
        storage = RedisStorage(
            "redis://", connection_pool=client.connection_pool, wrap_exceptions=False, key_prefix=Keys(realm).rates
        )
        self._limiter = SlidingWindowCounterRateLimiter(storage)

    def count(self, caller: str, limit: int) -> Allowance:
        """Counts one request of the caller against `limit` a minute."""
        return self._counted(caller, limit, 1)

    def count_bytes(self, caller: str, limit: int, size: int) -> Allowance:
        """Counts the bytes of a body against `limit` a minute."""
        return self._counted(f"bytes:{caller}", limit, size)

    def _counted(self, caller: str, limit: int, cost: int) -> Allowance:
        item = RateLimitItemPerMinute(limit)
        with store_errors():
            within = self._limiter.hit(item, caller, cost=cost)
            window = self._limiter.get_window_stats(item, caller)
        reset_s = max(1, round(window.reset_time - time.time()))
        return Allowance(limit, window.remaining, reset_s, is_exceeded=not within)
