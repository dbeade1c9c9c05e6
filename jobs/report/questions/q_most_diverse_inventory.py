"""Who ever held the most different items at once."""

from typing import TYPE_CHECKING, Final

from jobs.report.questions.question import INK, Question, Rows, players

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _answer(rows: Rows) -> str:
    return f"{rows[0]['distinct_items']} different items: {players(rows)}" if rows else "none: there is no player"


def _draw(axes: "Axes", rows: Rows) -> None:
    axes.bar([row["distinct_items"] for row in rows], [row["players"] for row in rows], color=INK)
    axes.set_xlabel("most different items held at once")
    axes.set_ylabel("players")


QUESTION: Final = Question("q_most_diverse_inventory", _answer, _draw, figure="f03_diversity")
