"""How wealth is spread among all players."""

from typing import TYPE_CHECKING, Any, Final

from jobs.report.questions.question import ACCENT, INK, Question, Rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _answer(rows: Rows) -> str:
    share = {row["player_percent"]: row["wealth_share"] for row in rows}
    if share.get(50) is None:
        return "none: nobody has anything"
    return f"the poorer half has {share[50]:.1%} of all wealth, the richest tenth {1 - share[90]:.1%}"


def _draw(axes: "Axes", rows: Rows) -> None:
    percent: list[Any] = [row["player_percent"] for row in rows]
    axes.plot(percent, [100 * (row["wealth_share"] or 0) for row in rows], color=INK, label="here")
    axes.plot([0, 100], [0, 100], color=ACCENT, linestyle=":", label="if all had the same")
    axes.set_xlabel("poorest % of the players")
    axes.set_ylabel("% of all wealth")
    axes.legend()


QUESTION: Final = Question("q_lorenz", _answer, _draw)
