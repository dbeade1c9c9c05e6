"""Cartels: several accounts buy an item up, dear, and dump it at about the same time for much more than it is worth.

In the words of AMLSim a fan-in to each and a fan-out. A speculator does so alone, and a merchant sells at the day's
prices; when an item is in demand, all sell it dear, so each one near the price of the day.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final

from jobs.economy.detection.case import Case
from jobs.economy.detection.evidence import Position
from jobs.economy.detection.gifts import DAY_S
from jobs.economy.log import Cheat

_DUMPED_TO_DAY: Final = 1.4
_DUMPED_TO_USUAL: Final = 1.6
_BOUGHT_TO_USUAL: Final = 1.03
_DUMPER_TRADES: Final = 12
"""Who buys up and dumps trades again and again; one lucky lot is no position."""
_DUMPED_WITHIN_S: Final = 3 * DAY_S

_CORNERER_TRADES: Final = 25
_GAIN: Final = 1.25
_BOUGHT_SHARE: Final = 0.025
_TOGETHER_S: Final = 1.25 * DAY_S
_CORNERED_SHARE: Final = 0.12
"""Of all that was sold on those days that the accounts together bought, if they paid more than others did …"""
_BID_TO_DAY: Final = 1.03
_CORNERED_ALONE_SHARE: Final = 0.25
"""… or if they paid as much, since hardly anybody else bought."""
_LEAST_BID_TO_DAY: Final = 0.92
_MEAN_BID_TO_DAY: Final = 0.95
"""Market makers buy below the price of the day."""

_BOLD_TO_DAY: Final = 1.25
_BOLD_GAIN: Final = 1.2
_BOLD_BID_TO_DAY: Final = 1.15

_HANDED_SHARE: Final = 0.5
"""Of a dumper's units that one account handed to it, who then did the buying up."""
_HANDED_SOLD_SHARE: Final = 0.05
_CARTEL_MAX: Final = 15

_bought_at_s: Final = attrgetter("bought_at_s")
_sold_at_s: Final = attrgetter("sold_at_s")


def find(positions: Iterable[Position]) -> Iterator[Case]:
    """Members of cartels."""
    of_item: dict[int, list[Position]] = defaultdict(list)
    for position in positions:
        of_item[position.item_id].append(position)
    for item_id, held in of_item.items():
        for group in _together(filter(_is_dumped, held), _sold_at_s, _DUMPED_WITHIN_S):
            members = {row.player_id for row in group} | {row.supplier for row in group if _is_handed(row)}
            if 2 <= len(members) <= _CARTEL_MAX:
                yield from _cases(item_id, group)
        for kind, is_cartel in ((_is_large, _is_cornered), (_is_bold, _is_concerted)):
            for sellers in _together(filter(kind, held), _sold_at_s, _TOGETHER_S):
                for group in _together(sellers, _bought_at_s, _TOGETHER_S):
                    if 2 <= len(group) <= _CARTEL_MAX and is_cartel(group):
                        yield from _cases(item_id, group)


def _is_dumped(row: Position) -> bool:
    """Bought dear, or had from whom had bought, and sold for much more than others sold for."""
    dear = row.bought_to_usual >= _BOUGHT_TO_USUAL or _is_handed(row)
    often = row.trades >= _DUMPER_TRADES
    return often and dear and row.sold_to_day >= _DUMPED_TO_DAY and row.sold_to_usual >= _DUMPED_TO_USUAL


def _is_large(row: Position) -> bool:
    """So much of the item that it tells, sold dearer than bought."""
    gain = row.sold_to_usual / row.bought_to_usual
    large = row.trades >= _CORNERER_TRADES and row.bought_share >= _BOUGHT_SHARE
    return large and gain >= _GAIN and row.bought_to_day >= _LEAST_BID_TO_DAY


def _is_cornered(group: Sequence[Position]) -> bool:
    """Whether the accounts together were the market when they bought, at about the same time."""
    share = sum(row.bought_share for row in group)
    bid = sum(row.bought_to_day for row in group) / len(group)
    if bid < _MEAN_BID_TO_DAY:
        return False
    return share >= _CORNERED_ALONE_SHARE or (share >= _CORNERED_SHARE and bid >= _BID_TO_DAY)


def _is_bold(row: Position) -> bool:
    """Paid more than others and asked more than others, again and again."""
    gain = row.sold_to_usual / row.bought_to_usual
    dear = row.bought_to_usual >= _BOUGHT_TO_USUAL and row.bought_to_day >= 1
    return row.trades >= _CORNERER_TRADES and dear and row.sold_to_day >= _BOLD_TO_DAY and gain >= _BOLD_GAIN


def _is_concerted(group: Sequence[Position]) -> bool:
    """Whether several did so at the same time, or two who paid much more."""
    bid = sum(row.bought_to_day for row in group) / len(group)
    return len(group) > 2 or bid >= _BOLD_BID_TO_DAY


def _is_handed(row: Position) -> bool:
    return row.supplied_share >= _HANDED_SHARE and row.sold_share >= _HANDED_SOLD_SHARE


def _together(rows: Iterable[Position], at: Callable[[Position], float], within_s: float) -> Iterator[list[Position]]:
    """Those whose times follow each other that closely."""
    group: list[Position] = []
    for row in sorted(rows, key=at):
        if group and at(row) - at(group[-1]) > within_s:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _cases(item_id: int, group: Sequence[Position]) -> Iterator[Case]:
    dearest = max(row.sold_to_usual for row in group)
    score = min(0.99, 0.5 + 0.08 * len(group) + 0.1 * min(dearest, 3.0))
    for row in group:
        why = f"bought {row.bought:,} of item {item_id} at {row.bought_to_usual:.2f} of the usual price, "
        why += f"dumped {row.sold:,} at {row.sold_to_usual:.2f}, with {len(group) - 1} other(s)"
        yield Case(row.player_id, Cheat.PRICE_MANIPULATION, score, (), why, item_id)
        if _is_handed(row):
            handed = f"handed player {row.player_id} most of the item {item_id} that it dumped"
            yield Case(row.supplier, Cheat.PRICE_MANIPULATION, score - 0.05, (), handed, item_id)
