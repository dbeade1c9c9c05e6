"""How prices move, all items together."""

from typing import TYPE_CHECKING, Final

from jobs.report.questions.question import INK, Question, Rows, by_day

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _answer(rows: Rows) -> str:
    if not rows:
        return "none: no day had an item with five sales"
    return f"{rows[-1]['price_index']:.1f} on {rows[-1]['day']}, where {rows[0]['day']} is 100"


def _draw(axes: "Axes", rows: Rows) -> None:
    by_day(axes, rows, {"price_index": INK})
    axes.set_ylabel("price index")


QUESTION: Final = Question("q_price_index", _answer, _draw)
