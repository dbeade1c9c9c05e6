"""One for each worker: makes a snapshot a second while anybody looks, and hands the same bytes to all of them.

A viewer that is slow misses snapshots, and holds up nobody. The streams are asked beside that: while they are silent
their own panel is old, and no other.
"""

import logging
import time
from collections.abc import Callable
from threading import Condition, Thread
from typing import Final

import msgspec
from msgspec.structs import replace
from prometheus_client import Gauge

from app.errors import RateLimited
from app.lag import Lag, read_lag_of_streams
from app.live.shapes import Live
from app.live.snapshot import Snapshots
from app.settings import Settings
from app.store import Store

_log = logging.getLogger(__name__)
_INTERVAL_S: Final = 0.9
"""A little less than a second, so that a trade is seen within one."""
_LEAST_PAUSE_S: Final = 0.1
_WATCH_S: Final = 300
"""After which a viewer has to connect anew, so that no connection is for ever."""
_WAIT_S: Final = 2.0
_ASK_INTERVAL_S: Final = 2.0

VIEWERS: Final = Gauge("haggle_live_viewers", "Viewers of the live page", multiprocess_mode="livesum")


class Hub:
    """The snapshots of a worker, and who looks at them."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._streams = _Streams(settings)
        self._changed = Condition()
        self._viewers = 0
        self._is_running = False
        self._number = 0
        self._snapshots = Snapshots(settings, store)
        self._live: Live | None = None
        self._event = b""

    def snapshot(self) -> Live:
        """One for somebody who asks once."""
        snapshots = Snapshots(self._settings, self._store)
        return replace(snapshots.make(read_lag_of_streams(self._settings)), seconds=snapshots.curve())

    def watch(self, is_ending: Callable[[], bool]) -> "Viewer":
        """A viewer, for whom it is over once `is_ending`; raises RateLimited if there are too many."""
        with self._changed:
            if self._viewers >= self._settings.live_viewers:
                raise RateLimited(int(_WAIT_S), "viewers of the live page")
            self._viewers += 1
            VIEWERS.set(self._viewers)
            if not self._is_running:
                self._is_running, self._number = True, 0
                Thread(target=self._run, daemon=True).start()
        return Viewer(self, is_ending)

    def leave(self) -> None:
        """A viewer has gone."""
        with self._changed:
            self._viewers -= 1
            VIEWERS.set(self._viewers)

    def event_after(self, seen: int) -> tuple[int, bytes]:
        """The newest snapshot after the one of this number, and its own number; a comment if none comes in time.

        The first that a viewer gets (after 0) has the whole curve.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._number > seen, _WAIT_S):
                return seen, b": nothing new\n\n"
            assert self._live, "it is there with the first number"
            return self._number, self._event if seen else _event(replace(self._live, seconds=self._snapshots.curve()))

    def _run(self) -> None:
        """Makes snapshots until nobody looks."""
        self._snapshots = Snapshots(self._settings, self._store)
        while self._is_watched():
            started = time.monotonic()
            try:
                self._show(self._snapshots.make(self._streams.lag()))
            except Exception:  # noqa: BLE001 - logged, and tried again
                # a defect: who looks would otherwise wait for a thread that is gone
                _log.exception("no snapshot could be made")
            time.sleep(max(_LEAST_PAUSE_S, _INTERVAL_S - (time.monotonic() - started)))

    def _show(self, live: Live) -> None:
        event = _event(live)
        with self._changed:
            self._live, self._event = live, event
            self._number += 1
            self._changed.notify_all()

    def _is_watched(self) -> bool:
        with self._changed:
            self._is_running = self._viewers > 0
            return self._is_running


class Viewer:
    """The events that one viewer gets. It has a place until `close`, whether it was ever asked for an event or not."""

    def __init__(self, hub: Hub, is_ending: Callable[[], bool]) -> None:
        self._hub = hub
        self._is_ending = is_ending
        self._until = time.monotonic() + _WATCH_S
        self._seen = 0
        self._has_place = True

    def __iter__(self) -> "Viewer":
        return self

    def __next__(self) -> bytes:
        """The next event, once there is one."""
        if self._is_ending() or time.monotonic() > self._until:
            raise StopIteration
        self._seen, event = self._hub.event_after(self._seen)
        return event

    def close(self) -> None:
        """Gives the place back."""
        if self._has_place:
            self._has_place = False
            self._hub.leave()


class _Streams:
    """What the streams said last; they are asked now and then, and nobody waits for their answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._said: Lag | None = None
        self._due_at = 0.0

    def lag(self) -> Lag | None:
        """What they said; None before the first answer."""
        if time.monotonic() >= self._due_at:
            self._due_at = float("inf")
            Thread(target=self._ask, daemon=True).start()
        return self._said

    def _ask(self) -> None:
        try:
            self._said = read_lag_of_streams(self._settings)
        finally:
            self._due_at = time.monotonic() + _ASK_INTERVAL_S


def _event(live: Live) -> bytes:
    """A server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    return b"data: " + msgspec.json.encode(live) + b"\n\n"
