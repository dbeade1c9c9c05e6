"""Asks the business questions through Trino, all of one moment."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from app.settings import Settings
from jobs.lake.cut import Cut, at
from jobs.lake.moment import NOW, Moment, Past, await_landing, read_moment
from jobs.lake.questions import StoredQuestion, stored_questions
from jobs.lake.trino import SQL, Lake, Result
from jobs.report.questions import QUESTIONS
from jobs.report.questions.question import Question, Rows
from jobs.report.reference import NOTES, is_reference

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


@dataclass(frozen=True, slots=True)
class Report:
    """All answers for a realm, of one moment."""

    moment: Moment
    made_at: datetime
    answers: list[Answer]

    @property
    def realm(self) -> str:
        """The realm."""
        return self.moment.cut.realm

    def as_json(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            **self.moment.as_json(),
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


def make_report(settings: Settings, wait_s: float = 0, past: Past = NOW) -> Report:
    """Asks all questions and figures of what has landed now, or of the past.

    First it waits so long for what was decided by now. Raises HaggleError if nothing has landed.
    """
    lake = Lake(settings, "haggle report")
    lake.run("select 1")  # the first statement of a session also pays for its start
    await_landing(lake, settings, wait_s)
    moment = read_moment(lake, settings, past)
    notes = NOTES if is_reference(lake.run(at(moment.cut, _ITEMS)).records()) else {}
    stored = {question.name: question for question in stored_questions()}
    answers = [_answer(lake, moment.cut, each, stored[each.name], notes.get(each.name)) for each in QUESTIONS]
    return Report(moment, datetime.now(UTC), answers)


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
    """Title, answer and time of each question, for a table."""
    for answer in report.answers:
        yield answer.title, answer.text, f"{answer.result.elapsed_s:.2f} s"
