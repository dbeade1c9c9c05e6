"""Group commit: concurrent requests of a worker share calls to Redis. Used by redis.py.

While one call is under way, what others ask for waits, and goes together in the next one. So a busy worker pays for a
call, and Redis for a write to disk, once for many requests, and an idle one does not wait for company.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

from app.errors import Unavailable

_IDLE_S: Final = 10

T = TypeVar("T")
R = TypeVar("R")


class _Waiting(Generic[T, R]):
    """A request that waits; `done` is locked until it has its result or its error."""

    __slots__ = ("done", "error", "request", "result")

    def __init__(self, request: T) -> None:
        self.request: Final = request
        self.result: R
        self.error: Exception | None = None
        self.done = threading.Lock()
        self.done.acquire()


class GroupCommit(Generic[T, R]):
    """Carries out requests, at most `limit` in one call, in the order in which they came.

    `call` takes requests and gives a result for each. A failed call fails its requests and, if it is Unavailable, all
    that wait behind it, so that nobody waits for more than one call that gets no answer.
    """

    def __init__(self, call: Callable[[Sequence[T]], Sequence[R]], limit: int) -> None:
        self._call = call
        self._limit = limit
        self._waiting: list[_Waiting[T, R]] = []
        self._lock = threading.Lock()
        self._wake = threading.Semaphore(0)
        self._is_awake = self._is_running = False

    def carry_out(self, request: T) -> R:
        """The result of the request; raises what the call raised."""
        own: _Waiting[T, R] = _Waiting(request)
        with self._lock:
            self._waiting.append(own)
            wakes, self._is_awake = not self._is_awake, True
            starts, self._is_running = not self._is_running, True
        if starts:
            threading.Thread(target=self._run, name="group-commit", daemon=True).start()
        if wakes:
            self._wake.release()
        own.done.acquire()
        if own.error:
            raise own.error
        return own.result

    def _run(self) -> None:
        """Calls whenever somebody waits; ends after a while in which nobody did."""
        while self._wake.acquire(timeout=_IDLE_S) or self._goes_on():
            while group := self._next_group(self._limit):
                self._carry_out_group(group)

    def _goes_on(self) -> bool:
        with self._lock:
            self._is_running = self._is_awake
        return self._is_running

    def _next_group(self, size: int | None) -> list[_Waiting[T, R]]:
        with self._lock:
            group, self._waiting = self._waiting[:size], self._waiting[size:] if size else []
            self._is_awake = bool(group)
        return group

    def _carry_out_group(self, group: list[_Waiting[T, R]]) -> None:
        try:
            results = list(zip(group, self._call([waiting.request for waiting in group]), strict=True))
        except Unavailable as error:
            _fail([*group, *self._next_group(None)], error)
        except Exception as error:  # noqa: BLE001 each request raises it
            _fail(group, error)
        else:
            for waiting, result in results:
                waiting.result = result
                waiting.done.release()


def _fail(group: Sequence[_Waiting[Any, Any]], error: Exception) -> None:
    for waiting in group:
        waiting.error = error
        waiting.done.release()
