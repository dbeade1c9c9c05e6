"""One driver at a time: an advisory lock on the catalog's PostgreSQL, held for the life of the process.

The lock is a session's, so it is free again when the holder's connection ends, however it ends. The holder looks once
a second whether its session still is; if not, it ends the process at once. A PostgreSQL that loses sight of a holder
frees the lock later than the holder notices (`tcp_keepalives_*` of the server), and one that was started again frees it
at once, so a new holder waits `GRACE_S` before it reads the table: what the old one still had under way is over by
then. PostgreSQL's documentation, "Advisory Locks".
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

import psycopg

from app.settings import Settings

GRACE_S: Final = 5.0
_CHECK_INTERVAL_S: Final = 1.0
_TIMEOUT_S: Final = 3
_WAIT_INTERVAL_S: Final = 1.0
_TAKEN: Final = "waiting for the lock: another driver runs"
_AWAY: Final = "waiting for the lock: the catalog does not answer"

_log = logging.getLogger(__name__)


class DriverLock:
    """The lock of one kind of process, such as the streams, on one lake; `name` is the lake's."""

    def __init__(self, settings: Settings, name: str, kind: str = "streams") -> None:
        self._settings = settings
        self._kind = kind
        self._name = f"haggle {kind} {name}"
        self._connection: psycopg.Connection | None = None

    def acquire(self, waits: Callable[[str], None]) -> None:
        """Returns once this process holds the lock, however long that takes; `waits` is told why it does not yet."""
        said = ""
        while not self.try_acquire():
            why = (
                f"waiting for the lock: {'another driver runs' if self._connection else 'the catalog does not answer'}"
            )
            if why != said:
                _log.warning(why, extra={"context": {"lock": self._name}})
                waits(why)
                said = why
            time.sleep(_WAIT_INTERVAL_S)
        if said:
            time.sleep(GRACE_S)

    def watch(self, lost: Callable[[], None]) -> None:
        """Calls `lost` from a thread as soon as the lock may no longer be held."""
        threading.Thread(target=self._watch, args=(lost,), name="driver-lock", daemon=True).start()

    def try_acquire(self) -> bool:
        """Whether this process holds the lock now; does not wait. An unreachable catalog is a no, and is logged."""
        try:
            if self._connection is None:
                self._connection = _connect(self._settings, self._kind)
            row = self._connection.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", (self._name,))
            (held,) = row.fetchone() or (False,)
        except psycopg.Error as error:
            self._connection = None
            _log.warning("the catalog does not answer", extra={"context": {"error": " ".join(str(error).split())}})
            return False
        return bool(held)

    def _watch(self, lost: Callable[[], None]) -> None:
        assert self._connection is not None
        try:
            while True:
                self._connection.execute("select 1")
                time.sleep(_CHECK_INTERVAL_S)
        except psycopg.Error as error:
            _log.error("the lock is lost", extra={"context": {"error": " ".join(str(error).split())}})
            lost()


def _connect(settings: Settings, kind: str) -> psycopg.Connection:
    password = psycopg.conninfo.conninfo_to_dict(settings.catalog_url).get("password") or settings.catalog_password
    return psycopg.connect(
        settings.catalog_url,
        password=password,
        autocommit=True,
        connect_timeout=_TIMEOUT_S,
        application_name=f"haggle-{kind}",
        # a server that no longer answers ends the connection, so that the check above does not wait for ever
        keepalives_idle=1,
        keepalives_interval=1,
        keepalives_count=_TIMEOUT_S,
        tcp_user_timeout=1_000 * _TIMEOUT_S,
    )
