"""Group commit: concurrent requests of a worker share calls to Redis.

While one call is under way, what others ask for waits, and goes together in the next one. So a busy worker pays for a
call, and Redis for a write to disk, once for many requests, and an idle one does not wait for company. There is no
thread for it: the first request of a group leads, which is to make the call, and the others follow.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from app.errors import Unavailable

T = TypeVar("T")
R = TypeVar("R")


class _Waiting(Generic[T, R]):
    """A request that waits; `wake` is locked until it has its outcome or leads the next call."""

    __slots__ = ("leads", "outcome", "request", "wake")

    def __init__(self, request: T) -> None:
        self.request: Final = request
        self.outcome: R | Exception
        self.leads = False
        self.wake = threading.Lock()
        self.wake.acquire()


class GroupCommit(Generic[T, R]):
    """Carries out requests, at most `limit` in one call, in the order in which they came.

    `call` takes requests and gives a result for each. A failed call fails its requests and, if it is Unavailable, all
    that wait behind it, so that nobody waits for more than one call that gets no answer.
    """

    def __init__(self, call: Callable[[Sequence[T]], Sequence[R]], limit: int) -> None:
        self._call = call
        self._limit = limit
        self._is_under_way = False
        self._waiting: list[_Waiting[T, R]] = []
        self._lock = threading.Lock()

    def carry_out(self, request: T) -> R:
        """The result of the request; raises what the call raised."""
        own: _Waiting[T, R] = _Waiting(request)
        with self._lock:
            if self._is_under_way:
                self._waiting.append(own)
            own.leads, self._is_under_way = not self._is_under_way, True
        if not own.leads:
            own.wake.acquire()
        if own.leads:
            self._lead(own)
        if isinstance(own.outcome, Exception):
            raise own.outcome
        return own.outcome

    def _lead(self, own: _Waiting[T, R]) -> None:
        """Carries out the request and those that wait behind it."""
        group = [own, *self._take(self._limit - 1)]
        outcomes = self._outcomes(group)
        if isinstance(outcomes[0], Unavailable):
            behind = self._take(None)
            group, outcomes = group + behind, outcomes + [outcomes[0]] * len(behind)
        self._hand_over()
        for waiting, outcome in zip(group, outcomes, strict=True):
            waiting.outcome = outcome
            waiting.wake.release()

    def _take(self, number: int | None) -> list[_Waiting[T, R]]:
        with self._lock:
            taken = self._waiting[:number]
            del self._waiting[:number]
        return taken

    def _outcomes(self, group: list[_Waiting[T, R]]) -> list[R | Exception]:
        try:
            results = self._call([waiting.request for waiting in group])
            return [result for _, result in zip(group, results, strict=True)]
        except Exception as error:  # noqa: BLE001 each request raises it
            return [error] * len(group)

    def _hand_over(self) -> None:
        """Lets the next request lead, before the results are handed out: its call may begin."""
        with self._lock:
            if self._waiting:
                following = self._waiting.pop(0)
                following.leads = True
                following.wake.release()
            else:
                self._is_under_way = False
