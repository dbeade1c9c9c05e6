"""Cartels: several accounts buy an item up, dear, and dump it at the same time for much more than it goes for otherwise.

In the words of AMLSim a fan-in to each and a fan-out. A speculator does so alone, and a merchant sells at the day's
prices; when an item is in demand, all sell it dear, so each one near the price of the day.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from jobs.economy.detection.case import Case
from jobs.economy.detection.gifts import DAY_S
from jobs.economy.log import Cheat

_DUMPED_TO_DAY: Final = 1.4
_DUMPED_TO_USUAL: Final = 1.6
_BOUGHT_TO_USUAL: Final = 1.03
_BID_TO_DAY: Final = 1.04
"""Who must have an item pays more than others do that day."""
_GAIN: Final = 1.45
_BOUGHT_SHARE: Final = 0.025
_SOLD_SHARE: Final = 0.015
_CORNERED_SHARE: Final = 0.1
"""Of all that was sold on those days that the accounts together bought, where the price then rose for everybody."""
_HANDED_SHARE: Final = 0.5
"""Of a dumper's units that one account handed to it, who then did the buying up."""
_HANDED_SOLD_SHARE: Final = 0.05
_TOGETHER_S: Final = 3 * DAY_S
_CARTEL_MAX: Final = 15

Row = Mapping[str, Any]


def find(rows: Iterable[Row]) -> Iterator[Case]:
    """Members of cartels: rows of sql/detection/positions.sql."""
    sellers: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        if _is_dumped(row) or _is_cornered(row):
            sellers[row["item_id"]].append(row)
    for item_id, found in sellers.items():
        for group in _together(found):
            members = {row["player_id"] for row in group} | {row["supplier"] for row in group if _is_handed(row)}
            if 2 <= len(members) <= _CARTEL_MAX and _moves_the_price(group):
                yield from _cases(item_id, group)


def _is_dumped(row: Row) -> bool:
    """Sold for much more than others sold for."""
    dear = row["bought_to_usual"] >= _BOUGHT_TO_USUAL or _is_handed(row)
    return dear and row["sold_to_day"] >= _DUMPED_TO_DAY and row["sold_to_usual"] >= _DUMPED_TO_USUAL


def _is_cornered(row: Row) -> bool:
    """Bought for more than others paid, so much that it tells, and sold much dearer."""
    gain = row["sold_to_usual"] / row["bought_to_usual"]
    tells = row["bought_share"] >= _BOUGHT_SHARE and row["sold_share"] >= _SOLD_SHARE
    return tells and row["bought_to_day"] >= _BID_TO_DAY and gain >= _GAIN


def _moves_the_price(group: Sequence[Row]) -> bool:
    """Whether they dumped against the market, or the market is what they bought."""
    return any(map(_is_dumped, group)) or sum(row["bought_share"] for row in group) >= _CORNERED_SHARE


def _is_handed(row: Row) -> bool:
    return bool(row["supplied_share"] >= _HANDED_SHARE and row["sold_share"] >= _HANDED_SOLD_SHARE)


def _together(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Those who sold at about the same time."""
    group: list[Row] = []
    for row in sorted(rows, key=lambda row: row["sold_at_s"]):
        if group and row["sold_at_s"] - group[-1]["sold_at_s"] > _TOGETHER_S:
            yield group
            group = []
        group.append(row)
    yield group


def _cases(item_id: int, group: Sequence[Row]) -> Iterator[Case]:
    dearest = max(row["sold_to_usual"] for row in group)
    score = min(0.99, 0.5 + 0.08 * len(group) + 0.1 * min(dearest, 3.0))
    for row in group:
        why = f"bought {row['bought']:,} of item {item_id} at {row['bought_to_usual']:.2f} of the usual price, "
        why += f"dumped {row['sold']:,} at {row['sold_to_usual']:.2f}, with {len(group) - 1} other(s)"
        yield Case(row["player_id"], Cheat.PRICE_MANIPULATION, score, [], why)
        if _is_handed(row):
            handed = f"handed player {row['player_id']} most of the item {item_id} that it dumped"
            yield Case(row["supplier"], Cheat.PRICE_MANIPULATION, score - 0.05, [], handed)
