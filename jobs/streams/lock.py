"""One driver at a time: an advisory lock on the catalog's PostgreSQL, held for the life of the process.

The lock is a session's, so it is free again when the holder's connection ends, however it ends. The holder looks once
a second whether its session still is; if not, it ends the process at once. A PostgreSQL that loses sight of a holder
frees the lock later than the holder notices (`tcp_keepalives_*` of the server), and one that was started again frees it
at once, so a new holder reads the table `GRACE_S` after it got the lock, when what the old one still had under way is
over. PostgreSQL's documentation, "Advisory Locks".

So the loss of the catalog costs a start of Spark: the holder's JVM may be about to commit, which nothing but its end
prevents. It costs no more than that. Spark starts before the lock is asked for, so while the catalog starts too; the
grace passes while the lake is prepared. supervisord starts the next process at once, and so does Kubernetes, but for
one that ends again within ten minutes (after 10 s, then 20 and so on, which a pod cannot choose).
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

import psycopg

from app.settings import Settings

_CHECK_INTERVAL_S: Final = 1.0
_TIMEOUT_S: Final = 3
GRACE_S: Final = _CHECK_INTERVAL_S + _TIMEOUT_S + 1
"""A holder notices in less, from its last good look on, that its connection is gone."""
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
        self._held_since = 0.0

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
        self._held_since = time.monotonic()

    def wait_out(self) -> None:
        """Returns once nothing that a holder before this one had under way can be committed any more."""
        time.sleep(max(0.0, self._held_since + GRACE_S - time.monotonic()))

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
