"""What a business question is made of, and the words and colours that several of them use."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[Mapping[str, Any]]
INK: Final = "#2f4858"
ACCENT: Final = "#c8553d"
_NAMED: Final = 5
_DAYS_OF_BARS: Final = 3
_BARS_WIDTH: Final = 0.6
"""Share of a day's width that its bars take."""


class Question(NamedTuple):
    """A question of sql/questions. Its functions get the rows of one realm, in their order; there may be none.

    `draw` draws the rows of sql/figures/<figure>.sql, or without one those of the answer.
    """

    name: str
    answer: Callable[[Rows], str]
    draw: "Callable[[Axes, Rows], None]"
    figure: str | None = None


def some(names: Sequence[str]) -> str:
    """The first few of the names, and how many more there are."""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def name_of(row: Mapping[str, Any]) -> str:
    """The name of the item of a row; one that was in no catalog has none."""
    return row["name"] or "unknown"


def players(rows: Rows) -> str:
    """The players that the rows name."""
    return some(
        [f"{row['username'] or 'forgotten'} (player {row['player_id']}, {row['player_class']})" for row in rows]
    )


def by_day(axes: "Axes", rows: Rows, columns: Mapping[str, str]) -> None:
    """Draws columns, each in its colour: as lines over the days, or as bars while there are few days."""
    days: list[Any] = [row["day"] for row in rows]
    width = _BARS_WIDTH / len(columns)
    for place, (column, colour) in enumerate(columns.items()):
        heights, label = [row[column] for row in rows], column.replace("_", " ")
        if len(rows) > _DAYS_OF_BARS:
            axes.plot(days, heights, color=colour, marker=".", label=label)
        else:
            axes.bar([day + place * width for day in range(len(rows))], heights, width, color=colour, label=label)
    if len(rows) > _DAYS_OF_BARS:
        axes.tick_params(axis="x", labelrotation=20)
    else:
        axes.set_xlim(-1, len(rows))
        axes.set_xticks([day + (_BARS_WIDTH - width) / 2 for day in range(len(rows))], [str(day) for day in days])
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylim(bottom=0)
    if len(columns) > 1:
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(columns))
