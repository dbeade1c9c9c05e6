"""What callers get: the shapes of answers. entrypoints/http.py fills them, entrypoints/openapi.py describes them."""

from datetime import datetime
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from app.adapters.redis import Answer
from app.commands import ItemQuantity, Player
from app.contract.events import Line, TradeRejected
from app.contract.reasons import Rejection


class TradedSide(Struct, frozen=True):
    """What one player gave, or would have given."""

    player_id: int
    gold: int
    items: list[Line]


class DecidedTrade(Struct, frozen=True):
    """A decided trade; `reason` says why it was rejected."""

    trade_id: str
    status: Literal["accepted", "rejected"]
    sequence: int
    occurred_at: datetime
    player_1: TradedSide
    player_2: TradedSide
    reason: Rejection | UnsetType = UNSET


class TradeResult(Struct, frozen=True):
    """A decided trade and both players' states after it; null where there is no such player."""

    trade: DecidedTrade
    player_1: Player | None
    player_2: Player | None


class OriginalTradeResult(Struct, frozen=True):
    """The original route's answer: both states, and why the trade was refused, if it was."""

    player_1: Player | None
    player_2: Player | None
    trade_time: datetime
    fail_reason: Rejection | UnsetType = UNSET


class PlayerPage(Struct, frozen=True):
    """Players by id; `next_cursor` asks for the next page and is null after the last."""

    players: list[Player]
    next_cursor: int | None


class CatalogItem(Struct, frozen=True):
    """A kind of item; `value` is the gold value of one unit."""

    item_id: int
    name: str
    level: int
    value: int


class ItemList(Struct, frozen=True):
    """The catalog."""

    items: list[CatalogItem]


class StartingClass(Struct, frozen=True):
    """A player class; `weight` is its share of random draws."""

    name: str
    weight: int
    gold: int
    items: list[ItemQuantity]


class ClassList(Struct, frozen=True):
    """The classes that players are drawn from."""

    classes: list[StartingClass]


class Health(Struct, frozen=True):
    """Whether commands are taken, and how many events wait for Kafka."""

    status: str
    outbox_entries: int
    sequence: int


class Liveness(Struct, frozen=True):
    """The process answers."""

    status: str


class ProblemDetails(Struct, frozen=True):
    """An error (RFC 9457). `reason` is stable; `trade` is there if the trade was decided and refused."""

    type: str
    title: str
    status: int
    reason: str
    detail: str
    trade: DecidedTrade | UnsetType = UNSET


def decided_trade(answer: Answer) -> DecidedTrade:
    """The trade of a stored answer, as callers see it."""
    event = answer.event
    rejected = isinstance(event, TradeRejected)
    return DecidedTrade(
        trade_id=event.trade_id,
        status="rejected" if rejected else "accepted",
        sequence=event.sequence,
        occurred_at=event.occurred_at,
        player_1=TradedSide(event.player_1.player_id, event.player_1.gold, event.player_1.items),
        player_2=TradedSide(event.player_2.player_id, event.player_2.gold, event.player_2.items),
        reason=event.reason if isinstance(event, TradeRejected) else UNSET,
    )
