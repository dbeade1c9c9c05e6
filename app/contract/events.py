"""The events that the engine emits: their fields, types, bounds and meaning.

The Lua functions pack their bodies and the relay makes their JSON (app/store/layout.py). Spark's schema and
validity rules are derived from these structures (jobs/streams/schema.py), and `decode_event` is the validator of the
tests. Unknown fields are ignored: an event of a later version that only adds fields is a valid one of this version.
"""

from datetime import datetime
from typing import Final, get_args

from msgspec import Struct
from msgspec.json import Decoder

from app.contract.limits import Amount, Id, Quantity, Text
from app.contract.reasons import AdjustmentReason, OfferOutcome, Rejection

SCHEMA_VERSION: Final = 1

ENVELOPE: Final = (
    r'^\{"event_type":"\w+","event_id":"[\w:-]+","schema_version":\d+,"realm":"([\w-]+)","sequence":(\d{1,16}),'
)
"""How the relay begins an event, with its realm and sequence; what begins otherwise may be one all the same."""


class Line(Struct, frozen=True):
    """An item line that a player gives; `value` is the gold value of one unit, null if the item is unknown."""

    item_id: Id
    quantity: Quantity
    value: Amount | None


class ItemUnits(Struct, frozen=True):
    """Units of an item that a player now holds; 0 means none are left."""

    item_id: Id
    quantity: Amount


class State(Struct, frozen=True, kw_only=True):
    """A player after a change; `items` lists the new quantities of just the items that changed.

    What open offers hold in escrow still belongs to the player and is counted.
    """

    version: Id
    gold: Amount
    item_units: Amount
    distinct_items: Amount
    item_value: Amount
    items: list[ItemUnits]


class Side(Struct, frozen=True, kw_only=True):
    """What one player of a trade gives; `item_value` is the gold value of its items.

    It is null if an item is unknown or the value exceeds 2^53-1; neither can be accepted.
    """

    player_id: Id
    gold: Amount
    item_value: Amount | None
    items: list[Line]


class SideAfter(Side, frozen=True, kw_only=True):
    """A side of an accepted trade, with the player's state after it."""

    state: State


class Goods(Struct, frozen=True, kw_only=True):
    """What the game gives a player or takes from it; `item_value` as of a side."""

    gold: Amount
    item_value: Amount | None
    items: list[Line]


class CatalogItem(Struct, frozen=True):
    """A kind of item; `value` is the gold value of one unit."""

    item_id: Id
    name: Text
    level: Amount
    value: Amount


class CatalogClass(Struct, frozen=True):
    """A class that players are drawn from, by `weight`; `gold` and `items` are what it starts with."""

    name: Text
    weight: Amount
    gold: Amount
    items: list[ItemUnits]


class Envelope(Struct, frozen=True, kw_only=True, tag_field="event_type"):
    """What every event carries. `sequence` is gapless per realm and starts at 1; the time is UTC."""

    event_id: Text
    schema_version: Id
    realm: Text
    sequence: Id
    occurred_at: datetime


class CatalogPublished(Envelope, frozen=True, kw_only=True, tag="catalog_published"):
    """A version of the catalog: from here on items are worth what it says, and new players start as it says."""

    catalog_version: Id
    max_capacity: Amount
    catalog_items: list[CatalogItem]
    catalog_classes: list[CatalogClass]


class PlayerCreated(Envelope, frozen=True, kw_only=True, tag="player_created"):
    """A player was created; `state.items` lists all that it holds.

    `external_id` is what the game calls it. Of a player that was forgotten meanwhile, it and `username` are null.
    """

    player_id: Id
    username: Text | None
    external_id: Text | None = None
    player_class: Text
    max_capacity: Amount
    state: State


class PlayerRenamed(Envelope, frozen=True, kw_only=True, tag="player_renamed"):
    """A player has another username, which is null if the player was forgotten meanwhile."""

    player_id: Id
    username: Text | None
    state: State


class PlayerForgotten(Envelope, frozen=True, kw_only=True, tag="player_forgotten"):
    """A player's username and external_id are gone, and its account is closed; what it holds stays its own."""

    player_id: Id
    state: State


class PlayerAdjusted(Envelope, frozen=True, kw_only=True, tag="player_adjusted"):
    """The game gave and took; `reference` is its own note."""

    adjustment_id: Text
    player_id: Id
    adjustment_reason: AdjustmentReason
    reference: Text | None = None
    given: Goods
    taken: Goods
    state: State


class AdjustmentRejected(Envelope, frozen=True, kw_only=True, tag="adjustment_rejected"):
    """An adjustment was refused and changed nothing."""

    adjustment_id: Text
    player_id: Id
    adjustment_reason: AdjustmentReason
    reference: Text | None = None
    reason: Rejection
    given: Goods
    taken: Goods


class TradeAccepted(Envelope, frozen=True, kw_only=True, tag="trade_accepted"):
    """A trade moved what both players gave; `offer_id` names the offer that it came of, if it did."""

    trade_id: Text
    offer_id: Text | None = None
    player_1: SideAfter
    player_2: SideAfter


class TradeRejected(Envelope, frozen=True, kw_only=True, tag="trade_rejected"):
    """A trade was refused and moved nothing; an offer whose acceptance was refused stays open."""

    trade_id: Text
    offer_id: Text | None = None
    reason: Rejection
    player_1: Side
    player_2: Side


class OfferMade(Envelope, frozen=True, kw_only=True, tag="offer_made"):
    """Player 1 offers what it gives, now held in escrow, for what it wants of player 2."""

    offer_id: Text
    expires_at: datetime
    player_1: SideAfter
    player_2: Side


class OfferRejected(Envelope, frozen=True, kw_only=True, tag="offer_rejected"):
    """An offer was refused; nothing is held."""

    offer_id: Text
    expires_at: datetime
    reason: Rejection
    player_1: Side
    player_2: Side


class OfferClosed(Envelope, frozen=True, kw_only=True, tag="offer_closed"):
    """An offer ended without a trade, and what it held is free again; an accepted one ends with `trade_accepted`."""

    offer_id: Text
    expires_at: datetime
    outcome: OfferOutcome
    player_1: SideAfter
    player_2: Side


Event = (
    CatalogPublished
    | PlayerCreated
    | PlayerRenamed
    | PlayerForgotten
    | PlayerAdjusted
    | AdjustmentRejected
    | TradeAccepted
    | TradeRejected
    | OfferMade
    | OfferRejected
    | OfferClosed
)
EVENT_TYPES: Final = get_args(Event)

_decoder: Decoder[Event] = Decoder(Event)


def decode_event(raw: bytes) -> Event:
    """The event that `raw` holds; raises `msgspec.DecodeError` or its subclass ValidationError, which say where."""
    return _decoder.decode(raw)
