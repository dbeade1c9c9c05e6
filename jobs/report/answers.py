"""Asks the business questions through Trino."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from app.settings import Settings
from jobs.lake.trino import SQL, Lake, Result
from jobs.report.questions import QUESTIONS
from jobs.report.questions.question import Question, Rows
from jobs.report.reference import NOTES, is_reference

_ITEMS: Final = "select item_id, name, value from lake.haggle.items where realm = ?"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question: its rows, those of its figure, and how they compare with the reference run, or ''."""

    question: Question
    sql: str
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
        return self.sql.splitlines()[0].removeprefix("-- question: ")

    @property
    def text(self) -> str:
        """The answer in words."""
        return self.question.answer(self.result.records())


@dataclass(frozen=True, slots=True)
class Report:
    """All answers for a realm."""

    realm: str
    made_at: datetime
    answers: list[Answer]

    def as_json(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "realm": self.realm,
            "made_at": self.made_at.isoformat(),
            "questions": [
                {
                    "name": answer.name,
                    "title": answer.title,
                    "answer": answer.text,
                    "reference": answer.reference,
                    "elapsed_s": round(answer.result.elapsed_s, 3),
                    "rows": answer.result.records(),
                }
                for answer in self.answers
            ],
        }


def make_report(settings: Settings) -> Report:
    """Asks all questions and figures."""
    lake = Lake(settings)
    lake.run("select 1")  # the first statement of a session also pays for its start
    items = lake.run(_ITEMS, (settings.realm,)).records()
    notes = NOTES if is_reference(items) else {}
    answers = [_ask(lake, each, settings.realm, notes.get(each.name)) for each in QUESTIONS]
    return Report(settings.realm, datetime.now(UTC), answers)


def _ask(lake: Lake, question: Question, realm: str, note: Callable[[Rows], str] | None) -> Answer:
    result = of_realm(lake.ask(f"questions/{question.name}"), realm)
    figure = of_realm(lake.ask(f"figures/{question.figure}"), realm) if question.figure else result
    sql = (SQL / "questions" / f"{question.name}.sql").read_text()
    reference = note(result.records()) if note else ""
    return Answer(question, sql, result, figure.records(), reference)


def of_realm(result: Result, realm: str) -> Result:
    """The rows of one realm, in their order; every answer has one or none, or a few, of each realm."""
    place = result.columns.index("realm")
    return result._replace(rows=[row for row in result.rows if row[place] == realm])


def lines_of(report: Report) -> Iterator[tuple[str, str, str]]:
    """Title, answer and time of each question, for a table."""
    for answer in report.answers:
        yield answer.title, answer.text, f"{answer.result.elapsed_s:.2f} s"
