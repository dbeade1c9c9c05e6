"""Which class trades with which."""

from typing import TYPE_CHECKING, Final

from jobs.report.questions.question import INK, Question, Rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GREATEST: Final = 1_500
"""Area of the greatest dot, in square points."""


def _answer(rows: Rows) -> str:
    if not rows:
        return "none: there was no trade"
    most = max(rows, key=lambda row: row["trades"])
    return f"most often {most['player_class']} with {most['partner_class']}: {most['trades']:,} trades"


def _draw(axes: "Axes", rows: Rows) -> None:
    most = max((row["trades"] for row in rows), default=1)
    one, other = ([row[name] for row in rows] for name in ("partner_class", "player_class"))
    axes.scatter(one, other, [_GREATEST * row["trades"] / most for row in rows], color=INK, alpha=0.3, linewidths=0)
    for row in rows:
        axes.annotate(f"{row['trades']:,}", (row["partner_class"], row["player_class"]), ha="center", va="center")
    axes.margins(0.2)
    axes.set_xlabel("trades by class and class of the partner")


QUESTION: Final = Question("q_class_against_class", _answer, _draw)
