"""Which item is traded most, by units and by lines."""

from typing import TYPE_CHECKING, Final

from jobs.report.questions.question import Question, Rows, bars, name_of, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _answer(rows: Rows) -> str:
    if not rows:
        return "none: no item was traded"
    by_units = [row for row in rows if row["rank_by_units"] == 1]
    by_lines = [row for row in rows if row["rank_by_lines"] == 1]
    units = f"by units {_names(by_units)} with {by_units[0]['units']:,}"
    return f"{units}; by trade lines {_names(by_lines)} with {by_lines[0]['trade_lines']:,}"


def _names(rows: Rows) -> str:
    return some([f"{name_of(row)} (item {row['item_id']})" for row in rows])


def _draw(axes: "Axes", rows: Rows) -> None:
    bars(axes, [name_of(row) for row in rows], [row["units"] for row in rows])
    axes.set_xlabel("units traded")


QUESTION: Final = Question("q_most_traded_item", _answer, _draw)
