"""Finds players that may cheat: SQL says what stands out (sql/detection), a module for each cheat who is behind it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final, Protocol, TypeVar

from jobs.economy.detection import account_theft, botting, duplication, gold_selling, price_manipulation, wash_trading
from jobs.economy.detection.case import Case
from jobs.economy.detection.evidence import Dealings, Pass, Reactions, Repeat, Rhythm, Turn
from jobs.economy.detection.gifts import Gifts
from jobs.economy.suspect import Suspect
from jobs.lake.cut import Cut, at
from jobs.lake.trino import SQL, Result

_Row = TypeVar("_Row")
_SHOWN_MAX: Final = 200
"""Trades that are named: a player can have any number of them, the first and the newest are enough to look at."""
_TRADES_OF: Final = """\
select trades.sequence, trades.player_1_id, trades.player_2_id, lines.item_id
from lake.haggle.trades
left join lake.haggle.trade_lines as lines
    on trades.realm = lines.realm and trades.sequence = lines.sequence
where trades.player_1_id in ({players}) or trades.player_2_id in ({players})
"""

_TIMES_OF: Final = "select sequence, occurred_at from lake.haggle.trades where sequence in ({trades})"


class Asked(Protocol):
    """What SQL is asked of: Trino, or a log in this process."""

    def run(self, sql: str) -> Result:
        """Runs one statement."""


def detect(lake: Asked, cut: Cut) -> list[Suspect]:
    """The suspects among the events of a cut, the gravest first; a player may be suspected of several cheats."""

    def ask(name: str, kind: Callable[..., _Row]) -> list[_Row]:
        sql = (SQL / "detection" / f"{name}.sql").read_text()
        return [kind(**row) for row in lake.run(at(cut, sql)).records()]

    gifts = Gifts(ask("gifts", dict))
    bots = list(botting.find(ask("rhythm", Rhythm), ask("reactions", Reactions), gifts))
    cases = [
        *bots,
        *duplication.find(ask("repeats", Repeat)),
        *account_theft.find(gifts),
        *gold_selling.find(gifts),
        *wash_trading.find(ask("passes", Pass), ask("dealings", Dealings), {case.player_id for case in bots}),
        *price_manipulation.find(ask("turns", Turn)),
    ]
    suspects = _suspects(lake, cut, _with_trades(lake, cut, cases))
    return sorted(suspects, key=lambda suspect: (-suspect.score, suspect.player_id, suspect.cheat))


def _with_trades(lake: Asked, cut: Cut, cases: Sequence[Case]) -> list[Case]:
    """The cases, each with trades that show it: where the detector named none, all of the player's."""
    players = sorted({case.player_id for case in cases if not case.trades})
    if not players:
        return list(cases)
    numbers = ", ".join(str(player) for player in players)
    found: dict[tuple[int, int | None], set[int]] = defaultdict(set)
    for sequence, player_1, player_2, item_id in lake.run(at(cut, _TRADES_OF.format(players=numbers))).rows:
        for player in (player_1, player_2):
            found[player, None].add(sequence)
            found[player, item_id].add(sequence)
    return [case if case.trades else case._replace(trades=tuple(found[case.player_id, case.item_id])) for case in cases]


def _suspects(lake: Asked, cut: Cut, cases: Iterable[Case]) -> list[Suspect]:
    """The gravest case of each player and cheat, with the trades of all; without those that no trade shows."""
    grouped: dict[tuple[int, str], list[Case]] = defaultdict(list)
    for case in cases:
        if case.trades:
            grouped[case.player_id, case.cheat].append(case)
    shown = {key: sorted({trade for case in same for trade in case.trades}) for key, same in grouped.items()}
    times = _times(lake, cut, sorted({trades[0] for trades in shown.values()}))
    return [
        Suspect(
            player_id=worst.player_id,
            cheat=worst.cheat,
            score=round(worst.score, 3),
            since=times[trades[0]],
            why=worst.why,
            trades=[trades[0], *trades[1:][1 - _SHOWN_MAX :]],
        )
        for key, trades in shown.items()
        for worst in [max(grouped[key], key=attrgetter("score"))]
    ]


def _times(lake: Asked, cut: Cut, trades: Sequence[int]) -> dict[int, datetime]:
    """When these were decided."""
    if not trades:
        return {}
    numbers = ", ".join(map(str, trades))
    return {row[0]: row[1] for row in lake.run(at(cut, _TIMES_OF.format(trades=numbers))).rows}
