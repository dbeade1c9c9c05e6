"""Finds players that may cheat in what has landed: SQL says what stands out, a module for each cheat who is behind it."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Protocol

from jobs.economy.detection import account_theft, botting, duplication, gold_selling, price_manipulation, wash_trading
from jobs.economy.detection.case import Case
from jobs.economy.detection.gifts import Gifts
from jobs.economy.suspect import Suspect
from jobs.lake.cut import Cut, at
from jobs.lake.trino import SQL, Result


class Asked(Protocol):
    """What SQL is asked of: Trino, or a log in this process."""

    def run(self, sql: str) -> Result:
        """Runs one statement."""


def detect(lake: Asked, cut: Cut) -> list[Suspect]:
    """The suspects among the events of a cut, the most suspicious first; a player may be suspected of several cheats."""

    def ask(name: str) -> list[dict[str, Any]]:
        return lake.run(at(cut, (SQL / "detection" / f"{name}.sql").read_text())).records()

    cases = list(_cases(ask))
    times = _times(lake, cut, cases)
    return sorted(_suspects(cases, times), key=lambda suspect: (-suspect.score, suspect.player_id, suspect.cheat))


def _cases(ask: Any) -> Iterator[Case]:
    gifts = Gifts(ask("gifts"))
    yield from duplication.find(ask("repeats"), gifts)
    yield from account_theft.find(gifts)
    yield from gold_selling.find(gifts)
    yield from wash_trading.find(ask("passes"), ask("dealings"))
    yield from price_manipulation.find(ask("positions"))
    yield from botting.find(ask("rhythm"), gifts, {})


def _suspects(cases: Iterable[Case], times: dict[int, datetime]) -> Iterator[Suspect]:
    """The gravest case of each player and cheat, with the trades of all."""
    grouped: dict[tuple[int, str], list[Case]] = {}
    for case in cases:
        grouped.setdefault((case.player_id, case.cheat), []).append(case)
    for same in grouped.values():
        worst = max(same, key=lambda case: case.score)
        trades = sorted({trade for case in same for trade in case.trades})
        yield Suspect(
            player_id=worst.player_id,
            cheat=worst.cheat,
            score=round(worst.score, 3),
            since=times[trades[0]] if trades else None,
            why=worst.why,
            trades=trades,
        )


def _times(lake: Asked, cut: Cut, cases: Iterable[Case]) -> dict[int, datetime]:
    """When the trades of the cases were decided."""
    wanted = sorted({trade for case in cases for trade in case.trades})
    if not wanted:
        return {}
    numbers = ", ".join(str(trade) for trade in wanted)
    sql = f"select sequence, occurred_at from lake.haggle.trades where sequence in ({numbers})"
    return {row[0]: row[1] for row in lake.run(at(cut, sql)).rows}
