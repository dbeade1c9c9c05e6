"""Redis' append-only file: it is made anew after players were forgotten, for it holds the commands that named them.

It takes as long, and as much of the disk, as the rewriting that Redis does by itself when the file has doubled.
"""

import logging
from typing import Any, Final

from prometheus_client import Gauge
from redis import Redis

from app.contract.metrics import FILES_REWRITTEN
from app.store.keys import Keys

_log = logging.getLogger(__name__)
_PAUSE_S: Final = 3_600
"""Least time between two rewritings: those who are forgotten in between go together."""

REWRITTEN: Final = Gauge(
    FILES_REWRITTEN, "When Redis' files were last made anew without the names of forgotten players (since 1970)"
)


class Files:
    """Is told to go on every few seconds. Raises redis errors as they are."""

    def __init__(self, client: Redis, realm: str) -> None:
        self._client = client
        self._keys = Keys(realm)
        self._begun_at: int | None = None
        self._tried_at = 0

    def go_on(self) -> None:
        """Begins to make the file anew where that is due, and notes when it is done."""
        found: Any = self._client.mget(self._keys.forgotten_at, self._keys.rewritten_at)
        forgotten, rewritten = found
        rewritten_at = int(rewritten or 0)
        REWRITTEN.set(rewritten_at)
        if self._begun_at is not None:
            self._finish(self._begun_at)
        elif int(forgotten or 0) >= rewritten_at and forgotten:
            self._begin(rewritten_at)

    def _begin(self, rewritten_at: int) -> None:
        clock: Any = self._client.time()
        # one that fails, as on a full disk, is not tried at every look
        if self._info()["aof_enabled"] and clock[0] >= max(rewritten_at, self._tried_at) + _PAUSE_S:
            self._begun_at = self._tried_at = clock[0]
            # slow commands are shown with what they named
            self._client.slowlog_reset()
            self._client.bgrewriteaof()

    def _finish(self, begun_at: int) -> None:
        info = self._info()
        if info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"]:
            return
        self._begun_at = None
        if info["aof_last_bgrewrite_status"] != "ok":
            _log.warning("Redis could not make its append-only file anew; it is tried again in an hour")
            return
        # a player forgotten in the second in which it began may be in it still
        self._client.set(self._keys.rewritten_at, begun_at)
        _log.info("Redis' append-only file holds no names of forgotten players any more")

    def _info(self) -> Any:
        return self._client.info("persistence")
