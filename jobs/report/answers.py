"""Asks the business questions through Trino."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.settings import Settings
from jobs.lake.trino import SQL, Lake, Result
from jobs.report.questions import QUESTIONS
from jobs.report.questions.question import Question, Rows


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question: its rows, and those of its figure."""

    question: Question
    sql: str
    result: Result
    drawn: Rows

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

    @property
    def reference(self) -> str:
        """How it compares with the reference run."""
        return self.question.reference(self.result.records())


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
    return Report(settings.realm, datetime.now(UTC), [_ask(lake, each, settings.realm) for each in QUESTIONS])


def _ask(lake: Lake, question: Question, realm: str) -> Answer:
    result = of_realm(lake.ask(f"questions/{question.name}"), realm)
    figure = of_realm(lake.ask(f"figures/{question.figure}"), realm) if question.figure else result
    sql = (SQL / "questions" / f"{question.name}.sql").read_text()
    return Answer(question, sql, result, figure.records())


def of_realm(result: Result, realm: str) -> Result:
    """The rows of one realm, in their order; every answer has one or none, or a few, of each realm."""
    place = result.columns.index("realm")
    return result._replace(rows=[row for row in result.rows if row[place] == realm])


def lines_of(report: Report) -> Iterator[tuple[str, str, str]]:
    """Title, answer and time of each question, for a table."""
    for answer in report.answers:
        yield answer.title, answer.text, f"{answer.result.elapsed_s:.2f} s"
