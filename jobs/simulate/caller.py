"""Sends commands to the engine, many at a time: those that share a player in order, each until it is decided.

A request that got no answer, or 429 or 503, is sent again under the same name: the engine decides it once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import Final, TypeVar

import msgspec

from app.errors import HaggleError
from app.settings import Settings
from jobs import engine
from jobs.simulate.connection import Connection

_ATTEMPTS: Final = 30
_LONGEST_BACKOFF_S: Final = 2.0
REFUSED: Final = 409
_DECIDED: Final = (200, 201, REFUSED)
_AGAIN: Final = (429, 503)

T = TypeVar("T")


class Caller:
    """Some connections to the engine; `retries` counts the requests sent again."""

    def __init__(self, settings: Settings, concurrency: int) -> None:
        self.retries = 0
        self._url = settings.engine_url
        self._connections = [Connection(settings.engine_url, engine.headers(settings)) for _ in range(concurrency)]
        self._free: asyncio.Queue[Connection] = asyncio.Queue()
        for connection in self._connections:
            self._free.put_nowait(connection)

    def close(self) -> None:
        """Closes all connections."""
        for connection in self._connections:
            connection.close()

    async def in_order(
        self,
        planned: Iterable[T],
        parties: Callable[[T], Iterable[Hashable]],
        do: Callable[[Connection, T], Awaitable[None]],
        due_s: Callable[[T], float] | None = None,
    ) -> None:
        """Does what is planned: what shares a party in order, the rest side by side, as many as there are connections.

        `due_s` says how long after the beginning something is due at the earliest.
        """
        newest: dict[Hashable, asyncio.Task[None]] = {}
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for each in planned:
                connection = await self._free.get()
                if due_s:
                    await asyncio.sleep(started + due_s(each) - time.perf_counter())
                before = [newest[party] for party in parties(each) if party in newest]
                task = group.create_task(self._after(before, do, connection, each))
                newest.update(dict.fromkeys(parties(each), task))

    async def _after(
        self,
        before: list["asyncio.Task[None]"],
        do: Callable[[Connection, T], Awaitable[None]],
        connection: Connection,
        planned: T,
    ) -> None:
        if before:
            await asyncio.wait(before)
        await do(connection, planned)
        self._free.put_nowait(connection)

    async def send(
        self, connection: Connection, method: str, path: str, body: object, key: str = ""
    ) -> tuple[int, bytes]:
        """Status and body of the answer once the command is decided; `key`: its idempotency key, or ""."""
        content = msgspec.json.encode(body)
        problem = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                self.retries += 1
                await asyncio.sleep(min(0.1 * 2**attempt, _LONGEST_BACKOFF_S))
            try:
                status, answer = await connection.request(method, path, content, key)
            except ConnectionError as error:
                problem = str(error)
                continue
            if status in _DECIDED:
                return status, answer
            problem = f"{status} {answer[:300]!r}"
            if status not in _AGAIN:
                raise HaggleError(f"the engine refuses {method} {path}: {problem}")
        raise HaggleError(f"the engine at {self._url} gave no answer to {method} {path}: {problem}")


def reason_of(status: int, answer: bytes) -> str:
    """Why a command was refused, "" if it was not."""
    return str(msgspec.json.decode(answer)["reason"]) if status == REFUSED else ""
