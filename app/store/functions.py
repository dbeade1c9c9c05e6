"""The Lua functions: the library is put together here, loaded into Redis when it is missing, and called.

Everything that is decided goes through `Functions.call`, which tests may replace.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from importlib.resources import files
from typing import Any, Final, TypeVar

from prometheus_client import Histogram
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from app.errors import CatalogRefused, outbox_full
from app.settings import Settings
from app.store.catalog import Catalog
from app.store.client import store_errors
from app.store.keys import OF_FUNCTIONS, Keys
from app.store.layout import lua_constants, lua_reasons

LATENCY: Final = Histogram(
    "haggle_redis_seconds",
    "Time until Redis has answered a Lua call",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)

_PARTS: Final = (
    "realm", "catalog", "players", "decisions", "events", "rules", "trades", "batches", "adjustments", "offers",
    "accounts", "library",
)  # fmt: skip
"""The files of the library, each of which uses those before it."""


def _source() -> str:
    """The library without its first line and its prefix."""
    texts = [files("app.store").joinpath(f"lua/{part}.lua").read_text() for part in _PARTS]
    reasons = "\n".join(f"local {name} = {value}" for name, value in lua_reasons())
    return with_values("\n".join([reasons, *texts]))


def with_values(source: str) -> str:
    """The source with the values of constants in place of their names: Lua has room for 200 names."""
    keys = ((name, place) for place, name in enumerate(OF_FUNCTIONS, start=1))
    values = dict((*keys, *lua_constants()))
    pattern = re.compile(rf"\b({'|'.join(values)})\b")
    return pattern.sub(lambda match: str(values[match[1]]), source)


_SOURCE: Final = _source()
# engines of two versions work side by side during an upgrade: each calls the functions that it came with
NAME: Final = f"haggle_{hashlib.sha256(_SOURCE.encode()).hexdigest()[:8]}"
LIBRARY: Final = f"#!lua name={NAME}\nlocal PREFIX = '{NAME}_'\n{_SOURCE}"

MOST_PER_CALL: Final = 128
"""Trades, players or answers that one call is about at most: a few milliseconds of work; no other waits long."""

_ATTEMPTS: Final = 5

T = TypeVar("T")


class _OtherCatalog(Exception):
    """Another catalog is in force than the caller knows."""


class Functions:
    """The functions of one realm, called over the client's pool. Without a catalog, whatever one is in force."""

    def __init__(self, client: Redis, settings: Settings, catalog: Catalog | None = None) -> None:
        self._client = client
        keys = Keys(settings.realm).of_functions
        self._fixed: Final = (len(keys), *keys, settings.outbox_max_events, settings.answer_full_s)
        self._catalog = catalog

    @property
    def fixed(self) -> tuple[Any, ...]:
        """The arguments of every call: the number of keys, the keys, and the first of ARGV."""
        return (*self._fixed, self._catalog.tag if self._catalog else "")

    def decide(self, function: str, *arguments: Any) -> list[Any]:
        """Calls a function that decides; raises Unavailable when too many events wait for Kafka."""
        reply: list[Any] = self.call(function, *arguments)
        if reply[0] == b"outbox_full":
            raise outbox_full()
        return reply

    def call(self, function: str, *arguments: Any) -> Any:
        """What the function returns; raises Unavailable when Redis cannot serve it."""
        for _ in range(_ATTEMPTS):
            fixed = self.fixed
            try:
                return self._measured((full_name(function), *fixed, *arguments))
            except _OtherCatalog:
                assert self._catalog
                self._catalog.refresh(fixed[-1])
        raise CatalogRefused("catalogs are published faster than they are learnt; send the same request again")

    def _measured(self, words: tuple[Any, ...]) -> Any:
        started = time.perf_counter()
        with store_errors():
            reply = self._loaded(words)
        LATENCY.observe(time.perf_counter() - started)
        return reply

    def _loaded(self, words: tuple[Any, ...]) -> Any:
        try:
            return self._fcall(*words)
        except ResponseError as error:
            if str(error).startswith("OTHER_CATALOG "):
                raise _OtherCatalog from None
            if "function not found" not in str(error).lower():
                raise
        load_library(self._client)
        return self._loaded(words)

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
