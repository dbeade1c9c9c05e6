"""Where items come from, and from which class to which they go."""

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jobs.report.questions.question import ACCENT, INK, Question, Rows, grow, name_of, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ITEMS: Final = 12
_CLASSES: Final = 6
_NAME: Final = 16
"""Most characters of an item's name."""
_DEEPEST: Final = 0.45
"""Opacity of a field through which all units went: the number in it can still be read."""
_POINTS: Final = 9
"""Size of what is written."""
_GAME: Final = ("given", "taken")


class _Net(NamedTuple):
    """Units of an item that a class got in trades, less those that it gave."""

    units: int
    share: float
    """Of all units of the item that trades moved, without its sign."""


def _answer(rows: Rows) -> str:
    if not rows:
        return "none: there is no item"
    least = min(rows, key=lambda row: row["net_traded"])
    if not least["net_traded"]:
        return "none from class to class: each got back in trades what it gave"
    most = max((row for row in rows if row["item_id"] == least["item_id"]), key=lambda row: row["net_traded"])
    return (
        f"the greatest flow is that of {name_of(least)} (item {least['item_id']}): {least['player_class']} players "
        f"gave {-least['net_traded']:,} more than they got, and {most['player_class']} players got "
        f"{most['net_traded']:,} more than they gave"
    )


def _draw(axes: "Axes", rows: Rows) -> None:
    items, classes = _busiest(rows, "item_id", _ITEMS), _busiest(rows, "player_class", _CLASSES)
    names = {row["item_id"]: name_of(row) for row in rows}
    columns = [*_GAME, *classes]
    for line, item in enumerate(items):
        of_item = [row for row in rows if row["item_id"] == item]
        for column, words in enumerate(_GAME):
            _write(axes, short(sum(row[words] for row in of_item)), (column, line))
        for player_class, net in _nets(of_item).items():
            if player_class in classes:
                _field(axes, net, (columns.index(player_class), line))
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(max(len(items), 1) - 0.5, -0.5)
    axes.set_xticks(range(len(columns)), columns, rotation=90)
    axes.set_yticks(range(len(items)), [_cut(names[item]) for item in items])
    axes.tick_params(length=0, labeltop=True, labelbottom=False, labelsize=_POINTS)
    axes.spines[:].set_visible(False)
    which = "all items" if len(items) == len(names) else f"the {len(items)} most traded items"
    axes.set_xlabel(f"units of {which}:\ngiven and taken by the game;\nof each class, got less given")
    grow(axes, len(items), frame_in=1.6)


def _busiest(rows: Rows, column: str, most: int) -> list[Any]:
    """The values of the column of which trades moved most units."""
    moved = Counter[Any]()
    for row in rows:
        moved[row[column]] += row["traded_in"] + row["traded_away"]
    return sorted(moved, key=lambda value: (-moved[value], value))[:most]


def _nets(rows: Rows) -> dict[str, _Net]:
    """By class, of the rows of one item."""
    moved = sum(row["traded_in"] for row in rows) or 1
    return {row["player_class"]: _Net(row["net_traded"], abs(row["net_traded"]) / moved) for row in rows}


def _field(axes: "Axes", net: _Net, at: tuple[int, int]) -> None:
    """The number, on a ground that is the deeper the more of what was traded went there (or came from there)."""
    colour = INK if net.units > 0 else ACCENT
    axes.barh(at[1], 0.94, 0.9, left=at[0] - 0.47, color=colour, alpha=_DEEPEST * net.share)
    sign = "+" if net.units > 0 else ""
    _write(axes, sign + short(net.units).replace("-", "\N{MINUS SIGN}"), at)


def _write(axes: "Axes", text: str, at: tuple[int, int]) -> None:
    axes.annotate(text, at, ha="center", va="center", fontsize=_POINTS)


def _cut(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


QUESTION: Final = Question("q_item_flows", _answer, _draw)
