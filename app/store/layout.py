"""How what is stored and sent is packed: MessagePack of lists, whose fields stand in the order of the structures here.

Lua gets the place of each field that it reads as a constant (`lua_constants`). What it packs piece by piece, for speed
(events.lua, `make_answer` in decisions.lua), stands in the order of these structures, on which the decoders insist.
What is not there is false, as Lua has it. A table of Lua whose keys are 1 to n is packed as a list: units by item_id
come as either.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, cast

from msgspec import Raw, Struct, json, msgpack

from app.contract import events
from app.contract.economy import ITEMS
from app.contract.events import SCHEMA_VERSION, Event, ItemUnits, Line, SideAfter, State
from app.contract.limits import MAX_AMOUNT
from app.contract.reasons import OfferOutcome, Rejection
from app.domain import BatchResult, Decision, Offer, Player, Side, Trade

_Units = dict[int, int] | list[int]
_Text = str | bool
_Number = int | bool

encode: Final = msgpack.Encoder().encode
SWEEP_S: Final = 3_600
"""Time in which all records are looked at, so how much longer than due one may be kept (lua/decisions.lua)."""
_DIGEST_BYTES: Final = 12
_FINGERPRINT_BYTES: Final = 8


# ---------------------------------------------------------------- what Lua keeps


class _Player(Struct, array_like=True):
    """`units`, `distinct` and `value` (in gold) count all items; `gold` and `items` count what offers hold too.

    `offers`: open offers that it made, which hold `held_gold` and `held`. `last_trade`, `last_minute`: sequence and
    minute of its newest accepted trade, under which the answer stands. `batch`: the batch in progress that marked it.
    """

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
    last_trade: _Number
    last_minute: _Number
    batch: _Text


class _State(Struct, array_like=True):
    version: int
    gold: int
    units: int
    distinct: int
    value: int
    quantities: list[int]


class _SideBody(Struct, array_like=True):
    player_id: int
    gold: int
    value: int | bool
    lines: list[tuple[int, int, int | bool]]
    state: _State | bool


class _CreatedBody(Struct, array_like=True):
    event_type: str
    player_id: int
    username: str
    player_class: str
    max_capacity: int
    state: _State


class _ExchangeBody(Struct, array_like=True):
    event_type: str
    trade_id: _Text
    offer_id: _Text
    expires_at: _Text
    reason: _Text
    player_1: _SideBody
    player_2: _SideBody


class _Answer(Struct, array_like=True):
    """The whole answer of a trade: the body of its event, and both players.

    `previous_*`: sequence and minute of either player's trade before it.
    """

    sequence: int
    occurred_at: str
    body: _ExchangeBody
    player_1: _Player | bool
    player_2: _Player | bool
    previous_1: _Number
    previous_minute_1: _Number
    previous_2: _Number
    previous_minute_2: _Number


# ---------------------------------------------------------------- what Lua is sent


class _SentLine(Struct, array_like=True):
    item_id: int
    quantity: int
    unit_value: int | bool


class _SentSide(Struct, array_like=True):
    player_id: int
    gold: int
    seen_version: int | bool
    seen_state: _Text
    lines: list[_SentLine]


class _SentTrade(Struct, array_like=True):
    """`digest`, `fingerprint`: room for what Lua puts there; a list that grows would be moved."""

    id: str
    player_1: _SentSide
    player_2: _SentSide
    digest: bool = False
    fingerprint: bool = False


def lua_constants() -> Iterator[tuple[str, str | int]]:
    """The constants of the Lua library: bounds, and the place of each field of what is packed (from 1)."""
    yield "MAX_AMOUNT", MAX_AMOUNT
    yield "SWEEP_S", SWEEP_S
    yield "DIGEST_BYTES", _DIGEST_BYTES
    yield "FINGERPRINT_BYTES", _FINGERPRINT_BYTES
    heads: dict[str, type[Struct]] = {
        "ANSWER": _Answer,
        "BODY": _ExchangeBody,
        "CREATED": _CreatedBody,
        "SIDE_BODY": _SideBody,
        "STATE": _State,
    }
    for name, struct in heads.items():
        yield f"{name}_HEAD", f"'\\{_head(struct)}'"
    yield "REASONS", "{" + ", ".join(f"'{reason}'" for reason in Rejection) + "}"
    yield "REASON_PLACES", "{" + ", ".join(f"{name} = {n}" for n, name in enumerate(Rejection, start=1)) + "}"
    packed = (("", _Player), ("ANSWER_", _Answer), ("BODY_", _ExchangeBody))
    for prefix, struct in (*packed, ("TRADE_", _SentTrade), ("SIDE_", _SentSide), ("", _SentLine)):
        for place, name in enumerate(struct.__struct_fields__, start=1):
            yield f"{prefix}{name.upper()}", place


def _head(struct: type[Struct]) -> int:
    """The byte that its list begins with (MessagePack's fixarray)."""
    return 0x90 + len(struct.__struct_fields__)


def pack_trades(trades: Sequence[Trade]) -> tuple[bytes, bytes]:
    """Trades, and of each its digest and fingerprint one after the other: Lua's MessagePack knows no binary strings."""
    tells = b"".join(digest_of_trade(trade.trade_id) + fingerprint(trade) for trade in trades)
    return encode([_sent_trade(trade) for trade in trades]), tells


def pack_sides(*sides: Side) -> bytes:
    """The sides of an offer."""
    return encode([_sent_side(side) for side in sides])


def pack_units(units: dict[int, int]) -> bytes:
    """Units by item_id, as lines."""
    return encode(_sent_lines(units))


def digest_of_trade(trade_id: str) -> bytes:
    """What stands for the name of a trade among records, too long for two names to share by chance."""
    return hashlib.blake2b(b"trade/" + trade_id.encode(), digest_size=_DIGEST_BYTES).digest()


def digest_of_offer(offer_id: str) -> bytes:
    """What stands for the name of an offer."""
    return hashlib.blake2b(b"offer/" + offer_id.encode(), digest_size=_DIGEST_BYTES).digest()


def fingerprint(content: Any) -> bytes:
    """What tells a command from others of the same name."""
    return hashlib.blake2b(encode(content), digest_size=_FINGERPRINT_BYTES).digest()


def _sent_trade(trade: Trade) -> _SentTrade:
    return _SentTrade(trade.trade_id, _sent_side(trade.player_1), _sent_side(trade.player_2))


def _sent_side(side: Side) -> _SentSide:
    seen_version, seen_state = side.seen_version or False, side.seen_state or False
    return _SentSide(side.player_id, side.gold, seen_version, seen_state, _sent_lines(side.items))


def _sent_lines(units: dict[int, int]) -> list[_SentLine]:
    return [
        _SentLine(item_id, quantity, ITEMS[item_id].value if item_id in ITEMS else False)
        for item_id, quantity in units.items()
    ]


# ---------------------------------------------------------------- what comes back

_answers: Final = msgpack.Decoder(_Answer)
_players: Final = msgpack.Decoder(_Player)
_player_or_false: Final = msgpack.Decoder(_Player | bool)
_results: Final = msgpack.Decoder(list[BatchResult])
_sides: Final = msgpack.Decoder(list[_SentSide])
read_results: Final = _results.decode
"""The results of trades that are packed."""


def read_player(packed: bytes) -> Player:
    """The player that is packed."""
    return _player(_players.decode(packed))


def read_player_or_none(packed: bytes) -> Player | None:
    """The player that is packed, or None for false."""
    return _player_or_none(_player_or_false.decode(packed))


def _player_or_none(packed: _Player | bool) -> Player | None:  # noqa: FBT001 false stands for no such player
    return None if isinstance(packed, bool) else _player(packed)


def _player(packed: _Player) -> Player:
    return Player(
        player_id=packed.player_id,
        username=packed.username,
        player_class=packed.player_class,
        gold=packed.gold,
        version=packed.version,
        max_capacity=packed.capacity,
        item_units=packed.units,
        items=_sorted(packed.items),
        held_gold=packed.held_gold,
        held_items=_sorted(packed.held),
    )


def _sorted(units: _Units) -> dict[int, int]:
    return dict(sorted(units.items()) if isinstance(units, dict) else enumerate(units, start=1))


def decision(status: str, packed: bytes) -> Decision:
    """The decision of an answer; `status` is how it came about: decided, replayed or recalled."""
    answer = _answers.decode(packed)
    body = answer.body
    return Decision(
        trade_id=str(body.trade_id),
        offer_id=str(body.offer_id) if body.offer_id else None,
        sequence=answer.sequence,
        occurred_at=as_time(answer.occurred_at),
        reason=Rejection(str(body.reason)) if body.reason else None,
        side_1=_side(body.player_1),
        side_2=_side(body.player_2),
        player_1=_player_or_none(answer.player_1),
        player_2=_player_or_none(answer.player_2),
        is_replayed=status != "decided",
        is_recalled=status == "recalled",
    )


def recalled(trade_id: str, sequence: int, occurred_at: bytes, reason: bytes) -> Decision:
    """The decision of a trade whose record alone is kept."""
    refused = Rejection(reason.decode()) if reason else None
    at = as_time(occurred_at.decode())
    return Decision(trade_id, None, sequence, at, refused, None, None, None, None, is_replayed=True, is_recalled=True)


def read_offer(offer_id: bytes, flat: list[bytes]) -> Offer:
    """The offer of a hash, which comes as names and values in turn."""
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    one, two = _sides.decode(fields[b"sides"])
    return Offer(
        offer_id=offer_id.decode(),
        status=cast("Any", fields[b"status"].decode()),
        sequence=int(fields[b"sequence"]),
        occurred_at=as_time(fields[b"occurred_at"].decode()),
        expires_at=as_time(fields[b"expires_at"].decode()),
        player_1=_offered(one),
        player_2=_offered(two),
        trade_id=fields.get(b"trade_id", b"").decode() or None,
    )


def _offered(side: _SentSide) -> Side:
    return Side(side.player_id, side.gold, {line.item_id: line.quantity for line in side.lines})


def as_time(text: str) -> datetime:
    """A time that stays the text that Lua wrote: it is only passed on, and always has its six decimals."""
    return cast("datetime", text)


# ---------------------------------------------------------------- events

_bodies: Final = msgpack.Decoder(list[Raw])
_created: Final = msgpack.Decoder(_CreatedBody)
_exchanges: Final = msgpack.Decoder(_ExchangeBody)
_CREATED_HEAD: Final = _head(_CreatedBody)
"""How such a body begins, which those of other events do not."""


def event_texts(realm: str, last_sequence: int, occurred_at: str, packed: bytes) -> list[tuple[int, bytes]]:
    """The events of an outbox entry, the last with `last_sequence`: their sequence numbers and JSON texts."""
    bodies = _bodies.decode(packed)
    first = last_sequence - len(bodies) + 1
    found = (
        _event(realm, sequence, occurred_at, _read_body(bytes(body)))
        for sequence, body in enumerate(bodies, start=first)
    )
    return [(event.sequence, json.encode(event)) for event in found]


def _read_body(packed: bytes) -> _CreatedBody | _ExchangeBody:
    return _created.decode(packed) if packed[0] == _CREATED_HEAD else _exchanges.decode(packed)


def _event(realm: str, sequence: int, occurred_at: str, body: _CreatedBody | _ExchangeBody) -> Event:
    envelope: dict[str, Any] = {
        "event_id": f"{realm}:{sequence}",
        "schema_version": SCHEMA_VERSION,
        "realm": realm,
        "sequence": sequence,
        "occurred_at": as_time(occurred_at),
    }
    if isinstance(body, _ExchangeBody):
        return _exchange(body, envelope)
    return events.PlayerCreated(
        player_id=body.player_id,
        username=body.username,
        player_class=body.player_class,
        max_capacity=body.max_capacity,
        state=_state(body.state),
        **envelope,
    )


def _exchange(body: _ExchangeBody, envelope: dict[str, Any]) -> Event:
    one, two, reason = body.player_1, body.player_2, str(body.reason)
    offer = {"offer_id": body.offer_id, "expires_at": as_time(cast("str", body.expires_at)), **envelope}
    trade = {"trade_id": body.trade_id, "offer_id": body.offer_id or None, **envelope}
    match body.event_type:
        case "trade_accepted":
            return events.TradeAccepted(player_1=_settled(one), player_2=_settled(two), **trade)
        case "trade_rejected":
            return events.TradeRejected(reason=Rejection(reason), player_1=_side(one), player_2=_side(two), **trade)
        case "offer_made":
            return events.OfferMade(player_1=_settled(one), player_2=_side(two), **offer)
        case "offer_rejected":
            return events.OfferRejected(reason=Rejection(reason), player_1=_side(one), player_2=_side(two), **offer)
        case "offer_closed":
            return events.OfferClosed(
                outcome=OfferOutcome(reason), player_1=_settled(one), player_2=_side(two), **offer
            )
    raise ValueError(f"Lua packed an event that is not in the contract: {body.event_type}")


def _side(side: _SideBody) -> events.Side:
    value, lines = _or_none(side.value), _lines(side)
    return events.Side(player_id=side.player_id, gold=side.gold, item_value=value, items=lines)


def _settled(side: _SideBody) -> SideAfter:
    return SideAfter(
        player_id=side.player_id,
        gold=side.gold,
        item_value=_or_none(side.value),
        items=_lines(side),
        state=_state(cast("_State", side.state)),
    )


def _lines(side: _SideBody) -> list[Line]:
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
        items=[ItemUnits(*pair) for pair in zip(flat[::2], flat[1::2], strict=True)],
    )
