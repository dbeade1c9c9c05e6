"""What each command and query does: entrypoints call these, these call the store.

A refused trade is a result: an answer whose event is a `TradeRejected`.
"""

import random
import uuid

from app.adapters.redis import Answer, Store
from app.commands import (
    CreatePlayer,
    Give,
    OriginalSide,
    OriginalTradeRequest,
    Player,
    PlayerRequest,
    Trade,
    TradeRequest,
    TradeSide,
    added_up,
    seen_state,
)
from app.contract.economy import CLASSES
from app.contract.reasons import Problem
from app.errors import InvalidRequest, NotFound

MAX_PAGE = 1_000
"""Most players on a page of GET /v1/players."""


def create_player(store: Store, request: PlayerRequest) -> Player:
    """Creates a player of the class asked for, or of one drawn by weight."""
    player_class = request.player_class or _draw_class()
    if player_class not in CLASSES:
        raise InvalidRequest(
            f"player_class {player_class!r} is not one of {', '.join(CLASSES)} - at `$.player_class`",
            Problem.UNKNOWN_CLASS,
        )
    return store.create_player(CreatePlayer(request.username, player_class))


def trade(store: Store, request: TradeRequest, idempotency_key: str | None) -> Answer:
    """Decides a trade of the v1 route; its trade_id is the body's, the idempotency key, or a new one."""
    if request.trade_id and idempotency_key and request.trade_id != idempotency_key:
        raise InvalidRequest("trade_id and Idempotency-Key differ; send one of them, or the same in both")
    command = Trade(
        request.trade_id or idempotency_key or uuid.uuid4().hex,
        _give(request.player_1, "player_1"),
        _give(request.player_2, "player_2"),
    )
    return store.trade(command)


def original_trade(store: Store, request: OriginalTradeRequest, idempotency_key: str | None) -> Answer:
    """Decides a trade of the original route: the states sent must equal the stored ones."""
    command = Trade(
        idempotency_key or uuid.uuid4().hex,
        _original_give(request.player_1, "player_1"),
        _original_give(request.player_2, "player_2"),
    )
    return store.trade(command)


def find_trade(store: Store, trade_id: str) -> Answer:
    """The stored answer of a trade; raises NotFound once it has expired."""
    answer = store.answer(trade_id)
    if answer is None:
        raise NotFound(f"no stored answer for trade {trade_id!r}: it was never decided here, or its answer has expired")
    return answer


def find_player(store: Store, player_id: int) -> Player:
    """The player's state; raises NotFound."""
    player = store.player(player_id)
    if player is None:
        raise NotFound(f"there is no player {player_id}")
    return player


def list_players(store: Store, cursor: int, limit: int) -> tuple[list[Player], int | None]:
    """A page of players by id and the cursor of the next page, None after the last."""
    players = store.players(cursor, limit)
    return players, players[-1].player_id if len(players) == limit else None


def _draw_class() -> str:
    return random.choices(list(CLASSES), [player_class.weight for player_class in CLASSES.values()])[0]


def _give(side: TradeSide, name: str) -> Give:
    return Give(side.player_id, side.gold, added_up(side.items, f"{name}.items"), side.version)


def _original_give(side: OriginalSide, name: str) -> Give:
    items = added_up(side.items_traded, f"{name}.items_traded")
    return Give(side.player_id, side.gold_traded, items, side.version, seen_state(side))
