"""Who ever held the most valuable inventory."""

from typing import TYPE_CHECKING, Final

from app.contract.economy import CLASSES, ITEMS
from jobs.report.questions.question import INK, Question, Rows, players

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_REFERENCE_ITEM_VALUE: Final = 159_000_000


def _answer(rows: Rows) -> str:
    return f"{rows[0]['item_value']:,} gold: {players(rows)}" if rows else "none: there is no player"


def _reference(rows: Rows) -> str:
    start = max(sum(ITEMS[item].value * units for item, units in kind.items.items()) for kind in CLASSES.values())
    here = rows[0]["item_value"] if rows else 0
    return (
        f"about {_REFERENCE_ITEM_VALUE:,} gold; here {here:,}. A banker starts with {start:,}, the most of any, "
        "and a one-for-one trade adds at most one Proof of Loyalty (1,000,000), of which each warrior brings one: "
        f"no inventory comes near twice that. Two bankers together hold {2 * start:,} at the start, so the reference "
        "figure fits a sum over both players of a trade rather than one inventory."
    )


def _draw(axes: "Axes", rows: Rows) -> None:
    upwards = rows[::-1]
    axes.barh([row["player_class"] for row in upwards], [row["item_value"] for row in upwards], color=INK)
    axes.set_xlabel("greatest item gold value ever held (logarithmic)")
    axes.set_xscale("log")


QUESTION: Final = Question("q04_most_valuable_inventory", _answer, _reference, _draw, figure="f04_value_by_class")
