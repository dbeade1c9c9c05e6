"""Who trades with whom: how connected players are, and who trades most with each other."""

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from jobs.report.questions.question import ACCENT, INK, Question, Rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import PathPatch

_HEIGHT_IN: Final = 4.6
_BEND: Final = 0.3
"""How far out a line bends: from 0, the middle of the circle, to 1, straight."""
_WIDEST_PT: Final = 4.0
"""The line of the pair that has most trades."""


def _answer(rows: Rows) -> str:
    if not rows:
        return "none: there was no trade"
    row = rows[0]
    text = (
        f"{row['traders']:,} players in {row['pairs']:,} pairs, each with {row['mean_degree']:.1f} partners in the "
        f"mean; {row['repeat_pair_share']:.0%} of the pairs traded more than once, and in "
        f"{row['two_way_pair_share']:.0%} value went both ways"
    )
    if row["largest_component_share"] is None:
        return text
    return f"{text}; {row['largest_component_share']:.0%} of the players are connected with each other"


def _draw(axes: "Axes", rows: Rows) -> None:
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.set_figheight(_HEIGHT_IN)
    places = _places(rows)
    most = max((row["trades"] for row in rows), default=1)
    for row in rows[::-1]:  # the strongest on top
        one, other = places[row["lower_id"]], places[row["higher_id"]]
        width = max(0.5, _WIDEST_PT * row["trades"] / most)
        axes.add_patch(_arc(one, other, color=INK if row["two_way"] else ACCENT, linewidth=width, alpha=0.7))
    for player_id, (x, y) in places.items():
        axes.plot(x, y, color=INK, marker="o", markersize=3)
        axes.annotate(str(player_id), (1.04 * x, 1.04 * y), fontsize=9, va="center", **_turned(x, y))
    axes.set_aspect("equal")
    axes.margins(0.18)
    axes.set_frame_on(False)
    axes.set_xticks([])
    axes.set_yticks([])
    pairs = rows[0]["pairs"] if rows else 0
    axes.set_xlabel(f"players by id; the {len(rows):,} of {pairs:,} pairs with most trades,\nwidest: {most:,} trades")
    _explain(axes)


def _arc(one: tuple[float, float], other: tuple[float, float], **style: Any) -> "PathPatch":
    """A line that bends towards the middle of the circle, so that neighbours' can be seen too."""
    # imported only now: who only asks needs no figures
    from matplotlib.patches import PathPatch  # noqa: PLC0415
    from matplotlib.path import Path  # noqa: PLC0415

    bend = [_BEND * (a + b) / 2 for a, b in zip(one, other, strict=True)]
    return PathPatch(Path([one, bend, other], [Path.MOVETO, Path.CURVE3, Path.CURVE3]), fill=False, **style)


def _places(rows: Rows) -> dict[int, tuple[float, float]]:
    """Where each player stands on a circle: who is connected stands together."""
    partners: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        partners[row["lower_id"]].append(row["higher_id"])
        partners[row["higher_id"]].append(row["lower_id"])
    order: dict[int, None] = {}
    waiting = list(partners)[::-1]
    while waiting:
        player_id = waiting.pop()
        if player_id not in order:
            order[player_id] = None
            waiting += partners[player_id][::-1]
    turns = [2 * math.pi * place / len(order) for place in range(len(order))]
    return {player_id: (math.sin(turn), math.cos(turn)) for player_id, turn in zip(order, turns, strict=True)}


def _turned(x: float, y: float) -> dict[str, Any]:
    """A name points away from the circle and is never upside down."""
    angle = math.degrees(math.atan2(y, x))
    is_left = abs(angle) > 90
    return {
        "ha": "right" if is_left else "left",
        "rotation": angle + 180 if is_left else angle,
        "rotation_mode": "anchor",
    }


def _explain(axes: "Axes") -> None:
    for colour, label in ((INK, "value went both ways"), (ACCENT, "only one way")):
        axes.plot([], [], color=colour, linewidth=2, label=label)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)


QUESTION: Final = Question("q_trade_graph", _answer, _draw, figure="f05_strongest_pairs")
