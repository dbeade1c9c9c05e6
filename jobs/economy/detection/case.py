"""What a detector says of one player."""

from collections.abc import Sequence
from typing import NamedTuple

from jobs.economy.log import Cheat


class Case(NamedTuple):
    """A suspicion with its score (0.5 to 1), the sequence numbers of the trades that show it, and in words why.

    Without trades, all that the player did shows it, or all that it did with one item.
    """

    player_id: int
    cheat: Cheat
    score: float
    trades: Sequence[int]
    why: str
    item_id: int | None = None
