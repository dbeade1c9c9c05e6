"""What callers send: the shapes of bodies, checked on decoding, and what is made of them.

Shapes, types and ranges are checked here; the rules of a trade are the Lua functions'.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from app.contract.economy import Economy
from app.contract.limits import (
    MAX_ADJUSTMENTS,
    MAX_AMOUNT,
    MAX_BATCH,
    MAX_LINES,
    Amount,
    ExternalId,
    Id,
    Name,
    Quantity,
    Reference,
    Username,
)
from app.contract.reasons import AdjustmentReason, Problem
from app.domain import Adjustment, Side, Versions
from app.errors import InvalidRequest, RequestError

T = TypeVar("T")


class ItemQuantity(Struct, frozen=True, forbid_unknown_fields=True):
    """Units of one item."""

    item_id: Id
    quantity: Quantity


class OriginalPlayerRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of PUT /create_player."""

    username: Username | None = None
    player_class: str | None = None


class PlayerRequest(OriginalPlayerRequest, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/players; `external_id` is what the game calls the player, which no other may be called."""

    external_id: ExternalId | None = None


class RenameRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of PATCH /v1/players/{player_id}."""

    username: Username


class TradeSide(Struct, frozen=True, forbid_unknown_fields=True):
    """What one player gives; `version` is the state that the caller saw, if the trade depends on it."""

    player_id: Id
    items: Annotated[list[ItemQuantity], Meta(max_length=MAX_LINES)] = []
    gold: Amount = 0
    version: Id | None = None


class TradeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/trades."""

    player_1: TradeSide
    player_2: TradeSide
    trade_id: Name | None = None


class BatchRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/trades/batch."""

    mode: Literal["independent", "all_or_nothing"]
    trades: Annotated[list[TradeRequest], Meta(min_length=1, max_length=MAX_BATCH)]


Signed = Annotated[int, Meta(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]


class AdjustedItem(Struct, frozen=True, forbid_unknown_fields=True):
    """Units of one item, above 0 to give them, below to take them."""

    item_id: Id
    quantity: Signed


class AdjustmentRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/adjustments: the game gives what is above 0, and takes what is below.

    `reference` is the game's own note, such as a quest or a sale.
    """

    player_id: Id
    reason: AdjustmentReason
    gold: Signed = 0
    items: Annotated[list[AdjustedItem], Meta(max_length=MAX_LINES)] = []
    reference: Reference | None = None
    adjustment_id: Name | None = None


class AdjustmentBatchRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/adjustments/batch."""

    adjustments: Annotated[list[AdjustmentRequest], Meta(min_length=1, max_length=MAX_ADJUSTMENTS)]


class OfferRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/offers: player 1 gives what its side says for what the other side says."""

    player_1: TradeSide
    player_2: TradeSide
    offer_id: Name | None = None
    expires_in_s: Id | None = None


# ---------------------------------------------------------------- the original route


class InventoryItem(Struct, frozen=True, forbid_unknown_fields=True):
    """An item in an inventory."""

    item_id: Id
    name: str
    level: int
    value: Amount
    quantity: Quantity


class Inventory(Struct, frozen=True, forbid_unknown_fields=True):
    """What a player holds; `current_capacity` is what is still free, in item units."""

    max_capacity: Amount
    current_capacity: Amount
    items: list[InventoryItem]


class Escrow(Struct, frozen=True, forbid_unknown_fields=True):
    """What a player's open offers hold in escrow: the player has it, but cannot give it."""

    gold: Amount
    items: list[ItemQuantity]


class TradedItem(Struct, frozen=True, forbid_unknown_fields=True):
    """Units of one item on the original route, where an item may come with its catalog entry."""

    item_id: Id
    quantity: Quantity
    name: str | None = None
    level: int | None = None
    value: Amount | None = None


class OriginalSide(Struct, frozen=True, forbid_unknown_fields=True):
    """A player's whole state as the caller saw it, and what it gives."""

    player_id: Id
    username: str
    player_class: str
    inventory: Inventory
    gold: Amount
    items_traded: Annotated[list[TradedItem], Meta(max_length=MAX_LINES)] = []
    gold_traded: Amount = 0
    version: Id | None = None
    held: Escrow | UnsetType = UNSET
    external_id: str | UnsetType = UNSET


class OriginalTradeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /trade."""

    player_1: OriginalSide
    player_2: OriginalSide


# ---------------------------------------------------------------- decoding


class BatchItem(NamedTuple):
    """One trade of a batch: its request, or why it is not one."""

    request: TradeRequest | None
    problem: str = ""

    @property
    def trade_id(self) -> str | None:
        """The name that it is given."""
        return self.request.trade_id if self.request else None


class Batch(NamedTuple):
    """A batch, of which some trades may be invalid if it is an independent one."""

    mode: str
    items: list[BatchItem]


class AdjustmentItem(NamedTuple):
    """One adjustment of a batch: its request, or why it is not one."""

    request: AdjustmentRequest | None
    problem: str = ""

    @property
    def adjustment_id(self) -> str | None:
        """The name that it is given."""
        return self.request.adjustment_id if self.request else None


class _RawAdjustments(Struct):
    adjustments: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=MAX_ADJUSTMENTS)]


class _RawBatch(Struct):
    mode: str
    trades: list[msgspec.Raw]


def decoded(raw: bytes | msgspec.Raw, kind: type[T]) -> T:
    """The body in its shape; raises InvalidRequest, which says where it does not fit, or RequestError if no JSON."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise InvalidRequest(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(Problem.INVALID_JSON, f"the body is not JSON: {error}") from None


def decoded_or_empty(raw: bytes, kind: type[T]) -> T:
    """As `decoded`; no body stands for one in which nothing is given."""
    return decoded(raw, kind) if raw.strip() else kind()


def decoded_batch(raw: bytes, kind: type[BatchRequest]) -> Batch:
    """The batch's mode and trades; one of independent trades fits though some of them do not."""
    try:
        body = decoded(raw, kind)
    except InvalidRequest:
        loose = decoded(raw, _RawBatch)
        if loose.mode != "independent" or not 1 <= len(loose.trades) <= MAX_BATCH:
            raise
        return Batch(loose.mode, [_item(trade, place) for place, trade in enumerate(loose.trades)])
    return Batch(body.mode, [BatchItem(trade) for trade in body.trades])


def _item(raw: msgspec.Raw, place: int) -> BatchItem:
    try:
        return BatchItem(decoded(raw, TradeRequest))
    except InvalidRequest as error:
        return BatchItem(None, error.detail.replace("`$", f"`$.trades[{place}]"))


def decoded_adjustments(raw: bytes, kind: type[AdjustmentBatchRequest]) -> list[AdjustmentItem]:
    """The adjustments of a batch, some of which may not fit."""
    try:
        return [AdjustmentItem(request) for request in decoded(raw, kind).adjustments]
    except InvalidRequest:
        loose = decoded(raw, _RawAdjustments)
        return [_adjustment_item(request, place) for place, request in enumerate(loose.adjustments)]


def _adjustment_item(raw: msgspec.Raw, place: int) -> AdjustmentItem:
    try:
        return AdjustmentItem(decoded(raw, AdjustmentRequest))
    except InvalidRequest as error:
        return AdjustmentItem(None, error.detail.replace("`$", f"`$.adjustments[{place}]"))


# ---------------------------------------------------------------- what is made of them


def sides(request: TradeRequest | OfferRequest, seen: Versions) -> tuple[Side, Side]:
    """Both sides; `seen` are the versions of If-Match. Raises InvalidRequest where they contradict each other."""
    one, two = request.player_1, request.player_2
    others = seen.keys() - {one.player_id, two.player_id}
    if others:
        raise InvalidRequest(f"If-Match names player {min(others)}, who has no part in this")
    return _side(one, "player_1", seen), _side(two, "player_2", seen)


def _side(side: TradeSide, name: str, seen: Versions) -> Side:
    version = seen.get(side.player_id, side.version)
    if side.version is not None and version != side.version:
        raise InvalidRequest(f"If-Match and version differ - at `$.{name}.version`")
    return Side(side.player_id, side.gold, _added_up(side.items, f"{name}.items"), version)


def adjustment(request: AdjustmentRequest, name: str) -> Adjustment:
    """The adjustment; raises InvalidRequest if it gives and takes nothing."""
    items = {item_id: units for item_id, units in _added_up(request.items, "items").items() if units}
    if not request.gold and not items:
        raise InvalidRequest("an adjustment gives or takes gold or items - at `$`")
    return Adjustment(name, request.player_id, request.gold, items, request.reason, request.reference)


def original_sides(request: OriginalTradeRequest, economy: Economy) -> tuple[Side, Side]:
    """Both sides of the original route, where the states that were sent must be the stored ones."""
    one, two = request.player_1, request.player_2
    return _original_side(one, "player_1", economy), _original_side(two, "player_2", economy)


def _original_side(side: OriginalSide, name: str, economy: Economy) -> Side:
    items = _added_up(side.items_traded, f"{name}.items_traded")
    return Side(side.player_id, side.gold_traded, items, side.version, seen_state(side, economy))


def _added_up(lines: Sequence[ItemQuantity | TradedItem | AdjustedItem], where: str) -> dict[int, int]:
    """Units per item, an item listed twice added up; raises InvalidRequest beyond 2^53-1."""
    units: dict[int, int] = {}
    for line in lines:
        units[line.item_id] = units.get(line.item_id, 0) + line.quantity
        if abs(units[line.item_id]) > MAX_AMOUNT:
            raise InvalidRequest(f"the quantities of item {line.item_id} add up to more than 2^53-1 - at `$.{where}`")
    return units


def item_quantities(units: dict[int, int]) -> list[ItemQuantity]:
    """Units by item_id, as callers see them."""
    return [ItemQuantity(*line) for line in units.items()]


def seen_state(side: OriginalSide, economy: Economy) -> str:
    """The text that the Lua functions compare with the stored state (`seen_state_text` in lua/rules.lua).

    A state that no player can be in, such as a forged item value, gives a text that never equals one.
    """
    if not _is_consistent(side.inventory, economy):
        return "inconsistent"
    held = sorted((item.item_id, item.quantity) for item in side.inventory.items)
    parts = [side.username, side.player_class, str(side.gold), str(side.inventory.max_capacity)]
    return "\0".join(parts + [f"{item_id}:{quantity}" for item_id, quantity in held])


def _is_consistent(inventory: Inventory, economy: Economy) -> bool:
    units = sum(item.quantity for item in inventory.items)
    return units + inventory.current_capacity == inventory.max_capacity and all(
        item == catalog_entry(economy, item.item_id, item.quantity) for item in inventory.items
    )


def catalog_entry(economy: Economy, item_id: int, quantity: int) -> InventoryItem | None:
    """An item in an inventory, as the catalog describes it; None if it is not there."""
    known = economy.items.get(item_id)
    return None if known is None else InventoryItem(item_id, known.name, known.level, known.value, quantity)


def check_names(trade_ids: Iterable[str]) -> None:
    """Raises InvalidRequest if a trade is named twice."""
    seen: set[str] = set()
    for place, trade_id in enumerate(trade_ids):
        if trade_id in seen:
            raise InvalidRequest(f"trade_id {trade_id!r} stands twice - at `$.trades[{place}].trade_id`")
        seen.add(trade_id)
