"""What callers get: the shapes of answers. entrypoints/http.py fills them, entrypoints/openapi.py describes them."""

from datetime import datetime
from typing import Literal, cast

from msgspec import UNSET, Struct, UnsetType

from app.adapters.redis import Answer, StoredOffer
from app.commands import ItemQuantity, Player
from app.contract.events import Line
from app.contract.reasons import Rejection

OfferStatus = Literal["open", "accepted", "declined", "cancelled", "expired"]


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
    offer_id: str | UnsetType = UNSET


class TradeResult(Struct, frozen=True):
    """A decided trade and both players' states after it; null where there is no such player."""

    trade: DecidedTrade
    player_1: Player | None
    player_2: Player | None


class TradePage(Struct, frozen=True):
    """A player's accepted trades, newest first; `next_cursor` asks for the next page and is null after the last."""

    trades: list[DecidedTrade]
    next_cursor: str | None


class BatchResult(Struct, frozen=True):
    """What became of one trade of a batch.

    `invalid` has no effect, `detail` says why; `undecided`: Redis went away, so send it again under its trade_id.
    """

    trade_id: str
    status: Literal["accepted", "rejected", "invalid", "undecided"]
    sequence: int | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    detail: str | UnsetType = UNSET
    replayed: bool = False


class BatchResults(Struct, frozen=True):
    """One result per trade of the batch, in order."""

    results: list[BatchResult]


class OfferedSide(Struct, frozen=True):
    """What one player of an offer would give."""

    player_id: int
    gold: int
    items: list[ItemQuantity]


class Offer(Struct, frozen=True):
    """An offer; `sequence` and `occurred_at` are those of its making, `trade_id` names the trade it became."""

    offer_id: str
    status: OfferStatus
    sequence: int
    occurred_at: datetime
    expires_at: datetime
    player_1: OfferedSide
    player_2: OfferedSide
    trade_id: str | UnsetType = UNSET


class OfferResult(Struct, frozen=True):
    """An offer, and the state of the player that made it."""

    offer: Offer
    player_1: Player | None


class OfferPage(Struct, frozen=True):
    """Open offers by age; `next_cursor` asks for the next page and is null after the last."""

    offers: list[Offer]
    next_cursor: int | None


class Token(Struct, frozen=True):
    """A player's token, for the header `Authorization: Bearer <token>`."""

    token: str
    expires_at: datetime


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
    """Whether commands are taken, how many events wait for Kafka, and since when the oldest does."""

    status: str
    outbox_entries: int
    outbox_age_s: float
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
    one, two = answer.given_1, answer.given_2
    return DecidedTrade(
        trade_id=answer.trade_id,
        status="rejected" if answer.reason else "accepted",
        sequence=answer.sequence,
        occurred_at=answer.occurred_at,
        player_1=TradedSide(one.player_id, one.gold, one.items),
        player_2=TradedSide(two.player_id, two.gold, two.items),
        reason=answer.reason or UNSET,
        offer_id=answer.offer_id or UNSET,
    )


def shown_offer(stored: StoredOffer) -> Offer:
    """An offer, as callers see it."""
    sides = [
        OfferedSide(side.player_id, side.gold, [ItemQuantity(*line) for line in side.items.items()])
        for side in (stored.player_1, stored.player_2)
    ]
    return Offer(
        offer_id=stored.offer_id,
        status=cast("OfferStatus", stored.status),
        sequence=stored.sequence,
        occurred_at=stored.occurred_at,
        expires_at=stored.expires_at,
        player_1=sides[0],
        player_2=sides[1],
        trade_id=stored.trade_id or UNSET,
    )
