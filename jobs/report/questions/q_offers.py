"""What became of the offers."""

from typing import TYPE_CHECKING, Final

from jobs.report.questions.question import Question, Rows, bars

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ENDED: Final = ("accepted", "declined", "cancelled", "expired", "account_closed")


def _answer(rows: Rows) -> str:
    if not rows:
        return "none was made, and 0 refused"
    row = rows[0]
    if not row["made"]:
        return f"none was made, and {row['refused']:,} refused"
    ended = ", ".join(f"{row[status]:,} {_word(status)}" for status in _ENDED)
    share = f"{row['accepted_percent']} % of those that ended were accepted"
    return f"{row['made']:,} made: {ended}, {row['still_open']:,} still open; {share}; and {row['refused']:,} refused"


def _word(status: str) -> str:
    return status.replace("_", " ")


def _draw(axes: "Axes", rows: Rows) -> None:
    row = rows[0] if rows else {}
    statuses = (*_ENDED, "still_open")
    bars(axes, [_word(status) for status in statuses], [row.get(status, 0) for status in statuses])
    axes.set_xlabel("offers")


QUESTION: Final = Question("q_offers", _answer, _draw)
