"""The reference economy's own notes: how the answers of a realm that plays it compare with those of the reference run.

That is the run of the project that Haggle replaces: 1,000 players, 10,000 one-for-one trades. What is chance and what
is not follows from app/contract/economy.toml; of another economy there is nothing to say.
"""

from collections.abc import Callable, Mapping
from typing import Final

from app.contract.economy import reference_economy
from jobs.report.questions.question import Rows

_TRADES: Final = 10_000
_ITEM: Final = 5
_LINES: Final = 2_019
_DISTINCT_ITEMS: Final = 12
_ITEM_VALUE: Final = 159_000_000


def _trades(rows: Rows) -> str:
    if rows and rows[0]["trades"] == _TRADES:
        return f"{_TRADES:,}, as here."
    return f"{_TRADES:,}; here as many as were simulated, in one or more runs."


def _most_traded(rows: Rows) -> str:
    here = next((row["trade_lines"] for row in rows if row["item_id"] == _ITEM), 0)
    first = [row["item_id"] for row in rows if row["rank_by_lines"] == 1]
    text = f"item {_ITEM}, Food Package, in {_LINES:,} lines; here in {here:,}. "
    text += "One player in five is a farmer, who starts with it and with Milk: if players gave only what they started "
    text += f"with, it would be about one line in ten, {sum(row['trade_lines'] for row in rows) // 10:,}. Here they "
    text += "draw among all kinds they hold, and inventories mix, so it is fewer."
    if first != [_ITEM]:
        text += " Hunters are as many, so which of the four items comes first is chance."
    return text


def _most_diverse(rows: Rows) -> str:
    here = rows[0]["distinct_items"] if rows else 0
    return (
        f"{_DISTINCT_ITEMS} different items; here {here}. "
        "It grows with the trades of the busiest players, and is chance within one or two items."
    )


def _most_valuable(rows: Rows) -> str:
    economy = reference_economy()
    start = max(
        sum(economy.items[item].value * units for item, units in kind.items.items())
        for kind in economy.classes.values()
    )
    here = rows[0]["item_value"] if rows else 0
    return (
        f"about {_ITEM_VALUE:,} gold; here {here:,}. A banker starts with {start:,}, the most of any, "
        "and a one-for-one trade adds at most one Proof of Loyalty (1,000,000), of which each warrior brings one: "
        f"no inventory comes near twice that. Two bankers together hold {2 * start:,} at the start, so the reference "
        "figure fits a sum over both players of a trade rather than one inventory."
    )


_NO_FIGURE: Final = {
    "q_price": "Only a player without items pays gold, so few trades have a price; it is what the buyer could pay, and "
    "says nothing of what the item is worth.",
    "q_class_against_class": "How often two classes meet is chance, about their shares of the players multiplied. What "
    "each gives is not: one unit of something it holds, and a banker's things are worth more than a farmer's.",
    "q_item_flows": "That an item leaves the class that starts with it is not chance, nor that the large classes "
    "(farmers, hunters) get most of it; how two classes of one size differ is.",
    "q_trade_graph": "Pairs are drawn at random: that nearly all players are connected and few pairs trade twice is "
    "what so many random pairs give, and which ones do is chance.",
    "q_lorenz": "Who is rich is not chance of trades: it follows from the class, and bankers and aristocrats start "
    "with nearly all gold; how many of them there are is.",
}
"""What is chance where the reference run reported nothing."""


def _without_figure(text: str) -> Callable[[Rows], str]:
    return lambda _: f"reported nothing of it. {text}"


NOTES: Final[Mapping[str, Callable[[Rows], str]]] = {
    "q_trades": _trades,
    "q_most_traded_item": _most_traded,
    "q_most_diverse_inventory": _most_diverse,
    "q_most_valuable_inventory": _most_valuable,
    "q_offers": lambda _: "had none.",
    **{name: _without_figure(text) for name, text in _NO_FIGURE.items()},
}
"""By question."""


def is_reference(items: Rows) -> bool:
    """Whether these are the items of the reference economy: rows of the view `items`."""
    ours = {(item.item_id, item.name, item.value) for item in reference_economy().items.values()}
    return {(row["item_id"], row["name"], row["value"]) for row in items} == ours
