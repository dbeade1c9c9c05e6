"""A game under way: its commands to the engine, and what came of them so far."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, BinaryIO

import msgspec

from app.settings import Settings
from jobs.simulate.caller import Caller, reason_of
from jobs.simulate.connection import Connection
from jobs.simulate.order import Order, Outcome, Progress


class _Created(msgspec.Struct):
    """What is read of the answer to a creation."""

    player_id: int


class Game:
    """Sends commands, counts what the engine decided, and tells the progress after each."""

    def __init__(self, settings: Settings, order: Order, progress: Progress) -> None:
        self.run_id = f"simulation-{uuid.uuid4().hex[:12]}"
        self.outcome = Outcome()
        self.caller = Caller(settings, order.concurrency)
        self._order = order
        self._progress = progress
        self._log: BinaryIO | None = None

    @contextmanager
    def logging(self) -> Iterator[None]:
        """Within it, trades are written to the order's log, if it has one."""
        with self._order.log.open("wb") if self._order.log else nullcontext() as self._log:
            yield

    def tell(self) -> None:
        """Tells how far it is."""
        self.outcome.retries = self.caller.retries
        self._progress(self.outcome)

    async def create(self, connection: Connection, username: str, player_class: str, key: str) -> int:
        """The id of a new player."""
        body = {"username": username, "player_class": player_class}
        _, answer = await self.caller.send(connection, "POST", "/v1/players", body, key)
        self.outcome.players += 1
        return msgspec.json.decode(answer, type=_Created).player_id

    async def trade(self, connection: Connection, trade_id: str, sides: dict[str, Any]) -> str:
        """Why a trade was refused, "" if it was not."""
        body = {"trade_id": trade_id, **sides}
        status, answer = await self.caller.send(connection, "POST", "/v1/trades", body)
        reason = reason_of(status, answer)
        self.outcome.traded(reason)
        if self._log:
            entry = {
                "request": body,
                "status": status,
                "answer": msgspec.Raw(answer),
                "answered_at": time.time(),  # seconds since 1970
            }
            self._log.write(msgspec.json.encode(entry) + b"\n")
        return reason

    async def offer(self, connection: Connection, offer_id: str, sides: dict[str, Any]) -> str:
        """Why an offer was refused, "" if it was not."""
        body = {"offer_id": offer_id, **sides}
        return reason_of(*await self.caller.send(connection, "POST", "/v1/offers", body))

    async def answer(self, connection: Connection, offer_id: str, answer: str, key: str) -> str:
        """Accepts, declines or cancels an offer; why that was refused, "" if it was not."""
        return reason_of(*await self.caller.send(connection, "POST", f"/v1/offers/{offer_id}/{answer}", {}, key))

    async def adjust(self, connection: Connection, body: dict[str, Any]) -> str:
        """Why an adjustment was refused, "" if it was not."""
        reason = reason_of(*await self.caller.send(connection, "POST", "/v1/adjustments", body))
        self.outcome.adjustments += 1
        return reason
