"""Which item is traded most, by units and by lines."""

from typing import TYPE_CHECKING, Final

from app.contract.economy import ITEMS
from jobs.report.questions.question import INK, Question, Rows, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_REFERENCE_ITEM: Final = 5
_REFERENCE_LINES: Final = 2_019


def _answer(rows: Rows) -> str:
    if not rows:
        return "none: no item was traded"
    by_units = [row for row in rows if row["rank_by_units"] == 1]
    by_lines = [row for row in rows if row["rank_by_lines"] == 1]
    units = f"by units {_names(by_units)} with {by_units[0]['units']:,}"
    return f"{units}; by trade lines {_names(by_lines)} with {by_lines[0]['trade_lines']:,}"


def _names(rows: Rows) -> str:
    return some([f"{ITEMS[row['item_id']].name} (item {row['item_id']})" for row in rows])


def _reference(rows: Rows) -> str:
    here = next((row["trade_lines"] for row in rows if row["item_id"] == _REFERENCE_ITEM), 0)
    first = [row["item_id"] for row in rows if row["rank_by_lines"] == 1]
    name = ITEMS[_REFERENCE_ITEM].name
    text = f"item {_REFERENCE_ITEM}, {name}, in {_REFERENCE_LINES:,} lines; here in {here:,}. "
    text += "One player in five is a farmer, who starts with it and with Milk: if players gave only what they started "
    text += f"with, it would be about one line in ten, {sum(row['trade_lines'] for row in rows) // 10:,}. Here they "
    text += "draw among all kinds they hold, and inventories mix, so it is fewer."
    if first != [_REFERENCE_ITEM]:
        text += " Hunters are as many, so which of the four items comes first is chance."
    return text


def _draw(axes: "Axes", rows: Rows) -> None:
    upwards = rows[::-1]
    axes.barh([ITEMS[row["item_id"]].name for row in upwards], [row["units"] for row in upwards], color=INK)
    axes.set_xlabel("units traded")
    axes.tick_params(axis="y", labelsize=7)


QUESTION: Final = Question("q02_most_traded_item", _answer, _reference, _draw)
