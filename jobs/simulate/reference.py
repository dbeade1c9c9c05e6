"""Plays the reference plan: players, then one-for-one trades between random pairs, then offers."""

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from app.contract.economy import Economy
from jobs.simulate.connection import Connection
from jobs.simulate.game import Game
from jobs.simulate.order import Order
from jobs.simulate.plan import (
    PlannedOffer,
    PlannedPlayer,
    PlannedSide,
    PlannedTrade,
    plan_offers,
    plan_players,
    plan_trades,
)

_Planned = TypeVar("_Planned", bound=PlannedTrade)


async def play_reference(game: Game, economy: Economy, order: Order) -> None:
    """Plays it to the end."""
    await _Reference(game, order).play(economy)


class _Reference:
    def __init__(self, game: Game, order: Order) -> None:
        self._game = game
        self._order = order
        self._ids: list[int] = []
        """player_id by index in the plan's players."""

    async def play(self, economy: Economy) -> None:
        order, outcome = self._order, self._game.outcome
        players = plan_players(economy, order.seed, order.players)
        started = time.perf_counter()
        self._ids = [0] * len(players)
        await self._game.caller.in_order(enumerate(players), lambda each: (each[0],), self._create)
        outcome.players_s = time.perf_counter() - started
        started = time.perf_counter()
        with self._game.logging():
            await self._in_order(plan_trades(economy, order.seed, players, order.trades), self._trade)
        outcome.trades_s = time.perf_counter() - started
        await self._in_order(plan_offers(economy, order.seed, players, order.trades, order.offers), self._offer)

    async def _in_order(
        self, planned: Iterable[_Planned], do: Callable[[Connection, _Planned], Awaitable[None]]
    ) -> None:
        rate = self._order.rate
        due_s = (lambda each: each.number / rate) if rate else None
        await self._game.caller.in_order(planned, lambda each: (each.one.player, each.two.player), do, due_s)

    async def _create(self, connection: Connection, each: tuple[int, PlannedPlayer]) -> None:
        place, player = each
        key = f"{self._game.run_id}-player-{place + 1}"
        self._ids[place] = await self._game.create(connection, player.username, player.player_class, key)
        self._game.tell()

    async def _trade(self, connection: Connection, trade: PlannedTrade) -> None:
        await self._game.trade(connection, f"{self._game.run_id}-{trade.number}", self._sides(trade))
        self._game.tell()

    async def _offer(self, connection: Connection, offer: PlannedOffer) -> None:
        offer_id = f"{self._game.run_id}-offer-{offer.number}"
        reason = await self._game.offer(connection, offer_id, self._sides(offer))
        if not reason:
            reason = await self._game.answer(connection, offer_id, offer.answer, f"{offer_id}-{offer.answer}")
        self._game.outcome.offers[reason or offer.answer] += 1
        self._game.tell()

    def _sides(self, trade: PlannedTrade) -> dict[str, Any]:
        return {"player_1": side_body(trade.one, self._ids), "player_2": side_body(trade.two, self._ids)}


def side_body(side: PlannedSide, ids: list[int]) -> dict[str, Any]:
    """What the engine is sent of a planned side; `ids` are the players' by their place in the plan."""
    items = [] if side.item_id is None else [{"item_id": side.item_id, "quantity": 1}]
    return {"player_id": ids[side.player], "items": items, "gold": side.gold}
