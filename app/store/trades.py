"""Trades that are decided each for itself, and what is known of them afterwards."""

from collections.abc import Sequence
from typing import Any

from app.domain import BatchResult, Decision, Trade
from app.errors import IdempotencyMismatch
from app.store.functions import MOST_PER_CALL, Functions
from app.store.group_commit import GroupCommit
from app.store.layout import decision, digest_of_trade, pack_trades, read_results, recalled


class Trades:
    """Decides trades and finds those that are decided. Single ones share calls, over a connection of their own."""

    def __init__(self, functions: Functions, functions_of_groups: Functions) -> None:
        self._functions = functions
        self._functions_of_groups = functions_of_groups
        self._group_commit = GroupCommit(self._decide_with_answers, MOST_PER_CALL)

    def decide(self, trade: Trade) -> Decision:
        """Decides the trade, or gives what was decided before; raises IdempotencyMismatch if its content differs."""
        result, answer, names = self._group_commit.carry_out(trade)
        if result.status == "mismatch":
            raise IdempotencyMismatch(trade.trade_id)
        return decision(result.status, answer, names)

    def _decide_with_answers(self, trades: Sequence[Trade]) -> list[tuple[BatchResult, bytes, tuple[Any, Any]]]:
        _, packed, answers, names = self._functions_of_groups.decide("trades", *pack_trades(trades), 1)
        return list(zip(read_results(packed), answers, zip(names[::2], names[1::2], strict=True), strict=True))

    def decide_each(self, trades: Sequence[Trade]) -> list[BatchResult]:
        """Decides at most MOST_PER_CALL trades in one step, each for itself."""
        _, packed = self._functions.decide("trades", *pack_trades(trades), "")
        return read_results(packed)

    def find(self, trade_id: str) -> Decision | None:
        """What is known of a trade; None if it was never decided or that is kept no longer."""
        (found,), names = self._functions.call("decisions", digest_of_trade(trade_id))
        if not found:
            return None
        _, sequence, occurred_at, reason, answer = found
        return decision("replayed", answer, names) if answer else recalled(trade_id, sequence, occurred_at, reason)

    def page_of_player(self, player_id: int, first: str, limit: int) -> tuple[list[Decision], str | None]:
        """A player's accepted trades, newest first, from the place `first` on ('' for the newest), and the next place.

        As far back as whole answers are kept.
        """
        place = first.split(".") if first else ("", "")
        sequence, minute, *found = self._functions.call("player_trades", player_id, *place, limit)
        following = f"{sequence}.{minute}" if sequence else None
        return [decision("replayed", packed) for packed in found], following
