"""What a business question is made of, and the words and colours that several of them use."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[Mapping[str, Any]]
INK: Final = "#2f4858"
ACCENT: Final = "#c8553d"
_NAMED: Final = 5
_ROW_IN: Final = 0.2
"""Height of a row of text in a figure, in inches."""
_POINTS: Final = 40
"""Most points of a line that are each marked."""
_DAYS_OF_BARS: Final = 3
_SIZES: Final = ((10**12, "tn"), (10**9, "bn"), (10**6, "M"), (1_000, "k"))
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
            line(axes, days, heights, colour, label)
        else:
            axes.bar([day + place * width for day in range(len(rows))], heights, width, color=colour, label=label)
    if len(rows) > _DAYS_OF_BARS:
        dates(axes)
    else:
        axes.set_xlim(-1, len(rows))
        axes.set_xticks([day + (_BARS_WIDTH - width) / 2 for day in range(len(rows))], [str(day) for day in days])
    axes.yaxis.set_major_formatter(short)
    axes.set_ylim(bottom=0)
    if len(columns) > 1:
        legend(axes)


def bars(axes: "Axes", names: Sequence[str], lengths: Sequence[float]) -> None:
    """Draws a bar for each name, the first on top; the figure grows with them."""
    grow(axes, len(names))
    axes.barh(names[::-1], lengths[::-1], color=INK)
    axes.margins(y=0.02)
    axes.xaxis.set_major_formatter(short)


def grow(axes: "Axes", rows: int, frame_in: float = 0.6) -> None:
    """Makes the figure high enough for so many rows of text, with a frame around them."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.set_figheight(max(figure.get_figheight(), frame_in + _ROW_IN * rows))


def line(axes: "Axes", across: Sequence[Any], heights: Sequence[float], colour: str, label: str) -> None:
    """Draws a line; each of its points is marked while they can be told apart."""
    axes.plot(across, heights, color=colour, marker="." if len(heights) <= _POINTS else None, label=label)


def dates(axes: "Axes") -> None:
    """Lets the axis of time say as little as is clear, so that it can be read on a phone."""
    # imported only now: who only asks needs no figures
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: PLC0415

    locator = AutoDateLocator(minticks=2, maxticks=6)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))  # type: ignore[no-untyped-call]


def legend(axes: "Axes") -> None:
    """Names the lines or bars above the figure, where they hide nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)


def short(number: float, _place: float = 0) -> str:
    """A number in a few characters: 950, 7.5k, 12M."""
    for size, name in _SIZES:
        if abs(number) >= size:
            return f"{float(f'{number / size:.3g}'):g}{name}"
    return f"{number:.3g}"
