"""Batches of trades that are decided together. lua/batches.lua describes how one is that is too large for one call."""

import logging
import uuid
from collections.abc import Sequence
from typing import Any, Final

from app.domain import BatchResult, Trade
from app.errors import BatchContended, IdempotencyMismatch, Unavailable
from app.store.functions import MOST_PER_CALL, Functions, in_calls
from app.store.layout import digest_of_trade, encode, fingerprint, pack_trades, read_results

_log = logging.getLogger(__name__)
_STAGING_ATTEMPTS: Final = 5


class Batches:
    """Decides batches: all trades are accepted, or none is."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    def decide(self, trades: Sequence[Trade]) -> list[BatchResult]:
        """Decides the trades together; no trade_id twice.

        More than MOST_PER_CALL are staged in several calls and committed in one; raises BatchContended if others
        keep changing their players meanwhile, and IdempotencyMismatch if one had other content.
        """
        if len(trades) <= MOST_PER_CALL:
            return self._decide("all_or_nothing", trades)
        for _ in range(_STAGING_ATTEMPTS):
            if results := self._known_results(trades) or self._stage_and_commit(trades):
                return results
        raise BatchContended

    def _decide(self, function: str, trades: Sequence[Trade], *arguments: str | int) -> list[BatchResult]:
        status, reply, *_ = self._functions.decide(function, *pack_trades(trades), *arguments)
        if status == b"mismatch":
            raise IdempotencyMismatch(reply.decode())
        return read_results(reply)

    # ------------------------------------------------------------ decided before

    def _known_results(self, trades: Sequence[Trade]) -> list[BatchResult] | None:
        """The results of a large batch that was decided before, or refused in part; None if it is new."""
        stored = self._stored_results(trades)
        if any(stored) and not all(stored):  # the same batch may have been committed between two of the look-ups
            stored = self._stored_results(trades)
        if all(stored):
            return [result for result in stored if result]
        if any(result and result.reason for result in stored):
            return self._refuse(trades, -1, "")
        for trade, result in zip(trades, stored, strict=True):
            if result:
                raise IdempotencyMismatch(trade.trade_id)
        return None

    def _stored_results(self, trades: Sequence[Trade]) -> list[BatchResult | None]:
        """What is known already of the trades of a batch; raises IdempotencyMismatch."""
        found: list[BatchResult | None] = []
        for part in in_calls(trades):
            stored, _ = self._functions.call("decisions", b"".join(digest_of_trade(trade.trade_id) for trade in part))
            found += [_stored_result(*pair) for pair in zip(part, stored, strict=True)]
        return found

    def _refuse(self, trades: Sequence[Trade], culprit: int, reason: str) -> list[BatchResult]:
        results: list[BatchResult] = []
        for part in in_calls(trades):
            here = culprit - len(results) + 1
            place = here if 1 <= here <= len(part) else 0
            results += self._decide("refuse_trades", part, place, reason)
        return results

    # ------------------------------------------------------------ staging

    def _stage_and_commit(self, trades: Sequence[Trade]) -> list[BatchResult] | None:
        """One attempt at a large batch; None if another command came in between."""
        batch_id, staged = uuid.uuid4().hex, 0
        for part in in_calls(trades):
            status, *rest = self._functions.decide("stage", *pack_trades(part), batch_id, staged)
            if status == b"aborted":
                return None
            if status == b"refused":
                return self._refuse(trades, staged + rest[0] - 1, rest[1].decode())
            staged += len(part)
        status, *rest = self._functions.decide("commit", batch_id, staged)
        if status == b"aborted":
            return None
        self._finish(batch_id, trades)
        return [BatchResult("decided", rest[0] + number) for number in range(1, staged + 1)]

    def _finish(self, batch_id: str, trades: Sequence[Trade]) -> None:
        """Writes what a committed batch changed in its place; what is left undone here, others do when they see it."""
        players = {side.player_id: None for trade in trades for side in (trade.player_1, trade.player_2)}
        ids = [digest_of_trade(trade.trade_id) for trade in trades]
        due: list[tuple[Any, Any]] = [(part, []) for part in in_calls(list(players))]
        due += [([], part) for part in in_calls(ids)]
        try:
            for player_ids, digests in due:
                self._functions.call("finish_batch", batch_id, encode(player_ids), b"".join(digests))
        except Unavailable as error:
            _log.warning("a committed batch is not finished yet", extra={"context": {"error": str(error)}})


def _stored_result(trade: Trade, found: list[Any] | None) -> BatchResult | None:
    if not found:
        return None
    content, sequence, _, reason, _ = found
    if content != fingerprint(trade):
        raise IdempotencyMismatch(trade.trade_id)
    return BatchResult("replayed", sequence, reason.decode())
