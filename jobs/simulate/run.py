"""Carries out an order against the engine over HTTP, many requests at a time."""

import asyncio

from app.errors import HaggleError
from app.settings import Settings
from jobs import engine
from jobs.simulate.game import Game
from jobs.simulate.life import play_life
from jobs.simulate.order import Behaviours, Order, Outcome, Progress
from jobs.simulate.reference import play_reference, side_body

__all__ = ["Behaviours", "Order", "Outcome", "Progress", "side_body", "simulate"]


def simulate(settings: Settings, order: Order, progress: Progress) -> Outcome:
    """Carries out the order, calling `progress` after each answer; raises HaggleError when the engine stays away."""
    if (order.trades or order.offers) and order.players < 2:
        raise HaggleError("a trade needs two players: ask for at least 2")
    try:
        return asyncio.run(_carry_out(settings, order, progress))
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


async def _carry_out(settings: Settings, order: Order, progress: Progress) -> Outcome:
    game = Game(settings, order, progress)
    economy = engine.economy(settings)
    if order.behaviours:
        await play_life(game, economy, order, order.behaviours)
    else:
        await play_reference(game, economy, order)
    game.caller.close()
    return game.outcome
