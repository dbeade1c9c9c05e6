"""Carries out a plan against the engine over HTTP, many requests at a time.

Trades that share a player are sent in the order of the plan; others run side by side. A request that got no answer,
or 429 or 503, is sent again under the same name: the engine decides it once. Offers come after the trades.
"""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

import msgspec

from app.contract.economy import Economy
from app.errors import HaggleError
from app.settings import Settings
from jobs import engine
from jobs.simulate.connection import Connection
from jobs.simulate.plan import (
    PlannedOffer,
    PlannedPlayer,
    PlannedSide,
    PlannedTrade,
    plan_offers,
    plan_players,
    plan_trades,
)

_ATTEMPTS: Final = 30
_LONGEST_BACKOFF_S: Final = 2.0
_REFUSED: Final = 409
_DECIDED: Final = (200, 201, _REFUSED)
_AGAIN: Final = (429, 503)

_Planned = TypeVar("_Planned", bound=PlannedTrade)
Progress = Callable[["Outcome"], None]


class _Created(msgspec.Struct):
    """What is read of the answer to a creation."""

    player_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to simulate. `rate` is the most trades a second, 0 for as many as go; `log` gets a JSON line per trade."""

    players: int = 1_000
    trades: int = 10_000
    offers: int = 0
    seed: int = 1
    concurrency: int = 16
    rate: float = 0.0
    log: Path | None = None


@dataclass(slots=True)
class Outcome:
    """What came of it so far: trades refused by reason, offers by how they ended, requests sent again."""

    players: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    offers: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    players_s: float = 0.0
    trades_s: float = 0.0

    @property
    def trades(self) -> int:
        """Decided trades."""
        return self.accepted + self.refused.total()


def simulate(settings: Settings, order: Order, progress: Progress) -> Outcome:
    """Carries out the order, calling `progress` after each answer; raises HaggleError when the engine stays away."""
    if (order.trades or order.offers) and order.players < 2:
        raise HaggleError("a trade needs two players: ask for at least 2")
    try:
        return asyncio.run(_Run(settings, order, progress).carry_out())
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


class _Run:
    def __init__(self, settings: Settings, order: Order, progress: Progress) -> None:
        self._settings = settings
        self._order = order
        self._progress = progress
        self._run_id = uuid.uuid4().hex[:12]
        self._outcome = Outcome()
        self._log: BinaryIO | None = None
        self._ids: list[int] = []
        """player_id by index in the plan's players."""
        self._connections = [
            Connection(settings.engine_url, engine.headers(settings)) for _ in range(order.concurrency)
        ]
        self._free: asyncio.Queue[Connection] = asyncio.Queue()

    async def carry_out(self) -> Outcome:
        order, outcome = self._order, self._outcome
        for connection in self._connections:
            self._free.put_nowait(connection)
        economy = engine.economy(self._settings)
        players = plan_players(economy, order.seed, order.players)
        started = time.perf_counter()
        self._ids = list(await asyncio.gather(*(self._create(*each) for each in enumerate(players, start=1))))
        outcome.players_s = time.perf_counter() - started
        started = time.perf_counter()
        await self._trade_all(economy, players)
        outcome.trades_s = time.perf_counter() - started
        await self._in_order(plan_offers(economy, order.seed, players, order.trades, order.offers), self._offer)
        for connection in self._connections:
            connection.close()
        return outcome

    async def _create(self, number: int, player: PlannedPlayer) -> int:
        connection = await self._free.get()
        body = {"username": player.username, "player_class": player.player_class}
        key = f"simulation-{self._run_id}-player-{number}"
        _, answer = await self._send(connection, "POST", "/v1/players", body, key)
        self._free.put_nowait(connection)
        self._outcome.players += 1
        self._progress(self._outcome)
        return msgspec.json.decode(answer, type=_Created).player_id

    async def _trade_all(self, economy: Economy, players: list[PlannedPlayer]) -> None:
        with self._order.log.open("wb") if self._order.log else nullcontext() as self._log:
            await self._in_order(plan_trades(economy, self._order.seed, players, self._order.trades), self._trade)

    async def _in_order(
        self, planned: Iterable[_Planned], do: Callable[[Connection, _Planned], Awaitable[None]]
    ) -> None:
        newest: dict[int, asyncio.Task[None]] = {}
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for each in planned:
                connection = await self._free.get()
                if self._order.rate:
                    await asyncio.sleep(started + each.number / self._order.rate - time.perf_counter())
                before = [newest[side.player] for side in (each.one, each.two) if side.player in newest]
                task = group.create_task(self._after(before, do, connection, each))
                newest[each.one.player] = newest[each.two.player] = task

    async def _after(
        self,
        before: list["asyncio.Task[None]"],
        do: Callable[[Connection, _Planned], Awaitable[None]],
        connection: Connection,
        planned: _Planned,
    ) -> None:
        if before:
            await asyncio.wait(before)
        await do(connection, planned)
        self._free.put_nowait(connection)
        self._progress(self._outcome)

    async def _trade(self, connection: Connection, trade: PlannedTrade) -> None:
        body = {"trade_id": f"simulation-{self._run_id}-{trade.number}", **self._sides(trade)}
        status, answer = await self._send(connection, "POST", "/v1/trades", body)
        if status == _REFUSED:
            self._outcome.refused[_reason(answer)] += 1
        else:
            self._outcome.accepted += 1
        if self._log:
            entry = {
                "request": body,
                "status": status,
                "answer": msgspec.Raw(answer),
                "answered_at": time.time(),  # seconds since 1970
            }
            self._log.write(msgspec.json.encode(entry) + b"\n")

    async def _offer(self, connection: Connection, offer: PlannedOffer) -> None:
        offer_id = f"simulation-{self._run_id}-offer-{offer.number}"
        status, answer = await self._send(
            connection, "POST", "/v1/offers", {"offer_id": offer_id, **self._sides(offer)}
        )
        if status != _REFUSED:
            path = f"/v1/offers/{offer_id}/{offer.answer}"
            status, answer = await self._send(connection, "POST", path, {}, key=f"{offer_id}-{offer.answer}")
        self._outcome.offers[_reason(answer) if status == _REFUSED else offer.answer] += 1

    def _sides(self, trade: PlannedTrade) -> dict[str, Any]:
        return {"player_1": side_body(trade.one, self._ids), "player_2": side_body(trade.two, self._ids)}

    async def _send(
        self, connection: Connection, method: str, path: str, body: object, key: str = ""
    ) -> tuple[int, bytes]:
        content = msgspec.json.encode(body)
        problem = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._outcome.retries += 1
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
        raise HaggleError(f"the engine at {self._settings.engine_url} gave no answer to {method} {path}: {problem}")


def _reason(answer: bytes) -> str:
    return str(msgspec.json.decode(answer)["reason"])


def side_body(side: PlannedSide, ids: list[int]) -> dict[str, Any]:
    """What the engine is sent of a planned side; `ids` are the players' by their place in the plan."""
    items = [] if side.item_id is None else [{"item_id": side.item_id, "quantity": 1}]
    return {"player_id": ids[side.player], "items": items, "gold": side.gold}
