"""Who is suspected of cheating as a report is made, and what shows it: what `haggle suspects find` left on the desk."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from app.errors import HaggleError
from app.settings import Settings
from jobs.economy.desk import Case, Search, open_desk
from jobs.lake.moment import NOW, Past
from jobs.lake.trino import Result
from jobs.report.questions.question import some

MEASURED: Final = (("2.00%", "97%", "87%"), ("0.20%", "68%", "83%"))
"""Share of players to be found, precision and recall, as `make evaluate` found them: docs/economy.md."""
TITLE: Final = "Which players are suspected of cheating, and what shows it?"
COUNTED: Final = (
    "players among whose trades haggle suspects find saw what cheats leave behind. The score goes from 0.5, worth a "
    "look, to 1, beyond doubt; since is the first of the trades that show it, and these are named by their sequence "
    "numbers. A suspicion is no proof: people decide, and nothing here changes a player. "
    "What is chance and what is not was measured on simulated games: "
    + ", and ".join(
        f"where {share} of the players are to be found, {precision} of those flagged are among them, and {recall} of "
        "those to be found are flagged"
        for share, precision, recall in MEASURED
    )
)
_SQL: Final = """\
select s.player_id, s.cheat, s.score, s.since, s.why, s.trades, r.verdict, r.reviewer, r.reason, r.at
from ledger.haggle.suspects as s
left join ledger.haggle.suspect_reviews as r
    on s.realm = r.realm and s.player_id = r.player_id and s.cheat = r.cheat
where s.realm = '{realm}'
order by s.score desc, s.player_id, s.cheat, r.review_id desc
"""
_COLUMNS: Final = (
    "player_id", "cheat", "score", "since", "why", "trades", "trade_sequences", "found_at", "verdict", "reviewer",
    "reason", "reviewed_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Suspects:
    """Suspicions, the gravest first, and the newest search (None: nobody has looked).

    `unknown` says why nothing of them is known, if so.
    """

    cases: Sequence[Case] = ()
    search: Search | None = None
    unknown: str = ""

    @property
    def text(self) -> str:
        """The answer in words."""
        if self.unknown:
            return f"not known: {self.unknown}"
        if not self.cases:
            return "nobody has looked yet" if self.search is None else f"nobody is suspected{self._looked}"
        players = len({case.player_id for case in self.cases})
        is_are = "player is" if players == 1 else "players are"
        undecided = sum(case.verdict is None for case in self.cases)
        return f"{players:,} {is_are} suspected; {undecided:,} of {len(self.cases):,} still to be decided{self._looked}"

    @property
    def _looked(self) -> str:
        if self.search is None:
            return ""
        return (
            f"; last looked {self.search.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, up to event {self.search.sequence:,}"
        )

    @property
    def result(self) -> Result:
        """All of them as rows."""
        return Result(list(_COLUMNS), [_row(case) for case in self.cases], 0)

    def as_json(self) -> dict[str, Any]:
        """The suspicions for programs; `cases` is null if nothing is known of them."""
        cases = [{**_in_utc(case)._asdict(), "trades": list(case.trades)} for case in self.cases]
        search = self.search and {"sequence": self.search.sequence, "at": self.search.at.astimezone(UTC)}
        return {"answer": self.text, "search": search, "cases": None if self.unknown else cases}


NOBODY_LOOKED: Final = Suspects()


def read_suspects(settings: Settings, past: Past = NOW) -> Suspects:
    """What is on the desk now. That the desk cannot be reached, or is asked of the past, is said, and is no error."""
    if past != NOW:
        return Suspects(unknown="this is a report of the past, and only today's suspects are kept")
    try:
        with open_desk(settings) as desk:
            return Suspects(list(desk.cases()), desk.last_search())
    except HaggleError as error:
        return Suspects(unknown=str(error))


def sql_of(realm: str) -> str:
    """The statement that asks Trino for them, each with all that was decided, the newest first."""
    return _SQL.format(realm=realm.replace("'", "''"))


def words_of(case: Case) -> dict[str, str]:
    """What the page says of a suspicion."""
    count = len(case.trades)
    return {
        "who": f"Player {case.player_id}: {case.cheat.replace('_', ' ')}, {case.score:.2f}",
        "since": f"Since {case.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "why": case.why,
        "trades": f"{count:,} trade{'' if count == 1 else 's'}: {some([f'{each:,}' for each in case.trades])}",
        "decided": f"{case.verdict} by {case.reviewer}: {case.reason}" if case.verdict else "not decided yet",
    }


def _row(case: Case) -> list[Any]:
    case = _in_utc(case)
    trades = " ".join(map(str, case.trades))
    return [*case[:5], len(case.trades), trades, *case[6:]]


def _in_utc(case: Case) -> Case:
    """The same with its moments in UTC, so that the answer does not depend on the server's time zone."""
    reviewed_at = case.reviewed_at and case.reviewed_at.astimezone(UTC)
    return case._replace(
        since=case.since.astimezone(UTC), found_at=case.found_at.astimezone(UTC), reviewed_at=reviewed_at
    )
