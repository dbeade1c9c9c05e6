"""Trades that are decided each for itself, and their stored answers."""

from collections.abc import Sequence

from app.domain import BatchResult, Decision, Trade
from app.errors import IdempotencyMismatch
from app.store.functions import MOST_PER_CALL, Functions
from app.store.group_commit import GroupCommit
from app.store.layout import decision, encode, pack_trades, read_results


class Trades:
    """Decides trades and finds those that are decided. Single ones share calls, over a connection of their own."""

    def __init__(self, functions: Functions, functions_of_groups: Functions) -> None:
        self._functions = functions
        self._functions_of_groups = functions_of_groups
        self._group_commit = GroupCommit(self._decide_with_answers, MOST_PER_CALL)

    def decide(self, trade: Trade) -> Decision:
        """Decides the trade, or gives its stored answer; raises IdempotencyMismatch if its content differs."""
        result, answer = self._group_commit.carry_out(trade)
        if result.status == "mismatch":
            raise IdempotencyMismatch(trade.trade_id)
        return decision(answer, is_replayed=result.status == "replayed")

    def _decide_with_answers(self, trades: Sequence[Trade]) -> list[tuple[BatchResult, bytes]]:
        _, packed, answers = self._functions_of_groups.decide("trades", pack_trades(trades), 1)
        return list(zip(read_results(packed), answers, strict=True))

    def decide_each(self, trades: Sequence[Trade]) -> list[BatchResult]:
        """Decides at most MOST_PER_CALL trades in one step, each for itself."""
        _, packed, _ = self._functions.decide("trades", pack_trades(trades), "")
        return read_results(packed)

    def find(self, trade_id: str) -> Decision | None:
        """The stored answer of a trade; None if there never was one or it has expired."""
        (packed,) = self._functions.call("answers", encode([trade_id]))
        return decision(packed, is_replayed=True) if packed else None

    def page_of_player(self, player_id: int, first: str, limit: int) -> tuple[list[Decision], str | None]:
        """A player's accepted trades, newest first, from the one named `first` on, and the name of the next."""
        following, *found = self._functions.call("player_trades", player_id, first, limit)
        return [decision(packed, is_replayed=True) for packed in found], following.decode() or None
