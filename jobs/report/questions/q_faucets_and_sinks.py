"""What the game brings in of gold and of each item, and what it takes out."""

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from jobs.report.questions.question import ACCENT, INK, Question, Rows, grow, legend, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ITEMS: Final = 15
"""Items that the figure shows: those of which most came and went."""


def _answer(rows: Rows) -> str:
    if not rows:
        return "none: the game gave nothing"
    gold, units = ([row for row in rows if (row["item_id"] is None) == is_gold] for is_gold in (True, False))
    off = {row["item_id"] for row in rows if row["residual"]}
    rest = f"of {len(off):,} things players hold ANOTHER amount" if off else "players hold exactly the rest"
    return (
        f"given {_sum(gold, 'given')} gold and {_sum(units, 'given')} units of items, "
        f"taken back {_sum(gold, 'taken')} and {_sum(units, 'taken')}; {rest}"
    )


def _sum(rows: Rows, column: str) -> str:
    return f"{sum(row[column] for row in rows):,}"


def _draw(axes: "Axes", rows: Rows) -> None:
    given: dict[str, int] = defaultdict(int)
    taken: dict[str, int] = defaultdict(int)
    for row in rows:
        if row["item_id"] is not None:
            name = row["thing"] or f"item {row['item_id']}"
            given[name] += row["given"]
            taken[name] += row["taken"]
    most = sorted(given, key=lambda name: (-given[name] - taken[name], name))[:_ITEMS]
    upwards = most[::-1]
    axes.barh(upwards, [given[name] for name in upwards], color=INK, label="given")
    axes.barh(upwards, [-taken[name] for name in upwards], color=ACCENT, label="taken back")
    grow(axes, len(most))
    axes.margins(y=0.02)
    axes.xaxis.set_major_formatter(lambda number, _: short(abs(number)))
    axes.set_xlabel(f"units, of {'all' if len(most) == len(given) else f'the {len(most)} busiest'} items")
    legend(axes)


QUESTION: Final = Question("q_faucets_and_sinks", _answer, _draw)
