"""How what is stored and sent is packed: MessagePack of lists, whose fields stand in the order of the structures here.

Lua gets the place of each field that it reads as a constant (`lua_constants`). What it packs piece by piece, for speed
(events.lua, `make_answer` in decisions.lua), stands in the order of these structures, on which the decoders insist.
What is not there is false, as Lua has it. A table of Lua whose keys are 1 to n is packed as a list: units by item_id
come as either.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, cast

from msgspec import Raw, Struct, json, msgpack

from app.contract import events
from app.contract.economy import Economy, Item, PlayerClass
from app.contract.events import (
    SCHEMA_VERSION,
    CatalogClass,
    CatalogItem,
    Event,
    Goods,
    ItemUnits,
    Line,
    SideAfter,
    State,
)
from app.contract.limits import MAX_AMOUNT
from app.contract.reasons import AdjustmentReason, OfferOutcome, Rejection
from app.domain import Adjustment, AdjustmentResult, BatchResult, Decision, NewPlayer, Offer, Player, Side, Trade
from app.store.keys import NAMES_IN_SHARD

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

    `catalog`: version of the catalog by which `value` is. Names stand elsewhere (lua/players.lua). `offers`: open
    offers that it made, which hold `held_gold` and `held`. `last_trade`, `last_minute`: sequence and minute of its
    newest accepted trade, under which the answer stands. `batch`: the batch in progress that marked it. `closed`: the
    player was forgotten.
    """

    player_id: int
    player_class: str
    capacity: int
    gold: int
    version: int
    units: int
    distinct: int
    value: int
    catalog: int
    items: _Units
    held_gold: int
    held: _Units
    offers: int
    last_trade: _Number
    last_minute: _Number
    batch: _Text
    closed: bool


class _Item(Struct, array_like=True):
    item_id: int
    name: str
    level: int
    value: int


class _Class(Struct, array_like=True):
    name: str
    weight: int
    gold: int
    items: list[tuple[int, int]]


class _Catalog(Struct, array_like=True):
    """`since_us`: when it was published, in µs since 1970."""

    version: int
    digest: str
    max_capacity: int
    since_us: int
    items: list[_Item]
    classes: list[_Class]


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
    player_class: str
    max_capacity: int
    state: _State


class _PlayerBody(Struct, array_like=True):
    event_type: str
    player_id: int
    state: _State


class _CatalogBody(Struct, array_like=True):
    event_type: str
    version: int
    max_capacity: int
    items: list[_Item]
    classes: list[_Class]


class _AdjustedBody(Struct, array_like=True):
    event_type: str
    adjustment_id: str
    player_id: int
    adjustment_reason: str
    reference: _Text
    reason: _Text
    given_gold: int
    given_value: int | bool
    given_lines: list[tuple[int, int, int | bool]]
    taken_gold: int
    taken_value: int | bool
    taken_lines: list[tuple[int, int, int | bool]]
    state: _State | bool


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
    """`unit_value`: room for what Lua puts there, as it finds it in the catalog."""

    item_id: int
    quantity: int
    unit_value: bool = False


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


class _SentAdjustment(Struct, array_like=True):
    """Gold and quantities are given above 0, taken below."""

    id: str
    player_id: int
    gold: int
    lines: list[_SentLine]
    reason: str
    reference: _Text


def lua_constants() -> Iterator[tuple[str, str | int]]:
    """The constants of the Lua library: bounds, and the place of each field of what is packed (from 1)."""
    yield "MAX_AMOUNT", MAX_AMOUNT
    yield "SWEEP_S", SWEEP_S
    yield "DIGEST_BYTES", _DIGEST_BYTES
    yield "FINGERPRINT_BYTES", _FINGERPRINT_BYTES
    yield "NAMES_IN_SHARD", NAMES_IN_SHARD
    heads: dict[str, type[Struct]] = {
        "ANSWER": _Answer,
        "ADJUSTED_BODY": _AdjustedBody,
        "BODY": _ExchangeBody,
        "CATALOG": _Catalog,
        "CATALOG_BODY": _CatalogBody,
        "CREATED_BODY": _CreatedBody,
        "PLAYER_BODY": _PlayerBody,
        "SIDE_BODY": _SideBody,
        "STATE": _State,
    }
    for name, struct in heads.items():
        yield f"{name}_HEAD", f"'\\{_head(struct)}'"
    kept: tuple[tuple[str, type[Struct]], ...] = (
        ("", _Player), ("ANSWER_", _Answer), ("BODY_", _ExchangeBody), ("SIDE_BODY_", _SideBody),
        ("CATALOG_", _Catalog), ("ITEM_", _Item), ("CLASS_", _Class),
    )  # fmt: skip
    sent: tuple[tuple[str, type[Struct]], ...] = (
        ("TRADE_", _SentTrade), ("SIDE_", _SentSide), ("", _SentLine), ("ADJUSTMENT_", _SentAdjustment),
    )  # fmt: skip
    for prefix, struct in (*kept, *sent):
        for place, name in enumerate(struct.__struct_fields__, start=1):
            yield f"{prefix}{name.upper()}", place


def lua_reasons() -> Iterator[tuple[str, str]]:
    """Lua's tables of the reasons by their places, and of the places by reason."""
    yield "REASONS", "{" + ", ".join(f"'{reason}'" for reason in Rejection) + "}"
    yield "REASON_PLACES", "{" + ", ".join(f"{name} = {n}" for n, name in enumerate(Rejection, start=1)) + "}"


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


def pack_adjustments(adjustments: Sequence[Adjustment]) -> tuple[bytes, bytes]:
    """Adjustments, and of each its digest and fingerprint, as `pack_trades`."""
    tells = b"".join(_digest(b"adjustment/", each.adjustment_id) + fingerprint(each) for each in adjustments)
    return encode([_sent_adjustment(each) for each in adjustments]), tells


def pack_catalog(economy: Economy) -> tuple[bytes, bytes]:
    """The items and the classes of an economy."""
    items = [_Item(item.item_id, item.name, item.level, item.value) for item in economy.items.values()]
    classes = [_Class(each.name, each.weight, each.gold, list(each.items.items())) for each in economy.classes.values()]
    return encode(items), encode(classes)


def digest_of_trade(trade_id: str) -> bytes:
    """What stands for the name of a trade among records, too long for two names to share by chance."""
    return _digest(b"trade/", trade_id)


def digest_of_offer(offer_id: str) -> bytes:
    """What stands for the name of an offer."""
    return _digest(b"offer/", offer_id)


def digest_of_creation(new: NewPlayer) -> bytes:
    """What stands for the name of the command to create a player; empty if it has none."""
    return _digest(b"player/", new.key) if new.key else b""


def _digest(kind: bytes, name: str) -> bytes:
    return hashlib.blake2b(kind + name.encode(), digest_size=_DIGEST_BYTES).digest()


def fingerprint(content: Any) -> bytes:
    """What tells a command from others of the same name."""
    return hashlib.blake2b(encode(content), digest_size=_FINGERPRINT_BYTES).digest()


def _sent_trade(trade: Trade) -> _SentTrade:
    return _SentTrade(trade.trade_id, _sent_side(trade.player_1), _sent_side(trade.player_2))


def _sent_side(side: Side) -> _SentSide:
    seen_version, seen_state = side.seen_version or False, side.seen_state or False
    return _SentSide(side.player_id, side.gold, seen_version, seen_state, _sent_lines(side.items))


def _sent_lines(units: dict[int, int]) -> list[_SentLine]:
    return [_SentLine(item_id, quantity) for item_id, quantity in units.items()]


def _sent_adjustment(adjustment: Adjustment) -> _SentAdjustment:
    lines, reference = _sent_lines(adjustment.items), adjustment.reference or False
    return _SentAdjustment(
        adjustment.adjustment_id, adjustment.player_id, adjustment.gold, lines, adjustment.reason, reference
    )


# ---------------------------------------------------------------- what comes back

_answers: Final = msgpack.Decoder(_Answer)
_players: Final = msgpack.Decoder(_Player)
_names: Final = msgpack.Decoder(list[str | int | bool])
_catalogs: Final = msgpack.Decoder(_Catalog)
_results: Final = msgpack.Decoder(list[BatchResult])
_adjustment_results: Final = msgpack.Decoder(list[AdjustmentResult])
_sides: Final = msgpack.Decoder(list[_SentSide])
read_results: Final = _results.decode
"""The results of trades that are packed."""
read_adjustment_results: Final = _adjustment_results.decode
"""Those of adjustments."""


def read_player(packed: bytes, names: bytes | None) -> Player:
    """The player that is packed, with its names as they are packed, None if they are forgotten or not to be shown."""
    return _player(_players.decode(packed), names)


def read_player_or_none(packed: bytes | None, names: bytes | None) -> Player | None:
    """The player, or None for None."""
    return None if packed is None else read_player(packed, names)


def _player(packed: _Player, names: bytes | None) -> Player:
    external_id, *usernames = _names.decode(names) if names else (False, None)
    return Player(
        player_id=packed.player_id,
        username=cast("str | None", usernames[-1]),
        external_id=str(external_id) if external_id else None,
        player_class=packed.player_class,
        gold=packed.gold,
        version=packed.version,
        max_capacity=packed.capacity,
        item_units=packed.units,
        items=_sorted(packed.items),
        held_gold=packed.held_gold,
        held_items=_sorted(packed.held),
        is_closed=packed.closed,
    )


def username_at(names: bytes | None, version: int) -> str | None:
    """The username that a player was given with its state of this version; None if it is forgotten."""
    _, *pairs = _names.decode(names) if names else (False,)
    return cast("str | None", dict(zip(pairs[::2], pairs[1::2], strict=True)).get(version))


def read_catalog(packed: bytes) -> Economy:
    """The catalog that is packed."""
    catalog = _catalogs.decode(packed)
    return Economy(
        catalog.version,
        catalog.max_capacity,
        {item.item_id: Item(item.item_id, item.name, item.level, item.value) for item in catalog.items},
        {each.name: PlayerClass(each.name, each.weight, each.gold, dict(each.items)) for each in catalog.classes},
    )


def _sorted(units: _Units) -> dict[int, int]:
    return dict(sorted(units.items()) if isinstance(units, dict) else enumerate(units, start=1))


def decision(status: str, packed: bytes, names: Sequence[bytes | None] = (None, None)) -> Decision:
    """The decision of an answer; `status` is how it came about: decided, replayed or recalled.

    `names` are those of both players, if their states are to be shown.
    """
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
        player_1=None if isinstance(answer.player_1, bool) else _player(answer.player_1, names[0]),
        player_2=None if isinstance(answer.player_2, bool) else _player(answer.player_2, names[1]),
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
_parts: Final = msgpack.Decoder(list[Raw])
_text: Final = msgpack.Decoder(str)
_exchanges: Final = msgpack.Decoder(_ExchangeBody)
_others: Final[dict[str, msgpack.Decoder[Any]]] = {
    "catalog_published": msgpack.Decoder(_CatalogBody),
    "player_created": msgpack.Decoder(_CreatedBody),
    "player_renamed": msgpack.Decoder(_PlayerBody),
    "player_forgotten": msgpack.Decoder(_PlayerBody),
    "player_adjusted": msgpack.Decoder(_AdjustedBody),
    "adjustment_rejected": msgpack.Decoder(_AdjustedBody),
}
_EXCHANGE_HEAD: Final = _head(_ExchangeBody)
"""How the body of a trade or an offer begins, which those of other events do not."""

NamesOf = Callable[[int], bytes | None]
"""Gives the names of a player, packed."""


def event_texts(
    realm: str, last_sequence: int, occurred_at: str, packed: bytes, names_of: NamesOf
) -> list[tuple[int, bytes]]:
    """The events of an outbox entry, the last with `last_sequence`: their sequence numbers and JSON texts."""
    found = read_events(realm, last_sequence, occurred_at, packed, names_of)
    return [(event.sequence, json.encode(event)) for event in found]


def read_events(realm: str, last_sequence: int, occurred_at: str, packed: bytes, names_of: NamesOf) -> Iterator[Event]:
    """The events of an outbox entry, the last with `last_sequence`; their times are still texts (`as_time`)."""
    bodies = _bodies.decode(packed)
    for sequence, body in enumerate(bodies, start=last_sequence - len(bodies) + 1):
        yield _event(realm, sequence, occurred_at, _read_body(bytes(body)), names_of)


def _read_body(packed: bytes) -> Struct:
    if packed[0] == _EXCHANGE_HEAD:
        return _exchanges.decode(packed)
    event_type = _text.decode(bytes(_parts.decode(packed)[0]))
    return cast("Struct", _others[event_type].decode(packed))


def _event(realm: str, sequence: int, occurred_at: str, body: Struct, names_of: NamesOf) -> Event:
    envelope: dict[str, Any] = {
        "event_id": f"{realm}:{sequence}",
        "schema_version": SCHEMA_VERSION,
        "realm": realm,
        "sequence": sequence,
        "occurred_at": as_time(occurred_at),
    }
    match body:
        case _ExchangeBody():
            return _exchange(body, envelope)
        case _AdjustedBody():
            return _adjusted(body, envelope)
        case _CatalogBody():
            return _published(body, envelope)
        case _CreatedBody():
            return _created(body, envelope, names_of(body.player_id))
        case _PlayerBody():
            return _of_player(body, envelope, names_of)
    raise TypeError(f"no event has such a body: {body}")


def _published(body: _CatalogBody, envelope: dict[str, Any]) -> Event:
    return events.CatalogPublished(
        catalog_version=body.version,
        max_capacity=body.max_capacity,
        catalog_items=[CatalogItem(item.item_id, item.name, item.level, item.value) for item in body.items],
        catalog_classes=[
            CatalogClass(each.name, each.weight, each.gold, [ItemUnits(*units) for units in each.items])
            for each in body.classes
        ],
        **envelope,
    )


def _created(body: _CreatedBody, envelope: dict[str, Any], names: bytes | None) -> Event:
    external_id = _names.decode(names)[0] if names else None
    return events.PlayerCreated(
        player_id=body.player_id,
        username=username_at(names, body.state.version),
        external_id=cast("str | None", external_id or None),
        player_class=body.player_class,
        max_capacity=body.max_capacity,
        state=_state(body.state),
        **envelope,
    )


def _of_player(body: _PlayerBody, envelope: dict[str, Any], names_of: NamesOf) -> Event:
    state = _state(body.state)
    if body.event_type == "player_forgotten":
        return events.PlayerForgotten(player_id=body.player_id, state=state, **envelope)
    username = username_at(names_of(body.player_id), state.version)
    return events.PlayerRenamed(player_id=body.player_id, username=username, state=state, **envelope)


def _adjusted(body: _AdjustedBody, envelope: dict[str, Any]) -> Event:
    what: dict[str, Any] = {
        "adjustment_id": body.adjustment_id,
        "player_id": body.player_id,
        "adjustment_reason": AdjustmentReason(body.adjustment_reason),
        "reference": body.reference or None,
        "given": _goods(body.given_gold, body.given_value, body.given_lines),
        "taken": _goods(body.taken_gold, body.taken_value, body.taken_lines),
        **envelope,
    }
    if body.reason:
        return events.AdjustmentRejected(reason=Rejection(str(body.reason)), **what)
    return events.PlayerAdjusted(state=_state(cast("_State", body.state)), **what)


def _goods(gold: int, value: int | bool, lines: list[tuple[int, int, int | bool]]) -> Goods:  # noqa: FBT001
    return Goods(gold=gold, item_value=_or_none(value), items=_lines(lines))


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
    value, lines = _or_none(side.value), _lines(side.lines)
    return events.Side(player_id=side.player_id, gold=side.gold, item_value=value, items=lines)


def _settled(side: _SideBody) -> SideAfter:
    return SideAfter(
        player_id=side.player_id,
        gold=side.gold,
        item_value=_or_none(side.value),
        items=_lines(side.lines),
        state=_state(cast("_State", side.state)),
    )


def _lines(lines: list[tuple[int, int, int | bool]]) -> list[Line]:
    return [Line(item_id, quantity, _or_none(value)) for item_id, quantity, value in lines]


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
