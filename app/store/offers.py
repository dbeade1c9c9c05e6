"""Offers, and what they hold in escrow."""

from typing import Any

from app.contract.reasons import OfferOutcome, Rejection
from app.domain import Decision, NewOffer, Offer, OfferDecision, Versions
from app.errors import Forbidden, IdempotencyMismatch, InvalidRequest, NoSuchOffer, OfferNotOpen
from app.store.functions import Functions
from app.store.layout import (
    decision,
    digest_of_offer,
    digest_of_trade,
    fingerprint,
    pack_sides,
    read_offer,
    read_player,
    read_player_or_none,
)


class Offers:
    """Makes, ends and finds offers; `max_open` bounds how many a player may have made."""

    def __init__(self, functions: Functions, max_open: int) -> None:
        self._functions = functions
        self._max_open = max_open

    def make(self, new: NewOffer) -> OfferDecision:
        """Makes the offer, or says what became of it; raises IdempotencyMismatch if its content differs.

        Raises OfferNotOpen if it was made and ended so long ago that it is kept no longer.
        """
        sides = pack_sides(new.player_1, new.player_2)
        names = (new.offer_id, digest_of_offer(new.offer_id), fingerprint(new))
        status, *rest = self._functions.decide("make_offer", *names, sides, new.expires_in_s, self._max_open)
        if status == b"mismatch":
            raise IdempotencyMismatch(new.offer_id)
        reason, offer, *player_1 = rest
        if not reason and not offer[1]:
            raise OfferNotOpen(new.offer_id, "over")
        return OfferDecision(
            Rejection(reason.decode()) if reason else None,
            None if reason else read_offer(*offer),
            read_player_or_none(*player_1),
            is_replayed=status == b"replayed",
        )

    def accept(self, offer_id: str, trade_id: str, seen: Versions, acting: int | None) -> Decision:
        """Player 2 accepts; the trade, or raises NotFound, Forbidden, OfferNotOpen or IdempotencyMismatch.

        `acting` is the player that calls, None the game server. To others than its two players an offer is not there.
        """
        if len(seen) > 1:
            raise InvalidRequest(f"If-Match names players {', '.join(map(str, seen))}; only player 2 accepts")
        player, version = next(iter(seen.items()), ("", ""))
        names = (offer_id, trade_id, digest_of_trade(trade_id), fingerprint((offer_id, version)))
        status, *rest = self._functions.decide("accept_offer", *names, acting or "", player, version)
        if status == b"other_player":
            raise InvalidRequest(f"If-Match names player {player}, who does not accept this offer")
        if status == b"mismatch":
            raise IdempotencyMismatch(trade_id)
        _raise_unless_done(offer_id, status, rest)
        return decision(status.decode(), rest[0], rest[1:])

    def close(self, offer_id: str, outcome: OfferOutcome, acting: int | None) -> OfferDecision:
        """Ends an open offer, or finds that it had ended that way before; raises what `accept` raises."""
        status, *rest = self._functions.decide("close_offer", offer_id, outcome, acting or "")
        _raise_unless_done(offer_id, status, rest)
        return OfferDecision(None, read_offer(*rest[0]), read_player(*rest[1:]), is_replayed=status == b"replayed")

    def expire(self, limit: int) -> int:
        """Ends the open offers whose time is over, `limit` at most; returns how many."""
        ended: int = self._functions.call("expire_offers", limit)
        return ended

    def find(self, offer_id: str) -> Offer | None:
        """The offer; None if there never was one or it ended too long ago."""
        found = self._functions.call("offers", offer_id)
        return read_offer(*found[0]) if found else None

    def open_of_player(self, player_id: int, after: int, limit: int) -> list[Offer]:
        """A player's open offers, made or received, in the order of their sequence, those above `after`."""
        return [read_offer(*found) for found in self._functions.call("offers", "", player_id, after, limit)]


def _raise_unless_done(offer_id: str, status: bytes, rest: list[Any]) -> None:
    if status == b"unknown":
        raise NoSuchOffer(offer_id)
    if status == b"forbidden":
        raise Forbidden(f"that is for the other player of offer {offer_id!r} to do")
    if status == b"gone":
        raise OfferNotOpen(offer_id, "over")
    if status == b"closed":
        raise OfferNotOpen(offer_id, rest[0].decode())
