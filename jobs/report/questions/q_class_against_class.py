"""Which class trades with which."""

from typing import TYPE_CHECKING, Final

from jobs.report.questions.question import INK, Question, Rows, grow, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ACROSS_PT: Final = 250
"""Width of all columns together."""
_GREATEST_PT: Final = 40
"""Diameter of the greatest dot, if it has the room."""


def _answer(rows: Rows) -> str:
    if not rows:
        return "none: there was no trade"
    most = max(rows, key=lambda row: row["trades"])
    return f"most often {most['player_class']} with {most['partner_class']}: {most['trades']:,} trades"


def _draw(axes: "Axes", rows: Rows) -> None:
    most = max((row["trades"] for row in rows), default=1)
    one, other = ([row[name] for row in rows] for name in ("partner_class", "player_class"))
    classes = max(1, len(set(one)))
    greatest = min(_GREATEST_PT, _ACROSS_PT / classes) ** 2
    axes.scatter(one, other, [greatest * row["trades"] / most for row in rows], color=INK, alpha=0.3, linewidths=0)
    for row in rows:
        at = (row["partner_class"], row["player_class"])
        axes.annotate(_brief(row["trades"]), at, ha="center", va="center", fontsize=9)
    grow(axes, classes, frame_in=1.6)
    axes.margins(0.5 / max(1, classes - 1))
    axes.invert_yaxis()
    axes.tick_params(axis="x", labelrotation=90)
    axes.set_xlabel("trades by class and class of the partner")


def _brief(trades: int) -> str:
    """Exact below a thousand, and of more the first two digits, for which there is room."""
    return short(trades if trades < 1_000 else float(f"{trades:.2g}"))


QUESTION: Final = Question("q_class_against_class", _answer, _draw)
