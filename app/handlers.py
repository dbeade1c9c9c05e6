"""What each command and query does: entrypoints call these, these call the store.

A refused trade or offer is a result: an answer with a reason.
"""

import random
import secrets
from collections.abc import Sequence
from typing import Final, NamedTuple

from app.adapters.redis import TRADES_PER_CALL, Answer, OfferAnswer, Result, Store, StoredOffer
from app.commands import (
    CreatePlayer,
    Give,
    MakeOffer,
    OfferRequest,
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
from app.contract.economy import CLASSES, MAX_AMOUNT
from app.contract.reasons import OfferOutcome, Problem
from app.errors import InvalidRequest, NotFound, Unavailable

MAX_PAGE: Final = 1_000
"""Most players on a page of GET /v1/players."""

MAX_TRADES_PAGE: Final = 100
"""Most trades or offers on a page."""

Versions = dict[int, int]
"""The version of each player whose state the caller saw, from If-Match."""


class BatchItem(NamedTuple):
    """One trade of a batch: its request, or why it is not one."""

    trade_id: str
    request: TradeRequest | None
    problem: str = ""


# ---------------------------------------------------------------- players


def create_player(store: Store, request: PlayerRequest) -> Player:
    """Creates a player of the class asked for, or of one drawn by weight."""
    player_class = request.player_class or _draw_class()
    if player_class not in CLASSES:
        raise InvalidRequest(
            f"player_class {player_class!r} is not one of {', '.join(CLASSES)} - at `$.player_class`",
            Problem.UNKNOWN_CLASS,
        )
    return store.create_player(CreatePlayer(request.username, player_class))


def find_player(store: Store, player_id: int) -> Player:
    """The player's state; raises NotFound."""
    player = store.player(player_id) if player_id <= MAX_AMOUNT else None
    if player is None:
        raise NotFound(f"there is no player {player_id}")
    return player


def list_players(store: Store, cursor: int, limit: int) -> tuple[list[Player], int | None]:
    """A page of players by id and the cursor of the next page, None after the last."""
    players = store.players(cursor, limit)
    return players, players[-1].player_id if len(players) == limit else None


# ---------------------------------------------------------------- trades


def trade(store: Store, request: TradeRequest, idempotency_key: str | None, seen: Versions) -> Answer:
    """Decides a trade of the v1 route; its trade_id is the body's, the idempotency key, or a new one."""
    trade_id = _id("trade_id", request.trade_id, idempotency_key)
    return store.trade(_command(trade_id, request, seen))


def original_trade(store: Store, request: OriginalTradeRequest, idempotency_key: str | None) -> Answer:
    """Decides a trade of the original route: the states sent must equal the stored ones."""
    command = Trade(
        idempotency_key or secrets.token_hex(16),
        _original_give(request.player_1, "player_1"),
        _original_give(request.player_2, "player_2"),
    )
    return store.trade(command)


def batch_ids(trade_ids: Sequence[str | None], idempotency_key: str | None) -> list[str]:
    """The trade_id of each trade of a batch: its own, or the batch's idempotency key and its place."""
    prefix = idempotency_key or secrets.token_hex(16)
    return [trade_id or f"{prefix}.{place}" for place, trade_id in enumerate(trade_ids)]


def independent_batch(store: Store, items: Sequence[BatchItem]) -> list[Result | str]:
    """Decides each trade for itself; a result each, or the problem of one that is invalid.

    When Redis goes away after the first step, the rest is undecided; before it, raises Unavailable.
    """
    results: list[Result | str] = [item.problem for item in items]
    commands: list[tuple[int, Trade]] = []
    for place, item in enumerate(items):
        if item.request:
            try:
                commands.append((place, _command(item.trade_id, item.request, {})))
            except InvalidRequest as error:
                results[place] = error.detail
    for start in range(0, len(commands), TRADES_PER_CALL):
        part = commands[start : start + TRADES_PER_CALL]
        for (place, _), result in zip(part, _decide_or_leave(store, part, first=start == 0), strict=True):
            results[place] = result
    return results


def _decide_or_leave(store: Store, part: Sequence[tuple[int, Trade]], *, first: bool) -> list[Result]:
    try:
        return store.trades([command for _, command in part])
    except Unavailable as error:
        if first:
            raise
        return [Result("undecided", 0, error.reason)] * len(part)


def batch_together(store: Store, items: Sequence[BatchItem]) -> list[Result]:
    """Decides all trades of a batch or none; raises InvalidRequest if one of them is invalid or named twice."""
    commands: dict[str, Trade] = {}
    for place, item in enumerate(items):
        if item.request is None:
            raise InvalidRequest(f"trade {place} is invalid, so none was decided: {item.problem}")
        if item.trade_id in commands:
            raise InvalidRequest(f"trade_id {item.trade_id!r} stands twice - at `$.trades[{place}].trade_id`")
        commands[item.trade_id] = _command(item.trade_id, item.request, {})
    return store.trades_all_or_nothing(list(commands.values()))


def find_trade(store: Store, trade_id: str) -> Answer:
    """The stored answer of a trade; raises NotFound once it has expired."""
    answer = store.answer(trade_id)
    if answer is None:
        raise NotFound(f"no stored answer for trade {trade_id!r}: it was never decided here, or its answer has expired")
    return answer


def list_trades(store: Store, player_id: int, cursor: str, limit: int) -> tuple[list[Answer], str | None]:
    """A page of a player's accepted trades, newest first, as far back as answers are stored; raises NotFound."""
    find_player(store, player_id)
    return store.player_trades(player_id, cursor, limit)


# ---------------------------------------------------------------- offers


def make_offer(
    store: Store, request: OfferRequest, idempotency_key: str | None, seen: Versions, longest_s: int
) -> OfferAnswer:
    """Player 1 offers what it gives for what it asks for; what it gives is held until the offer ends."""
    offer_id = _id("offer_id", request.offer_id, idempotency_key)
    expires_in_s = request.expires_in_s or longest_s
    if expires_in_s > longest_s:
        raise InvalidRequest(f"an offer lasts {longest_s} s at most - at `$.expires_in_s`")
    one, two = _sides(request, seen)
    return store.make_offer(MakeOffer(offer_id, one, two, expires_in_s))


def accept_offer(store: Store, offer: StoredOffer, idempotency_key: str | None, seen: Versions) -> Answer:
    """Player 2 accepts an offer, which becomes a trade."""
    others = seen.keys() - {offer.player_2.player_id}
    if others:
        raise InvalidRequest(f"If-Match names player {min(others)}, who does not accept this offer")
    version = seen.get(offer.player_2.player_id)
    return store.accept_offer(offer.offer_id, idempotency_key or secrets.token_hex(16), version)


def close_offer(store: Store, offer: StoredOffer, outcome: OfferOutcome) -> bool:
    """Player 2 declines or player 1 cancels; True if the offer had ended that way before."""
    return store.close_offer(offer.offer_id, outcome)


def find_offer(store: Store, offer_id: str) -> StoredOffer:
    """The offer; raises NotFound."""
    offer = store.offer(offer_id)
    if offer is None:
        raise NotFound(f"there is no offer {offer_id!r}: it was never made here, or it ended too long ago")
    return offer


def list_offers(store: Store, player_id: int, cursor: int, limit: int) -> tuple[list[StoredOffer], int | None]:
    """A page of a player's open offers, made and received, by age; raises NotFound."""
    find_player(store, player_id)
    offers = store.open_offers(player_id, cursor, limit)
    return offers, offers[-1].sequence if len(offers) == limit else None


# ---------------------------------------------------------------- commands of requests


def _draw_class() -> str:
    return random.choices(list(CLASSES), [player_class.weight for player_class in CLASSES.values()])[0]


def _id(name: str, of_body: str | None, idempotency_key: str | None) -> str:
    if of_body and idempotency_key and of_body != idempotency_key:
        raise InvalidRequest(f"{name} and Idempotency-Key differ; send one of them, or the same in both")
    return of_body or idempotency_key or secrets.token_hex(16)


def _command(trade_id: str, request: TradeRequest, seen: Versions) -> Trade:
    return Trade(trade_id, *_sides(request, seen))


def _sides(request: TradeRequest | OfferRequest, seen: Versions) -> tuple[Give, Give]:
    one, two = request.player_1, request.player_2
    others = seen.keys() - {one.player_id, two.player_id}
    if others:
        raise InvalidRequest(f"If-Match names player {min(others)}, who has no part in this")
    return _give(one, "player_1", seen), _give(two, "player_2", seen)


def _give(side: TradeSide, name: str, seen: Versions) -> Give:
    version = seen.get(side.player_id, side.version)
    if side.version is not None and version != side.version:
        raise InvalidRequest(f"If-Match and version differ - at `$.{name}.version`")
    return Give(side.player_id, side.gold, added_up(side.items, f"{name}.items"), version)


def _original_give(side: OriginalSide, name: str) -> Give:
    items = added_up(side.items_traded, f"{name}.items_traded")
    return Give(side.player_id, side.gold_traded, items, side.version, seen_state(side))
