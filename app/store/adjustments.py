"""Adjustments: what the game gives and takes, each decided for itself."""

from collections.abc import Sequence

from app.domain import Adjustment, AdjustmentResult, Player
from app.errors import IdempotencyMismatch
from app.store.functions import MOST_PER_CALL, Functions
from app.store.group_commit import GroupCommit
from app.store.layout import pack_adjustments, read_adjustment_results, read_player_or_none

Adjusted = tuple[AdjustmentResult, Player | None]


class Adjustments:
    """Decides adjustments. Single ones share calls, over a connection of their own."""

    def __init__(self, functions: Functions, functions_of_groups: Functions) -> None:
        self._functions = functions
        self._functions_of_groups = functions_of_groups
        self._group_commit = GroupCommit(self._decide_with_players, MOST_PER_CALL)

    def decide(self, adjustment: Adjustment) -> Adjusted:
        """Decides it, or gives what was decided before, and the player as it is now, None if there is none.

        Raises IdempotencyMismatch if its content differs.
        """
        result, player = self._group_commit.carry_out(adjustment)
        if result.status == "mismatch":
            raise IdempotencyMismatch(adjustment.adjustment_id)
        return result, player

    def decide_each(self, adjustments: Sequence[Adjustment]) -> list[AdjustmentResult]:
        """Decides at most MOST_PER_CALL adjustments in one step, each for itself."""
        _, packed, _ = self._functions.decide("adjustments", *pack_adjustments(adjustments))
        return read_adjustment_results(packed)

    def _decide_with_players(self, adjustments: Sequence[Adjustment]) -> list[Adjusted]:
        _, packed, shown = self._functions_of_groups.decide("adjustments", *pack_adjustments(adjustments))
        players = [read_player_or_none(*pair) for pair in zip(shown[::2], shown[1::2], strict=True)]
        return list(zip(read_adjustment_results(packed), players, strict=True))
