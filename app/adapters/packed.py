"""What the Lua functions pack as MessagePack, turned into players and events. Used by redis.py.

The structures here mirror the lists that haggle.lua packs, field by field; what an event does not have is false.
"""

from datetime import datetime
from typing import Any, Final, cast

from msgspec import UNSET, Raw, Struct, json, msgpack

from app.commands import Held, HeldItem, Inventory, ItemQuantity, Player
from app.contract.economy import ITEMS
from app.contract.events import (
    SCHEMA_VERSION,
    Event,
    Holding,
    Line,
    OfferClosed,
    OfferMade,
    OfferRejected,
    PlayerCreated,
    SettledSide,
    Side,
    State,
    TradeAccepted,
    TradeRejected,
)
from app.contract.reasons import OfferOutcome, Rejection

_Units = dict[int, int] | list[int]
_Text = str | bool


class _State(Struct, array_like=True):
    version: int
    gold: int
    units: int
    distinct: int
    value: int
    quantities: list[int]


class _Side(Struct, array_like=True):
    player_id: int
    gold: int
    value: int | bool
    lines: list[tuple[int, int, int | bool]]
    state: _State | bool


class _Created(Struct, array_like=True):
    event_type: str
    player_id: int
    username: str
    player_class: str
    max_capacity: int
    state: _State


class _Exchange(Struct, array_like=True):
    event_type: str
    trade_id: _Text
    offer_id: _Text
    expires_at: _Text
    reason: _Text
    player_1: _Side
    player_2: _Side


class _Player(Struct, array_like=True):
    player_id: int
    username: str
    player_class: str
    capacity: int
    gold: int
    version: int
    units: int
    distinct: int
    value: int
    items: _Units
    held_gold: int
    held: _Units
    offers: int
    last_trade: _Text
    batch: _Text


class StoredAnswer(Struct, array_like=True):
    """The stored answer of a trade or offer; `previous_*` name the trade of either player before it."""

    fingerprint: str
    sequence: int
    occurred_at: str
    body: _Exchange
    player_1: _Player | bool
    player_2: _Player | bool
    previous_1: _Text
    previous_2: _Text

    @property
    def reason(self) -> Rejection | None:
        """Why it was refused, or None."""
        return Rejection(str(self.body.reason)) if self.body.reason else None


_answers: Final = msgpack.Decoder(StoredAnswer)
_players: Final = msgpack.Decoder(_Player)
_bodies: Final = msgpack.Decoder(list[Raw])
_created: Final = msgpack.Decoder(_Created)
_exchanges: Final = msgpack.Decoder(_Exchange)
_LIST_OF_SIX: Final = 0x96
read_answer: Final = _answers.decode
"""The stored answer that is packed."""


def read_player(packed: bytes) -> Player:
    """The player that is packed."""
    return player_of(_players.decode(packed))


def player_of(packed: _Player) -> Player:
    """A player, as callers see it."""
    is_holding = packed.held_gold or packed.held
    return Player(
        player_id=packed.player_id,
        username=packed.username,
        player_class=packed.player_class,
        gold=packed.gold,
        version=packed.version,
        inventory=Inventory(
            max_capacity=packed.capacity,
            current_capacity=packed.capacity - packed.units,
            items=[_held_item(item_id, quantity) for item_id, quantity in _pairs(packed.items)],
        ),
        held=Held(packed.held_gold, [ItemQuantity(*pair) for pair in _pairs(packed.held)]) if is_holding else UNSET,
    )


def player_or_none(packed: _Player | bool) -> Player | None:  # noqa: FBT001 false stands for no such player
    """A player of a stored answer, or None if there was none."""
    return None if isinstance(packed, bool) else player_of(packed)


def event_texts(realm: str, last_sequence: int, occurred_at: str, packed: bytes) -> list[tuple[int, bytes]]:
    """The events of an outbox entry, the last with `last_sequence`: their sequence numbers and JSON texts."""
    bodies = _bodies.decode(packed)
    first = last_sequence - len(bodies) + 1
    events = (
        event_of(realm, sequence, occurred_at, _read_body(bytes(body)))
        for sequence, body in enumerate(bodies, start=first)
    )
    return [(event.sequence, json.encode(event)) for event in events]


def _read_body(packed: bytes) -> _Created | _Exchange:
    is_created = packed[0] == _LIST_OF_SIX
    return _created.decode(packed) if is_created else _exchanges.decode(packed)


def event_of(realm: str, sequence: int, occurred_at: str, body: _Created | _Exchange) -> Event:
    """The event of a body."""
    envelope: dict[str, Any] = {
        "event_id": f"{realm}:{sequence}",
        "schema_version": SCHEMA_VERSION,
        "realm": realm,
        "sequence": sequence,
        "occurred_at": as_time(occurred_at),
    }
    if isinstance(body, _Exchange):
        return _exchange(body, envelope)
    return PlayerCreated(
        player_id=body.player_id,
        username=body.username,
        player_class=body.player_class,
        max_capacity=body.max_capacity,
        state=_state(body.state),
        **envelope,
    )


def as_time(text: str) -> datetime:
    """A time that stays the text that Lua wrote: it is only passed on, and always has its six decimals."""
    return cast("datetime", text)


def _exchange(body: _Exchange, envelope: dict[str, Any]) -> Event:
    one, two, reason = body.player_1, body.player_2, str(body.reason)
    offer = {"offer_id": body.offer_id, "expires_at": as_time(cast("str", body.expires_at)), **envelope}
    trade = {"trade_id": body.trade_id, "offer_id": body.offer_id or None, **envelope}
    match body.event_type:
        case "trade_accepted":
            return TradeAccepted(player_1=_settled(one), player_2=_settled(two), **trade)
        case "trade_rejected":
            return TradeRejected(reason=Rejection(reason), player_1=side_of(one), player_2=side_of(two), **trade)
        case "offer_made":
            return OfferMade(player_1=_settled(one), player_2=side_of(two), **offer)
        case "offer_rejected":
            return OfferRejected(reason=Rejection(reason), player_1=side_of(one), player_2=side_of(two), **offer)
        case "offer_closed":
            return OfferClosed(outcome=OfferOutcome(reason), player_1=_settled(one), player_2=side_of(two), **offer)
    raise ValueError(f"haggle.lua packed an event that is not in the contract: {body.event_type}")


def side_of(side: _Side) -> Side:
    """What a side gave, or would have given."""
    return Side(player_id=side.player_id, gold=side.gold, item_value=_or_none(side.value), items=_lines(side))


def _settled(side: _Side) -> SettledSide:
    return SettledSide(
        player_id=side.player_id,
        gold=side.gold,
        item_value=_or_none(side.value),
        items=_lines(side),
        state=_state(cast("_State", side.state)),
    )


def _lines(side: _Side) -> list[Line]:
    return [Line(item_id, quantity, _or_none(value)) for item_id, quantity, value in side.lines]


def _or_none(value: int | bool) -> int | None:  # noqa: FBT001 false stands for null
    return None if value is False else value


def _state(state: _State) -> State:
    flat = state.quantities
    return State(
        version=state.version,
        gold=state.gold,
        item_units=state.units,
        distinct_items=state.distinct,
        item_value=state.value,
        items=[Holding(*pair) for pair in zip(flat[::2], flat[1::2], strict=True)],
    )


def _pairs(units: _Units) -> list[tuple[int, int]]:
    return sorted(units.items()) if isinstance(units, dict) else list(enumerate(units, start=1))


def _held_item(item_id: int, quantity: int) -> HeldItem:
    item = ITEMS[item_id]
    return HeldItem(item_id, item.name, item.level, item.value, quantity)
