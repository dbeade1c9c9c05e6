"""What to simulate, and what came of it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviours:
    """How players behave, if they do: over `days` of virtual time, of which `speed` seconds pass in a real one.

    `speed` 0: as fast as it goes. `prevalence`: share of the players that have a part in a cheat. `truth`: folder that
    gets who they are.
    """

    days: int = 28
    speed: float = 0.0
    prevalence: float = 0.02
    truth: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to simulate. `rate` is the most trades a second, 0 for as many as go; `log` gets a JSON line per trade.

    With `behaviours` the trades are about so many, and their offers among them; `offers` and `rate` are not for that.
    """

    players: int = 1_000
    trades: int = 10_000
    offers: int = 0
    seed: int = 1
    concurrency: int = 16
    rate: float = 0.0
    log: Path | None = None
    behaviours: Behaviours | None = None


@dataclass(slots=True)
class Outcome:
    """What came of it so far: trades refused by reason, offers by how they ended, requests sent again.

    `unexpected`: what the engine decided otherwise than the plan says, which tells of a realm that others play in.
    """

    players: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    offers: Counter[str] = field(default_factory=Counter)
    adjustments: int = 0
    unexpected: int = 0
    retries: int = 0
    players_s: float = 0.0
    trades_s: float = 0.0

    @property
    def trades(self) -> int:
        """Decided trades."""
        return self.accepted + self.refused.total()

    def traded(self, reason: str) -> None:
        """Counts a decided trade; `reason` is why it was refused, "" if it was not."""
        if reason:
            self.refused[reason] += 1
        else:
            self.accepted += 1


Progress = Callable[[Outcome], None]
