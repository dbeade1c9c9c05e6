"""What items were sold for against their value in the catalog."""

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jobs.report.questions.question import ACCENT, INK, Question, Rows, name_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMED: Final = 4
"""Items that the figure names: those whose price is farthest from their value."""
_APART: Final = 4
"""How many times another's price a price must be for both names to have room."""


class _Price(NamedTuple):
    """What a unit of an item cost and was worth in the mean of all its days, by units."""

    name: str
    item_id: int
    price: float
    value: float

    @property
    def ratio(self) -> float:
        return self.price / self.value

    @property
    def text(self) -> str:
        return f"{self.name} (item {self.item_id}) at {self.ratio:.2f} times its value"


def _answer(rows: Rows) -> str:
    prices = sorted(_prices([row for row in rows if not row["thin"]]), key=lambda each: each.ratio)
    if not prices:
        return "none: no item that has a value had five sales on a day"
    if len(prices) == 1:
        return prices[0].text
    return f"dearest {prices[-1].text}, cheapest {prices[0].text}"


def _prices(rows: Rows) -> list[_Price]:
    """The items of the rows that are worth something."""
    of_item: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        of_item[row["item_id"]].append(row)
    found = []
    for item_id, days in of_item.items():
        gold, units = (sum(day[name] for day in days) for name in ("gold", "units"))
        worth = sum(day["list_value"] * day["units"] for day in days)
        if worth > 0:
            found.append(_Price(name_of(days[0]), item_id, gold / units, worth / units))
    return found


def _draw(axes: "Axes", rows: Rows) -> None:
    often = _prices([row for row in rows if not row["thin"]])
    known = {price.item_id for price in often}
    seldom = _prices([row for row in rows if row["item_id"] not in known])
    axes.set_xscale("log")
    axes.set_yscale("log")
    _dots(axes, often, "sold often", INK)
    _dots(axes, seldom, "never five times a day", "none")
    ends = [amount for price in (*often, *seldom) for amount in (price.price, price.value)] or [1]
    line = [min(ends) / 2, max(ends) * 2]
    axes.plot(line, line, color=ACCENT, linestyle=":", label="price = value")
    middle = math.sqrt(line[0] * line[1])
    for price in _most_mispriced(often):
        # away from the line, and within the axes
        place: Any = {"ha": "right", "va": "bottom"} if price.value > middle else {"ha": "left", "va": "top"}
        offset = (-4, 3) if price.value > middle else (4, -3)
        at = (price.value, price.price)
        axes.annotate(price.name, at, xytext=offset, textcoords="offset points", fontsize=9, **place)
    axes.set_xlabel("value of a unit, gold (logarithmic)")
    axes.set_ylabel("price of a unit, gold")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=9, columnspacing=1)


def _dots(axes: "Axes", prices: list[_Price], label: str, fill: str) -> None:
    if prices:
        at = [price.value for price in prices], [price.price for price in prices]
        axes.scatter(*at, 24, facecolors=fill, edgecolors=INK, label=label)


def _most_mispriced(prices: list[_Price]) -> list[_Price]:
    """The first few by their distance from the line, but none that another one stands too near to."""
    named: list[_Price] = []
    for price in sorted(prices, key=lambda each: (-abs(math.log(each.ratio)), each.item_id)):
        if all(max(price.price / other.price, other.price / price.price) > _APART for other in named):
            named.append(price)
    return named[:_NAMED]


QUESTION: Final = Question("q_price", _answer, _draw)
