"""Who ever held the most valuable inventory."""

from typing import TYPE_CHECKING, Final

from jobs.report.questions.question import INK, Question, Rows, players

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _answer(rows: Rows) -> str:
    return f"{rows[0]['item_value']:,} gold: {players(rows)}" if rows else "none: there is no player"


def _draw(axes: "Axes", rows: Rows) -> None:
    upwards = rows[::-1]
    axes.barh([row["player_class"] for row in upwards], [row["item_value"] for row in upwards], color=INK)
    axes.set_xlabel("greatest item gold value ever held (logarithmic)")
    axes.set_xscale("log")


QUESTION: Final = Question("q_most_valuable_inventory", _answer, _draw, figure="f04_value_by_class")
