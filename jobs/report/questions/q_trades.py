"""How many trades there were, and how many were refused."""

from typing import TYPE_CHECKING, Any, Final

from jobs.report.questions.question import ACCENT, INK, Question, Rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _answer(rows: Rows) -> str:
    if not rows:
        return "0 trades, and 0 refused"
    return f"{rows[0]['trades']:,} trades, and {rows[0]['refused']:,} refused"


def _draw(axes: "Axes", rows: Rows) -> None:
    at: list[Any] = [row["moment"] for row in rows]
    axes.plot(at, [row["accepted"] for row in rows], color=INK, marker=".", label="accepted")
    axes.plot(at, [row["refused"] for row in rows], color=ACCENT, marker=".", label="refused")
    axes.set_ylabel(f"trades per {rows[0]['unit'] if rows else 'second'}")
    axes.set_xlabel("time (UTC)")
    axes.tick_params(axis="x", labelrotation=20)
    axes.legend(frameon=False)


QUESTION: Final = Question("q_trades", _answer, _draw, figure="f01_trades_over_time")
