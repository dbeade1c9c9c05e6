"""What Redis keeps: what is too old goes, and when its memory will be full is said hours ahead.

Near its bound the oldest whole answers to trades go first, which nobody's trade needs; only then are commands refused.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from prometheus_client import Gauge
from redis import Redis
from redis.exceptions import RedisError

from app.errors import Unavailable
from app.relay.files import Files
from app.settings import Settings
from app.store import Store
from app.store.memory import Memory, write_memory

_log = logging.getLogger(__name__)
_MOST_CALLS: Final = 20
_KEYS_A_CALL: Final = 50
_LOOK_INTERVAL_S: Final = 10.0
_TREND_S: Final = 3_600.0
_SHORTEST_TREND_S: Final = 60.0
_HIGH: Final = 0.9
_LOW: Final = 0.8
"""Shares of the memory: above the one, whole answers go early; below the other, they no longer do."""

USED: Final = Gauge("haggle_redis_memory_used_bytes", "Memory that Redis uses")
MOST: Final = Gauge("haggle_redis_memory_max_bytes", "Memory that Redis may use; 0 for no bound")
FULL_IN: Final = Gauge(
    "haggle_redis_full_in_seconds",
    "Time until Redis is full if it goes on as in the last hour; NaN while it does not grow",
)
ANSWERS_KEPT: Final = Gauge("haggle_answers_kept_seconds", "How long whole answers are kept now")


class Retention:
    """Is told to go on about once a second."""

    def __init__(
        self, client: Redis, store: Store, settings: Settings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._store = store
        self._settings = settings
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()
        self._looked_at = float("-inf")
        self._answers_s = settings.answer_full_s
        self._files = Files(client, settings.realm)

    def go_on(self) -> None:
        """Forgets what is too old, a bounded part of it, and looks at the memory now and then."""
        try:
            self._forget()  # first: it works though Redis is full
            if self._clock() - self._looked_at >= _LOOK_INTERVAL_S:
                self._looked_at = self._clock()
                self._look()
                self._files.go_on()
        except (RedisError, Unavailable) as error:
            _log.warning("what is old cannot be forgotten now", extra={"context": {"error": str(error)}})

    def _forget(self) -> None:
        """In short calls, between which others are served."""
        for _ in range(_MOST_CALLS):
            if not self._store.forget_old(self._answers_s, _KEYS_A_CALL):
                break

    def _look(self) -> None:
        info: Any = self._client.info("memory")
        memory = Memory(info["used_memory"], info["maxmemory"], None)
        memory = memory._replace(full_in_s=self._full_in_s(memory))
        self._keep_answers(memory)
        USED.set(memory.used_bytes)
        MOST.set(memory.max_bytes)
        FULL_IN.set(float("nan") if memory.full_in_s is None else memory.full_in_s)
        ANSWERS_KEPT.set(self._answers_s)
        write_memory(self._client, self._settings.realm, memory)

    def _full_in_s(self, memory: Memory) -> float | None:
        """When the memory will be full if it grows as it has in the last hour; None if it does not, or has no bound."""
        now = self._clock()
        self._seen.append((now, memory.used_bytes))
        while now - self._seen[0][0] > _TREND_S:
            self._seen.popleft()
        since, before = self._seen[0]
        grown = memory.used_bytes - before
        if not memory.max_bytes or now - since < _SHORTEST_TREND_S or grown <= 0:
            return None
        return max(0.0, (memory.max_bytes - memory.used_bytes) * (now - since) / grown)

    def _keep_answers(self, memory: Memory) -> None:
        share = memory.used_bytes / memory.max_bytes if memory.max_bytes else 0.0
        before, usual_s = self._answers_s, self._settings.answer_full_s
        if share > _HIGH:
            self._answers_s = before // 2
        elif share < _LOW:
            self._answers_s = usual_s
        if self._answers_s != before:
            context = {"kept_s": self._answers_s, "usual_s": usual_s, "used_share": round(share, 3)}
            _log.warning("whole answers are kept for another time", extra={"context": context})
