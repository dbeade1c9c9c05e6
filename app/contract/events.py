"""The events that the engine emits: their fields, types, bounds and meaning.

The Lua functions pack their bodies and the relay makes their JSON (app/store/layout.py). Spark's schema and
validity rules are derived from these structures (jobs/streams/schema.py), and `decode_event` is the validator of the
tests. Unknown fields are ignored: an event of a later version that only adds fields is a valid one of this version.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.json import Decoder

from app.contract.limits import Amount, Id, Quantity, Text
from app.contract.reasons import OfferOutcome, Rejection

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


class Envelope(Struct, frozen=True, kw_only=True, tag_field="event_type"):
    """What every event carries. `sequence` is gapless per realm and starts at 1; the time is UTC."""

    event_id: Text
    schema_version: Id
    realm: Text
    sequence: Id
    occurred_at: datetime


class PlayerCreated(Envelope, frozen=True, kw_only=True, tag="player_created"):
    """A player was created; `state.items` lists all that it holds."""

    player_id: Id
    username: Text
    player_class: Text
    max_capacity: Amount
    state: State


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


Event = PlayerCreated | TradeAccepted | TradeRejected | OfferMade | OfferRejected | OfferClosed
EVENT_TYPES: Final = (PlayerCreated, TradeAccepted, TradeRejected, OfferMade, OfferRejected, OfferClosed)

_decoder: Decoder[Event] = Decoder(Event)


def decode_event(raw: bytes) -> Event:
    """The event that `raw` holds; raises `msgspec.DecodeError` or its subclass ValidationError, which say where."""
    return _decoder.decode(raw)
