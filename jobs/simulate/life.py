"""Plays players that behave (jobs/economy/behaviours): the acts of their plan, in order for each player.

Virtual time passes as fast as the order says. What the plan expects to be refused is sent as well.
"""

import time
from typing import Any

from app.contract.economy import Economy
from jobs.economy.behaviours.acts import Act, Adjust, Create, EndOffer, Lines, MakeOffer, Side, Trade, players_of
from jobs.economy.behaviours.events import name_of
from jobs.economy.behaviours.folder import write_truth
from jobs.economy.behaviours.plan import Plan, Setting, plan
from jobs.economy.log import Innocent, Label
from jobs.simulate.connection import Connection
from jobs.simulate.game import Game
from jobs.simulate.order import Behaviours, Order


async def play_life(game: Game, economy: Economy, order: Order, behaviours: Behaviours) -> None:
    """Plays a plan to its end, and writes who is who, if that is asked for."""
    setting = Setting(
        players=order.players,
        trades=order.trades,
        days=behaviours.days,
        prevalence=behaviours.prevalence,
        seed=order.seed,
    )
    drawn = plan(economy, setting)
    life = _Life(game)
    started = time.perf_counter()
    with game.logging():
        speed = behaviours.speed
        due_s = (lambda act: act.at_s / speed) if speed else None
        await game.caller.in_order(drawn.acts, players_of, life.act, due_s)
    game.outcome.trades_s = time.perf_counter() - started
    if behaviours.truth:
        write_truth(behaviours.truth, *_truth(drawn, life.ids))


def _truth(drawn: Plan, ids: dict[int, int]) -> tuple[list[Label], list[Innocent]]:
    """The plan's truth, by the engine's ids."""
    labels = [
        Label(ids[each.player_id], each.cheat, each.role, each.instance, evasive=each.evasive) for each in drawn.labels
    ]
    return labels, [Innocent(ids[each.player_id], each.kind) for each in drawn.innocents]


class _Life:
    def __init__(self, game: Game) -> None:
        self._game = game
        self.ids: dict[int, int] = {}
        """player_id by number in the plan."""

    async def act(self, connection: Connection, act: Act) -> None:
        """Has an act decided."""
        expected = "" if isinstance(act, Create) else act.reason
        if await self._decided(connection, act) != expected:
            self._game.outcome.unexpected += 1
        self._game.tell()

    async def _decided(self, connection: Connection, act: Act) -> str:
        game = self._game
        match act:
            case Create():
                key = f"{game.run_id}-player-{act.player}"
                self.ids[act.player] = await game.create(connection, act.username, act.player_class, key)
                return ""
            case Trade():
                return await game.trade(connection, self._name("trade", act.number), self._sides(act))
            case Adjust():
                return await game.adjust(connection, self._adjustment(act))
            case MakeOffer():
                reason = await game.offer(connection, self._name("offer", act.number), self._sides(act))
                if reason:
                    game.outcome.offers[reason] += 1
                return reason
            case EndOffer():
                return await self._end(connection, act)

    async def _end(self, connection: Connection, act: EndOffer) -> str:
        offer_id = self._name("offer", act.offer)
        is_trade = act.answer == "accept"
        key = self._name("trade", act.number) if is_trade else f"{offer_id}-{act.answer}"
        reason = await self._game.answer(connection, offer_id, act.answer, key)
        if is_trade:
            self._game.outcome.traded(reason)
        if not reason:
            self._game.outcome.offers[act.answer] += 1
        return reason

    def _name(self, kind: str, number: int) -> str:
        return name_of(self._game.run_id, kind, number)

    def _sides(self, act: Trade | MakeOffer) -> dict[str, Any]:
        return {"player_1": self._side(act.one), "player_2": self._side(act.two)}

    def _side(self, side: Side) -> dict[str, Any]:
        return {"player_id": self.ids[side.player], "items": _lines(side.items), "gold": side.gold}

    def _adjustment(self, act: Adjust) -> dict[str, Any]:
        return {
            "adjustment_id": self._name("adjustment", act.number),
            "player_id": self.ids[act.player],
            "gold": act.gold,
            "items": _lines(act.items),
            "reason": act.why,
            "reference": act.reference,
        }


def _lines(lines: Lines) -> list[dict[str, int]]:
    return [{"item_id": item, "quantity": units} for item, units in lines]
