"""How much was exchanged on each day, and how much of it only went back and forth."""

from typing import TYPE_CHECKING, Final

from jobs.report.questions.question import ACCENT, INK, Question, Rows, by_day

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _answer(rows: Rows) -> str:
    gross, net = (sum(row[name] for row in rows) for name in ("gross_value", "net_value"))
    if not gross:
        return "0 gold of value"
    return f"{gross:,} gold of value, of which {1 - net / gross:.0%} only went back and forth within a day"


def _draw(axes: "Axes", rows: Rows) -> None:
    by_day(axes, rows, {"gross_value": INK, "net_value": ACCENT})
    axes.set_ylabel("gold value")


QUESTION: Final = Question("q_volume", _answer, _draw)
