"""Who ever held the most valuable inventory."""

from typing import TYPE_CHECKING, Final

from jobs.report.questions.question import Question, Rows, bars, players

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _answer(rows: Rows) -> str:
    return f"{rows[0]['item_value']:,} gold: {players(rows)}" if rows else "none: there is no player"


def _draw(axes: "Axes", rows: Rows) -> None:
    axes.set_xscale("log")
    bars(axes, [row["player_class"] for row in rows], [row["item_value"] for row in rows])
    axes.set_xlabel("most item gold value ever held (logarithmic)")


QUESTION: Final = Question("q_most_valuable_inventory", _answer, _draw, figure="f04_value_by_class")
