"""Carries out a plan against the engine over HTTP, many requests at a time. Called by `haggle simulate`.

Trades that share a player are sent in the order of the plan; others run side by side. A request that got no answer,
or 503, is sent again with the same trade_id: the engine decides it once.
"""

import asyncio
import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

import aiohttp

from app.errors import HaggleError
from jobs.simulate.plan import PlannedPlayer, PlannedSide, PlannedTrade, plan_players, plan_trades

_ATTEMPTS: Final = 30
_LONGEST_BACKOFF_S: Final = 2.0
_CREATED: Final = re.compile(r"player_id = (\d+)\)")

Progress = Callable[["Outcome"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to simulate. `rate` is the most trades a second, 0 for as many as go; `log` gets a JSON line per trade."""

    players: int = 1_000
    trades: int = 10_000
    seed: int = 1
    concurrency: int = 16
    rate: float = 0.0
    log: Path | None = None


@dataclass(slots=True)
class Outcome:
    """What came of it so far; `refused` counts by reason, `retries` counts requests sent again."""

    players: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    players_s: float = 0.0
    trades_s: float = 0.0

    @property
    def trades(self) -> int:
        """Decided trades."""
        return self.accepted + self.refused.total()


def simulate(engine_url: str, order: Order, progress: Progress) -> Outcome:
    """Carries out the order, calling `progress` after each answer; raises HaggleError when the engine stays away."""
    if order.trades and order.players < 2:
        raise HaggleError("a trade needs two players: ask for at least 2")
    try:
        return asyncio.run(_Run(engine_url, order, progress).carry_out())
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


class _Run:
    def __init__(self, engine_url: str, order: Order, progress: Progress) -> None:
        self._url = engine_url
        self._order = order
        self._progress = progress
        self._run_id = uuid.uuid4().hex[:12]
        self._outcome = Outcome()
        self._slots = asyncio.Semaphore(order.concurrency)

    async def carry_out(self) -> Outcome:
        timeout = aiohttp.ClientTimeout(total=30)
        connector = aiohttp.TCPConnector(limit=self._order.concurrency)
        async with aiohttp.ClientSession(self._url, timeout=timeout, connector=connector) as session:
            players = plan_players(self._order.seed, self._order.players)
            started = time.perf_counter()
            ids = await self._create(session, players)
            self._outcome.players_s = time.perf_counter() - started
            started = time.perf_counter()
            await self._trade(session, players, ids)
            self._outcome.trades_s = time.perf_counter() - started
        return self._outcome

    async def _create(self, session: aiohttp.ClientSession, players: list[PlannedPlayer]) -> list[int]:
        async def create(player: PlannedPlayer) -> int:
            async with self._slots:
                body = {"username": player.username, "player_class": player.player_class}
                _, text = await self._send(session, "PUT", "/create_player", body)
            self._outcome.players += 1
            self._progress(self._outcome)
            match = _CREATED.search(text)
            if not match:
                raise HaggleError(f"the engine's answer to create_player names no player_id: {text[:200]}")
            return int(match.group(1))

        return list(await asyncio.gather(*map(create, players)))

    async def _trade(self, session: aiohttp.ClientSession, players: list[PlannedPlayer], ids: list[int]) -> None:
        log = self._order.log.open("w") if self._order.log else None
        newest: dict[int, asyncio.Task[None]] = {}
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for trade in plan_trades(self._order.seed, players, self._order.trades):
                await self._slots.acquire()
                if self._order.rate:
                    await asyncio.sleep(started + trade.number / self._order.rate - time.perf_counter())
                before = [newest[side.player] for side in (trade.one, trade.two) if side.player in newest]
                task = group.create_task(self._do(session, trade, ids, before, log))
                task.add_done_callback(lambda _: self._slots.release())
                newest[trade.one.player] = newest[trade.two.player] = task
        if log:
            log.close()

    async def _do(
        self,
        session: aiohttp.ClientSession,
        trade: PlannedTrade,
        ids: list[int],
        before: list["asyncio.Task[None]"],
        log: TextIO | None,
    ) -> None:
        if before:
            await asyncio.wait(before)
        body = {
            "trade_id": f"simulation-{self._run_id}-{trade.number}",
            "player_1": _side_body(trade.one, ids),
            "player_2": _side_body(trade.two, ids),
        }
        status, text = await self._send(session, "POST", "/v1/trades", body)
        answer = json.loads(text)
        if status == 409:
            self._outcome.refused[answer["reason"]] += 1
        else:
            self._outcome.accepted += 1
        if log:
            log.write(json.dumps({"request": body, "status": status, "answer": answer}) + "\n")
        self._progress(self._outcome)

    async def _send(self, session: aiohttp.ClientSession, method: str, path: str, body: object) -> tuple[int, str]:
        problem = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                # creating a player has no idempotency key: a retry may leave a player that no trade uses
                self._outcome.retries += 1
                await asyncio.sleep(min(0.1 * 2**attempt, _LONGEST_BACKOFF_S))
            try:
                async with session.request(method, path, json=body) as response:
                    text = await response.text()
            except (aiohttp.ClientError, TimeoutError) as error:
                problem = repr(error)
                continue
            if response.status in (200, 201, 409):
                return response.status, text
            problem = f"{response.status} {text[:300]}"
            if response.status != 503:
                raise HaggleError(f"the engine refuses {method} {path}: {problem}")
        raise HaggleError(f"the engine at {self._url} gave no answer to {method} {path}: {problem}")


def _side_body(side: PlannedSide, ids: list[int]) -> dict[str, Any]:
    items = [] if side.item_id is None else [{"item_id": side.item_id, "quantity": 1}]
    return {"player_id": ids[side.player], "items": items, "gold": side.gold}
