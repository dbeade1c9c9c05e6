"""The Lua functions: the library is put together here, loaded into Redis when it is missing, and called.

Everything that is decided goes through `Functions.call`, which tests may replace.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from importlib.resources import files
from typing import Any, Final, TypeVar

from prometheus_client import Histogram
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from app.contract.reasons import Problem
from app.errors import Unavailable
from app.settings import Settings
from app.store.client import store_errors
from app.store.keys import OF_FUNCTIONS, Keys
from app.store.layout import lua_constants

LATENCY: Final = Histogram(
    "haggle_redis_seconds",
    "Time until Redis has answered a Lua call",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)

_PARTS: Final = ("realm", "players", "decisions", "events", "rules", "trades", "batches", "offers", "library")
"""The files of the library, each of which uses those before it."""


def _source() -> str:
    """The library without its first line and its prefix."""
    texts = [files("app.store").joinpath(f"lua/{part}.lua").read_text() for part in _PARTS]
    keys = _locals((name, place) for place, name in enumerate(OF_FUNCTIONS, start=1))
    return "\n".join([keys, _locals(lua_constants()), *texts])


def _locals(constants: Iterable[tuple[str, str | int]]) -> str:
    return "\n".join(f"local {name} = {value}" for name, value in constants)


_SOURCE: Final = _source()
# engines of two versions work side by side during an upgrade: each calls the functions that it came with
NAME: Final = f"haggle_{hashlib.sha256(_SOURCE.encode()).hexdigest()[:8]}"
LIBRARY: Final = f"#!lua name={NAME}\nlocal PREFIX = '{NAME}_'\n{_SOURCE}"

MOST_PER_CALL: Final = 128
"""Trades, players or answers that one call is about at most: a few milliseconds of work; no other waits long."""

T = TypeVar("T")


class Functions:
    """The functions of one realm, called over the client's pool."""

    def __init__(self, client: Redis, settings: Settings) -> None:
        self._client = client
        keys = Keys(settings.realm).of_functions
        self.fixed: Final = (len(keys), *keys, settings.outbox_max_events, settings.answer_full_s)
        """The arguments of every call: the number of keys, the keys, and the first of ARGV."""

    def decide(self, function: str, *arguments: Any) -> list[Any]:
        """Calls a function that decides; raises Unavailable when too many events wait for Kafka."""
        reply: list[Any] = self.call(function, *arguments)
        if reply[0] == b"outbox_full":
            raise Unavailable(Problem.OUTBOX_FULL, "too many events wait for Kafka; send the same request again")
        return reply

    def call(self, function: str, *arguments: Any) -> Any:
        """What the function returns; raises Unavailable when Redis cannot serve it."""
        words = (full_name(function), *self.fixed, *arguments)
        started = time.perf_counter()
        with store_errors():
            reply = self._loaded(words)
        LATENCY.observe(time.perf_counter() - started)
        return reply

    def _loaded(self, words: tuple[Any, ...]) -> Any:
        try:
            return self._fcall(*words)
        except ResponseError as error:
            if "function not found" not in str(error).lower():
                raise
            load_library(self._client)
            return self._fcall(*words)

    @property
    def _fcall(self) -> Callable[..., Any]:
        return self._client.fcall


class FunctionsOfOneConnection(Functions):
    """The functions over a connection of their own: to take one from the pool is two fifths of a call's processor time.

    If it is broken, the call is made again over the pool. So this is for what may be called for twice, as trades: each
    has its trade_id.
    """

    @property
    def _fcall(self) -> Callable[..., Any]:
        def fcall(*words: Any) -> Any:
            try:
                return self._own.fcall(*words)
            except RedisConnectionError:
                return self._client.fcall(*words)

        return fcall

    @cached_property
    def _own(self) -> Redis:
        return Redis(connection_pool=self._client.connection_pool, single_connection_client=True)


def in_calls(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The items in their order, as many at a time as go in one call."""
    return (items[start : start + MOST_PER_CALL] for start in range(0, len(items), MOST_PER_CALL))


def full_name(function: str) -> str:
    """The name under which Redis knows a function of this version."""
    return f"{NAME}_{function}"


def load_library(client: Redis) -> None:
    """Loads this version's functions; Redis keeps them in its append-only file."""
    with store_errors():
        client.function_load(LIBRARY, replace=True)
