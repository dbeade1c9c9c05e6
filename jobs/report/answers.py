"""Asks the business questions through Trino, all of one moment."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from app.settings import Settings
from jobs.lake.cut import Cut, at
from jobs.lake.moment import NOW, Moment, Past, await_landing, read_moment
from jobs.lake.questions import StoredQuestion, stored_questions
from jobs.lake.trino import SQL, Lake, Result
from jobs.report.questions import QUESTIONS
from jobs.report.questions.question import Question, Rows, some
from jobs.report.reference import NOTES, is_reference
from jobs.report.suspects import NOBODY_LOOKED, TITLE, Suspects, read_suspects

_AT_ONCE: Final = 2
"""Questions that Trino is asked at once: most of a small one is planning, which takes one core."""
_HAS_AUDITS: Final = """
select 1 from ledger.information_schema.tables where table_schema = 'haggle' and table_name = 'audits'
"""
_AUDIT: Final = "select at, sequence, ok from ledger.haggle.audits where realm = ? order by audit_id desc limit 1"
_HEADLINES: Final = (
    ("trades", "q_trades", "trades"),
    ("trades refused", "q_trades", "refused"),
    ("offers made", "q_offers", "made"),
    ("players created", "q_activity", "new_players"),
    ("gold value traded", "q_volume", "gross_value"),
)
_MOST: Final = (
    ("most valuable inventory", "q_most_valuable_inventory", "item_value", "gold"),
    ("most diverse inventory", "q_most_diverse_inventory", "distinct_items", "different items"),
)
_ITEMS: Final = "select item_id, name, value from lake.haggle.items"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question: its rows, those of its figure, and how they compare with the reference run, or ''."""

    question: Question
    stored: StoredQuestion
    result: Result
    drawn: Rows
    reference: str = ""

    @property
    def name(self) -> str:
        """The question's name."""
        return self.question.name

    @property
    def title(self) -> str:
        """The question, as its SQL states it."""
        return self.stored.title

    @property
    def sql(self) -> str:
        """The question's file."""
        return self.stored.text

    @property
    def text(self) -> str:
        """The answer in words."""
        return self.question.answer(self.result.records())


class Audit(NamedTuple):
    """The newest audit of a realm: when it ended, up to which event it looked, and whether all was exact."""

    at: datetime
    sequence: int
    ok: bool

    @property
    def text(self) -> str:
        """What it found, in a sentence."""
        found = "found everything exact" if self.ok else "found something WRONG: see `haggle audit`"
        return f"The last audit, {self.at:%Y-%m-%d %H:%M:%S} UTC, {found} up to event {self.sequence:,}."


@dataclass(frozen=True, slots=True)
class Report:
    """All answers for a realm, of one moment, its newest audit (None: there was none), and who is suspected now."""

    moment: Moment
    made_at: datetime
    answers: list[Answer]
    audit: Audit | None = None
    suspects: Suspects = NOBODY_LOOKED

    @property
    def realm(self) -> str:
        """The realm."""
        return self.moment.cut.realm

    @property
    def audit_text(self) -> str:
        """What the newest audit found, in a sentence."""
        return self.audit.text if self.audit else "There was no audit yet: `haggle audit` makes one."

    @property
    def headlines(self) -> dict[str, int]:
        """The few numbers that are looked at first, by what they are."""
        rows = {answer.name: answer.result.records() for answer in self.answers}
        return {
            words: sum(row[column] or 0 for row in rows.get(question, ()))
            for words, question, column in _HEADLINES
            if question in rows
        }

    @property
    def holders(self) -> dict[str, str]:
        """Who ever held most, in words that name players by their ids alone."""
        rows = {answer.name: answer.result.records() for answer in self.answers}
        return {
            words: f"{first[column]:,} {unit}: {some([_without_name(row) for row in rows[question]])}"
            for words, question, column, unit in _MOST
            if (first := next(iter(rows.get(question, ())), None))
        }

    def as_json(self) -> dict[str, Any]:
        """The report for programs. It says nothing of when it was made, so that the same data give the same bytes."""
        return {
            **self.moment.as_json(),
            "audit": self.audit and self.audit._asdict(),
            "headlines": self.headlines,
            "suspects": self.suspects.as_json(),
            "questions": [
                {
                    "name": answer.name,
                    "title": answer.title,
                    "answer": answer.text,
                    "reference": answer.reference,
                    "rows": answer.result.records(),
                }
                for answer in self.answers
            ],
        }


def _without_name(row: Mapping[str, Any]) -> str:
    return f"player {row['player_id']} ({row['player_class']})"


def make_report(
    settings: Settings,
    wait_s: float = 0,
    past: Past = NOW,
    progress: Callable[[int, int], None] = lambda _asked, _number: None,
) -> Report:
    """Asks all questions and figures of what has landed now, or of the past; says how many of them are answered.

    First it waits so long for what was decided by now. Raises HaggleError if nothing has landed.
    """
    lake = Lake(settings, "haggle report")
    lake.run("select 1")  # the first statement of a session also pays for its start
    await_landing(lake, settings, wait_s)
    moment = read_moment(lake, settings, past)
    notes = NOTES if is_reference(lake.run(at(moment.cut, _ITEMS)).records()) else {}
    stored = {question.name: question for question in stored_questions()}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = pool.map(
            lambda each: _answer(lake, moment.cut, each, stored[each.name], notes.get(each.name)), QUESTIONS
        )
        answers = []
        for answer in asked:
            answers.append(answer)
            progress(len(answers), len(QUESTIONS))
    audit, suspects = _newest_audit(lake, settings.realm), read_suspects(settings, past)
    return Report(moment, datetime.now(UTC), answers, audit, suspects)


def _newest_audit(lake: Lake, realm: str) -> Audit | None:
    # the table is there since the first audit
    rows = lake.run(_AUDIT, (realm,)).rows if lake.run(_HAS_AUDITS).rows else []
    return Audit(*rows[0]) if rows else None


def _answer(
    lake: Lake, cut: Cut, question: Question, stored: StoredQuestion, note: Callable[[Rows], str] | None
) -> Answer:
    result = ask(lake, cut, stored)
    figure = lake.run(at(cut, _figure(question.figure))) if question.figure else result
    return Answer(question, stored, result, figure.records(), note(result.records()) if note else "")


def ask(lake: Lake, cut: Cut, question: StoredQuestion) -> Result:
    """The rows of a question at a moment, in their order."""
    return lake.run(at(cut, question.text))


def _figure(name: str) -> str:
    return (SQL / "figures" / f"{name}.sql").read_text()


def lines_of(report: Report) -> Iterator[tuple[str, str, str]]:
    """Title, answer and time of each question, for a table; who is suspected comes first."""
    yield TITLE, report.suspects.text, ""
    for answer in report.answers:
        yield answer.title, answer.text, f"{answer.result.elapsed_s:.2f} s"
