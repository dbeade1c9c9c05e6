"""What each command and query does: one function each, which returns its whole result.

HTTP calls these, these call the stores. A refused trade or offer is a result with a reason, not an error.
"""

import random
import secrets
from collections.abc import Callable, Sequence
from typing import TypeVar

from app.contract.economy import Economy
from app.contract.limits import MAX_AMOUNT
from app.contract.reasons import OfferOutcome, Problem
from app.domain import (
    Adjustment,
    AdjustmentResult,
    BatchResult,
    Creation,
    Decision,
    NewOffer,
    NewPlayer,
    Offer,
    OfferDecision,
    Player,
    Side,
    Trade,
    Versions,
)
from app.errors import InvalidRequest, NoSuchOffer, NotFound, Unavailable
from app.store import Store
from app.store.functions import in_calls

T = TypeVar("T")
R = TypeVar("R")

# ---------------------------------------------------------------- players


def create_player(store: Store, new: NewPlayer) -> Creation:
    """Creates a player of the class asked for, or of one drawn by weight.

    Raises InvalidRequest if there is no such class, IdempotencyMismatch and ExternalIdTaken.
    """
    creation = store.players.create(new, _draw_class(store.economy))
    if creation is None:
        raise InvalidRequest(
            f"player_class {new.player_class!r} is not one of {', '.join(store.economy.classes)} - at `$.player_class`",
            Problem.UNKNOWN_CLASS,
        )
    return creation


def _draw_class(economy: Economy) -> str:
    weights = [player_class.weight for player_class in economy.classes.values()]
    return random.choices(list(economy.classes), weights)[0]


def rename_player(store: Store, player_id: int, username: str) -> Player:
    """Gives a player another username; raises NotFound, and AccountClosed if it was forgotten."""
    return _found(store.players.rename(player_id, username), player_id)


def forget_player(store: Store, player_id: int) -> Player:
    """Removes a player's names, closes its account and takes back its tokens; raises NotFound."""
    player = _found(store.players.forget(player_id), player_id)
    store.tokens.revoke(player_id)
    return player


def _found(player: Player | None, player_id: int) -> Player:
    if player is None:
        raise NotFound(f"there is no player {player_id}")
    return player


def find_player(store: Store, player_id: int) -> Player:
    """The player's state; raises NotFound."""
    return _found(store.players.find(player_id) if player_id <= MAX_AMOUNT else None, player_id)


def find_external(store: Store, external_id: str) -> list[Player]:
    """The one player that the game calls so, or nobody."""
    player = store.players.find_external(external_id)
    return [player] if player else []


def list_players(store: Store, cursor: int, limit: int) -> tuple[list[Player], int | None]:
    """A page of players by id and the cursor of the next page, None after the last."""
    players = store.players.page(cursor, limit)
    return players, players[-1].player_id if len(players) == limit else None


def revoke_tokens(store: Store, player_id: int) -> None:
    """Takes back all tokens of a player; raises NotFound."""
    find_player(store, player_id)
    store.tokens.revoke(player_id)


# ---------------------------------------------------------------- trades


def decide_trade(store: Store, trade_id: str | None, sides: tuple[Side, Side]) -> Decision:
    """Decides a trade; without a name it gets a new one."""
    return store.trades.decide(Trade(trade_id or new_name(), *sides))


def decide_each(store: Store, trades: Sequence[Trade | BatchResult]) -> list[BatchResult]:
    """Decides the trades of a batch each for itself; what is a result already, since it is invalid, stays as it is.

    When Redis goes away after the first step, the rest is undecided; before it, raises Unavailable.
    """
    due = [trade for trade in trades if isinstance(trade, Trade)]
    found = iter(_each(due, store.trades.decide_each, BatchResult))
    return [next(found) if isinstance(trade, Trade) else trade for trade in trades]


def _each(due: Sequence[T], decide: Callable[[Sequence[T]], list[R]], kind: Callable[..., R]) -> list[R]:
    """The results of commands, decided a part at a time; once some are, those that cannot be are undecided."""
    results: list[R] = []
    for part in in_calls(due):
        try:
            results += decide(part)
        except Unavailable as error:
            if not results:
                raise
            results += [kind("undecided", reason=error.reason)] * len(part)
    return results


def batch_names(key: str | None, names: Sequence[str | None]) -> list[str]:
    """The name of each command of a batch: its own, or the batch's and its place."""
    prefix = key or new_name()
    return [name or f"{prefix}.{place}" for place, name in enumerate(names)]


def decide_together(store: Store, trades: Sequence[Trade]) -> list[BatchResult]:
    """Decides all trades of a batch or none."""
    return store.batches.decide(trades)


def find_trade(store: Store, trade_id: str) -> Decision:
    """The decision of a trade; raises NotFound once it is kept no longer."""
    decision = store.trades.find(trade_id)
    if decision is None:
        raise NotFound(f"trade {trade_id!r} is not known: it was never decided here, or too long ago")
    return decision


def list_trades(store: Store, player_id: int, cursor: str, limit: int) -> tuple[list[Decision], str | None]:
    """A page of a player's accepted trades, newest first, as far back as whole answers are kept; raises NotFound."""
    find_player(store, player_id)
    return store.trades.page_of_player(player_id, cursor, limit)


# ---------------------------------------------------------------- adjustments


def adjust(store: Store, adjustment: Adjustment) -> tuple[AdjustmentResult, Player | None]:
    """Decides an adjustment; what was decided, and the player as it is now, None if there is none."""
    return store.adjustments.decide(adjustment)


def adjust_each(store: Store, adjustments: Sequence[Adjustment | AdjustmentResult]) -> list[AdjustmentResult]:
    """Decides the adjustments of a batch, as `decide_each` does trades."""
    due = [adjustment for adjustment in adjustments if isinstance(adjustment, Adjustment)]
    found = iter(_each(due, store.adjustments.decide_each, AdjustmentResult))
    return [next(found) if isinstance(each, Adjustment) else each for each in adjustments]


# ---------------------------------------------------------------- offers


def make_offer(
    store: Store, offer_id: str | None, sides: tuple[Side, Side], expires_in_s: int | None, longest_s: int
) -> OfferDecision:
    """Player 1 offers what it gives for what it asks for; what it gives is held until the offer ends."""
    expires_in_s = expires_in_s or longest_s
    if expires_in_s > longest_s:
        raise InvalidRequest(f"an offer lasts {longest_s} s at most - at `$.expires_in_s`")
    return store.offers.make(NewOffer(offer_id or new_name(), *sides, expires_in_s))


def accept_offer(store: Store, offer_id: str, trade_id: str | None, seen: Versions, acting: int | None) -> Decision:
    """Player 2 accepts an offer, which becomes a trade; `seen` may be the version of player 2 that the caller saw.

    Of whatever is done with an offer, `acting` is the player that does it, or None for the game server.
    """
    return store.offers.accept(offer_id, trade_id or new_name(), seen, acting)


def decline_offer(store: Store, offer_id: str, acting: int | None) -> OfferDecision:
    """Player 2 declines."""
    return store.offers.close(offer_id, OfferOutcome.DECLINED, acting)


def cancel_offer(store: Store, offer_id: str, acting: int | None) -> OfferDecision:
    """Player 1 cancels."""
    return store.offers.close(offer_id, OfferOutcome.CANCELLED, acting)


def find_offer(store: Store, offer_id: str, acting: int | None) -> Offer:
    """The offer; raises NotFound, also to players who have no part in it."""
    offer = store.offers.find(offer_id)
    if offer is None or acting not in (None, offer.player_1.player_id, offer.player_2.player_id):
        raise NoSuchOffer(offer_id)
    return offer


def list_offers(store: Store, player_id: int, cursor: int, limit: int) -> tuple[list[Offer], int | None]:
    """A page of a player's open offers, made and received, by age; raises NotFound."""
    find_player(store, player_id)
    offers = store.offers.open_of_player(player_id, cursor, limit)
    return offers, offers[-1].sequence if len(offers) == limit else None


def new_name() -> str:
    """The name of a command that its caller gives none."""
    return secrets.token_hex(16)
