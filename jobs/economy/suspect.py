"""A player who is suspected of a cheat, and what shows it."""

from datetime import datetime

from msgspec import Struct

from jobs.economy.log import Cheat


class Suspect(Struct, frozen=True, kw_only=True):
    """`score` is from 0.5, worth a look, to 1, beyond doubt; `trades` are the sequence numbers that show it.

    `since`: when the first of these was decided. `why` says in words what was seen.
    """

    player_id: int
    cheat: Cheat
    score: float
    since: datetime
    why: str
    trades: list[int]
