"""How much happened on each day."""

from typing import TYPE_CHECKING, Final

from jobs.report.questions.question import ACCENT, INK, Question, Rows, by_day

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _answer(rows: Rows) -> str:
    if not rows:
        return "0 days with anything"
    busiest = max(rows, key=lambda row: row["trades"])
    return (
        f"{len(rows):,} day{'' if len(rows) == 1 else 's'}; most trades on {busiest['day']}, {busiest['trades']:,}, "
        f"by {busiest['active_traders']:,} players"
    )


def _draw(axes: "Axes", rows: Rows) -> None:
    by_day(axes, rows, {"active_traders": INK, "new_players": ACCENT})
    axes.set_ylabel("players")


QUESTION: Final = Question("q_activity", _answer, _draw)
