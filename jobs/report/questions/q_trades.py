"""How many trades there were, and how many were refused."""

from typing import TYPE_CHECKING, Any, Final

from jobs.report.questions.question import ACCENT, INK, Question, Rows, dates, legend, line, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _answer(rows: Rows) -> str:
    if not rows:
        return "0 trades, and 0 refused"
    return f"{rows[0]['trades']:,} trades, and {rows[0]['refused']:,} refused"


def _draw(axes: "Axes", rows: Rows) -> None:
    at: list[Any] = [row["moment"] for row in rows]
    line(axes, at, [row["accepted"] for row in rows], INK, "accepted")
    line(axes, at, [row["refused"] for row in rows], ACCENT, "refused")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(short)
    axes.set_ylabel(f"trades per {rows[0]['unit'] if rows else 'second'}")
    axes.set_xlabel("time (UTC)")
    if len(rows) > 1:
        dates(axes)
    else:
        axes.set_xticks(at, [f"{each:%Y-%m-%d %H:%M:%S}" for each in at])
    legend(axes)


QUESTION: Final = Question("q_trades", _answer, _draw, figure="f01_trades_over_time")
