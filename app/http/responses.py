"""What callers get: the shapes of answers, how they are made of the domain's, and how they become HTTP responses.

Every error becomes problem+json (RFC 9457) here.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Literal, TypeVar

import msgspec
from flask import Response, current_app, request
from msgspec import UNSET, Struct, UnsetType
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app import domain
from app.contract import events
from app.contract.economy import Economy
from app.contract.events import Line
from app.contract.limits import Amount, Id
from app.contract.reasons import AdjustmentReason, Problem, Rejection
from app.domain import OfferStatus
from app.errors import IdempotencyMismatch, RequestError, Unauthenticated
from app.http import repeats
from app.http.requests import AdjustedItem, Escrow, Inventory, ItemQuantity, catalog_entry, item_quantities
from app.store.layout import as_time

T = TypeVar("T")

_log = logging.getLogger(__name__)


# ---------------------------------------------------------------- shapes


class Player(Struct, frozen=True, forbid_unknown_fields=True):
    """A player's state, as every answer shows it; `held` is left out while nothing is held.

    `external_id` is left out if the game calls it nothing. One that was forgotten has no username, and is `closed`.
    """

    player_id: Id
    username: str | None
    player_class: str
    gold: Amount
    version: Id
    inventory: Inventory
    held: Escrow | UnsetType = UNSET
    external_id: str | UnsetType = UNSET
    closed: bool | UnsetType = UNSET


class TradedSide(Struct, frozen=True):
    """What one player gave, or would have given."""

    player_id: int
    gold: int
    items: list[Line]


class DecidedTrade(Struct, frozen=True):
    """A decided trade; `reason` says why it was rejected. What either side gave is left out where it is not kept."""

    trade_id: str
    status: Literal["accepted", "rejected"]
    sequence: int
    occurred_at: datetime
    player_1: TradedSide | UnsetType = UNSET
    player_2: TradedSide | UnsetType = UNSET
    reason: Rejection | UnsetType = UNSET
    offer_id: str | UnsetType = UNSET


class TradeResult(Struct, frozen=True):
    """A decided trade and both players; null where there is no such player, or it is not the caller's to see.

    `players_as_of` says whether they are as they were after the trade, or as they are now: of a trade that was decided
    longer ago than ANSWER_FULL_S no more is known than the decision.
    """

    trade: DecidedTrade
    player_1: Player | None
    player_2: Player | None
    players_as_of: Literal["trade", "now"]


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


class Adjustment(Struct, frozen=True):
    """A decided adjustment, as it was sent."""

    adjustment_id: str
    status: Literal["accepted", "rejected"]
    sequence: int
    occurred_at: datetime
    player_id: int
    gold: int
    items: list[AdjustedItem]
    reason: AdjustmentReason
    reference: str | UnsetType = UNSET


class AdjustmentResult(Struct, frozen=True):
    """A decided adjustment, and the player: after it, or, of one that was decided before, as it is now."""

    adjustment: Adjustment
    player: Player | None


class AdjustmentResults(Struct, frozen=True):
    """One result per adjustment of the batch, in order."""

    results: list["BatchedAdjustment"]


class BatchedAdjustment(Struct, frozen=True):
    """What became of one adjustment of a batch, as of a trade."""

    adjustment_id: str
    status: Literal["accepted", "rejected", "invalid", "undecided"]
    sequence: int | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    detail: str | UnsetType = UNSET
    replayed: bool = False


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


class Revoked(Struct, frozen=True):
    """The tokens that this player's client had are good no longer."""

    player_id: int


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
    """The catalog that is in force."""

    catalog_version: int
    items: list[CatalogItem]


class StartingClass(Struct, frozen=True):
    """A player class; `weight` is its share of random draws."""

    name: str
    weight: int
    gold: int
    items: list[ItemQuantity]


class ClassList(Struct, frozen=True):
    """The classes that players are drawn from, and how many item units a new one can carry."""

    catalog_version: int
    max_capacity: int
    classes: list[StartingClass]


Commands = Literal["ok", "outbox_full", "redis_full"]
"""Whether commands are taken, or why not."""


class Health(Struct, frozen=True):
    """Whether commands are taken (`ok`), or why they are refused while reads are served.

    `outbox_events` and `outbox_age_s`: how many events wait for Kafka, and since when the oldest does.
    `redis_full_in_s`: when Redis' memory will be full if it grows as in the last hour; null while it does not.
    """

    status: Commands
    outbox_events: int
    outbox_age_s: float
    sequence: int
    redis_full_in_s: float | None


class Liveness(Struct, frozen=True):
    """The process answers."""

    status: str


class ProblemDetails(Struct, frozen=True):
    """An error (RFC 9457). `reason` is stable; `trade` or `adjustment` is there if one was decided and refused."""

    type: str
    title: str
    status: int
    reason: str
    detail: str
    trade: DecidedTrade | UnsetType = UNSET
    adjustment: Adjustment | UnsetType = UNSET


# ---------------------------------------------------------------- shapes of what is in the domain


def player(found: domain.Player, economy: Economy) -> Player:
    """A player's state."""
    return Player(
        found.player_id,
        found.username,
        found.player_class,
        found.gold,
        found.version,
        _inventory(found, economy),
        Escrow(found.held_gold, item_quantities(found.held_items)) if found.held_gold or found.held_items else UNSET,
        found.external_id or UNSET,
        found.is_closed or UNSET,
    )


def player_or_none(found: domain.Player | None, economy: Economy) -> Player | None:
    """A player's state; None if there is no such player."""
    return None if found is None else player(found, economy)


def _inventory(found: domain.Player, economy: Economy) -> Inventory:
    # no item that is held is ever missing: one that is cannot leave the catalog
    items = [entry for line in found.items.items() if (entry := catalog_entry(economy, *line))]
    return Inventory(found.max_capacity, found.max_capacity - found.item_units, items)


def decided_trade(decision: domain.Decision) -> DecidedTrade:
    """A decided trade."""
    return DecidedTrade(
        trade_id=decision.trade_id,
        status="rejected" if decision.reason else "accepted",
        sequence=decision.sequence,
        occurred_at=decision.occurred_at,
        player_1=_traded(decision.side_1),
        player_2=_traded(decision.side_2),
        reason=decision.reason or UNSET,
        offer_id=decision.offer_id or UNSET,
    )


def _traded(side: events.Side | None) -> TradedSide | UnsetType:
    return UNSET if side is None else TradedSide(side.player_id, side.gold, side.items)


def batch_result(trade_id: str, result: domain.BatchResult) -> BatchResult:
    """What became of one trade of a batch."""
    return _batched(BatchResult, trade_id, result)


def adjustment_result(adjustment_id: str, result: domain.AdjustmentResult) -> BatchedAdjustment:
    """What became of one adjustment of a batch."""
    return _batched(BatchedAdjustment, adjustment_id, result)


def _batched(kind: Callable[..., T], name: str, result: domain.BatchResult | domain.AdjustmentResult) -> T:
    match result.status:
        case "invalid":
            return kind(name, "invalid", reason=Problem.INVALID_REQUEST, detail=result.detail)
        case "undecided":
            return kind(name, "undecided", reason=result.reason)
        case "mismatch":
            reason = Problem.IDEMPOTENCY_MISMATCH
            return kind(name, "invalid", reason=reason, detail=reason.help)
    status = "rejected" if result.reason else "accepted"
    return kind(name, status, result.sequence, result.reason or UNSET, replayed=result.status != "decided")


def adjustment(decided: domain.Adjustment, result: domain.AdjustmentResult) -> Adjustment:
    """A decided adjustment."""
    return Adjustment(
        adjustment_id=decided.adjustment_id,
        status="rejected" if result.reason else "accepted",
        sequence=result.sequence,
        occurred_at=as_time(result.occurred_at),
        player_id=decided.player_id,
        gold=decided.gold,
        items=[AdjustedItem(*line) for line in decided.items.items()],
        reason=decided.reason,
        reference=decided.reference or UNSET,
    )


def offer(found: domain.Offer) -> Offer:
    """An offer."""
    return Offer(
        offer_id=found.offer_id,
        status=found.status,
        sequence=found.sequence,
        occurred_at=found.occurred_at,
        expires_at=found.expires_at,
        player_1=_offered(found.player_1),
        player_2=_offered(found.player_2),
        trade_id=found.trade_id or UNSET,
    )


def _offered(side: domain.Side) -> OfferedSide:
    return OfferedSide(side.player_id, side.gold, item_quantities(side.items))


def catalog(economy: Economy) -> ItemList:
    """The catalog of items."""
    items = [CatalogItem(item.item_id, item.name, item.level, item.value) for item in economy.items.values()]
    return ItemList(economy.version, items)


def classes(economy: Economy) -> ClassList:
    """The classes that players are drawn from."""
    found = [
        StartingClass(kind.name, kind.weight, kind.gold, item_quantities(kind.items))
        for kind in economy.classes.values()
    ]
    return ClassList(economy.version, economy.max_capacity, found)


# ---------------------------------------------------------------- responses


def json(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(body), status, headers, content_type="application/json")


def text(body: str) -> Response:
    """A text answer."""
    return Response(body, content_type="text/plain; charset=utf-8")


def problem(
    status: int,
    reason: str,
    detail: str,
    headers: dict[str, str] | None = None,
    decided: DecidedTrade | Adjustment | None = None,
) -> Response:
    """An error; `decided` is what was decided and refused, if that is the error."""
    title = reason.replace("_", " ").capitalize()
    trade = decided if isinstance(decided, DecidedTrade) else UNSET
    adjusted = decided if isinstance(decided, Adjustment) else UNSET
    details = ProblemDetails("about:blank", title, status, reason, detail, trade, adjusted)
    return Response(msgspec.json.encode(details), status, headers, content_type="application/problem+json")


def render_request_error(error: RequestError) -> Response:
    """An error that Haggle raised."""
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, IdempotencyMismatch):
        repeats.note("mismatch", [error.name])
    return problem(error.status, error.reason, error.detail, headers)


def render_http_error(error: HTTPException) -> Response:
    """An error that Flask raised, such as 404 for an unknown path."""
    status = error.code or 500
    if isinstance(error, RequestEntityTooLarge):
        limit = current_app.config["MAX_CONTENT_LENGTH"]
        return problem(status, Problem.REQUEST_TOO_LARGE, f"the body is larger than {limit} bytes")
    if status == 408:
        return problem(status, Problem.REQUEST_TIMEOUT, "the body did not come in time; send it faster, or in parts")
    if status == 405:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        detail = f"{request.path} does not support {request.method}"
        return problem(status, Problem.METHOD_NOT_ALLOWED, detail, {"Allow": allowed})
    if status == 404:
        return problem(status, Problem.NOT_FOUND, f"there is no {request.path}; see /docs")
    return problem(status, Problem.INVALID_REQUEST, error.description or error.name)


def render_defect(error: Exception) -> Response:
    """Anything else is a defect."""
    _log.error("defect in a request", exc_info=error, extra={"context": {"path": request.path}})
    return problem(500, Problem.INTERNAL, "a defect in the engine; its log has the traceback")
