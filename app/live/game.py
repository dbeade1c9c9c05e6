"""What the newest events say of the game: counts of the last minutes, the newest trades and offers, prices."""

from collections import Counter, deque
from collections.abc import Iterable
from datetime import datetime
from statistics import median
from typing import Any, Final, NamedTuple, cast

from app.contract.economy import Economy
from app.contract.events import (
    Event,
    OfferClosed,
    OfferMade,
    OfferRejected,
    Side,
    SideAfter,
    TradeAccepted,
    TradeRejected,
)
from app.live.shapes import NewestOffer, NewestTrade, Price, Second

KEPT_S: Final = 300
_RECENT_S: Final = 60
_SHOWN: Final = 10
_SALES_KEPT: Final = 2_000
_NAMED_ITEMS: Final = 3


class _Sale(NamedTuple):
    second: int
    item_id: int
    price: float


class _Tally:
    """What was decided within a second. Of events that nobody looked at, those that were looked at stand for them."""

    def __init__(self) -> None:
        self.accepted = 0.0
        self.refused = Counter[str]()
        self.offers = Counter[str]()


class Game:
    """The last KEPT_S seconds of a realm, as far as `take` was told of them."""

    def __init__(self) -> None:
        self._seconds: dict[int, _Tally] = {}
        self._sales: deque[_Sale] = deque(maxlen=_SALES_KEPT)
        self._trades: deque[TradeAccepted | TradeRejected] = deque(maxlen=_SHOWN)
        self._offers: deque[OfferMade | OfferRejected | OfferClosed] = deque(maxlen=_SHOWN)

    def take(self, events: Iterable[Event], weight: float = 1.0) -> None:
        """Adds events in the order of their sequence, each of which stands for `weight` of them."""
        for event in events:
            second = _second(event)
            tally = self._seconds.get(second) or self._seconds.setdefault(second, _Tally())
            self._add(event, tally, weight)
        for second in sorted(self._seconds)[:-KEPT_S]:
            del self._seconds[second]

    def _add(self, event: Event, tally: _Tally, weight: float) -> None:
        match event:
            case TradeAccepted():
                tally.accepted += weight
                self._trades.appendleft(event)
                self._sales.extend(_sales(event))
            case TradeRejected():
                tally.refused[event.reason] += cast("Any", weight)
                self._trades.appendleft(event)
            case OfferMade() | OfferRejected() | OfferClosed():
                tally.offers[_status(event)] += cast("Any", weight)
                self._offers.appendleft(event)
        if isinstance(event, TradeAccepted) and event.offer_id:
            tally.offers["accepted"] += cast("Any", weight)

    def seconds(self, now: float, last_s: int = KEPT_S) -> list[Second]:
        """The whole seconds before now, oldest first, those without a trade too."""
        nothing = _Tally()
        found = ((at, self._seconds.get(at, nothing)) for at in range(int(now) - last_s, int(now)))
        return [Second(at, round(tally.accepted), round(tally.refused.total())) for at, tally in found]

    def refused(self, now: float) -> dict[str, int]:
        """Trades that were refused in the last minute, by reason, the most frequent first."""
        return self._recent(now, "refused")

    def offers(self, now: float) -> dict[str, int]:
        """What became of offers in the last minute."""
        return self._recent(now, "offers")

    def _recent(self, now: float, what: str) -> dict[str, int]:
        total = Counter[str]()
        for at, tally in self._seconds.items():
            if at >= now - _RECENT_S:
                total.update(getattr(tally, what))
        return {name: round(number) for name, number in total.most_common()}

    def newest_trades(self, economy: Economy) -> list[NewestTrade]:
        """The newest trades, the last first."""
        return [_newest_trade(event, economy) for event in self._trades]

    def newest_offers(self, economy: Economy) -> list[NewestOffer]:
        """What became of offers last, the last first."""
        return [_newest_offer(event, economy) for event in self._offers]

    def prices(self, now: float, economy: Economy) -> list[Price]:
        """Of the items that were sold most often, what for."""
        by_item: dict[int, list[float]] = {}
        for sale in self._sales:
            if sale.second >= now - KEPT_S:
                by_item.setdefault(sale.item_id, []).append(sale.price)
        busiest = sorted(by_item.items(), key=lambda each: (-len(each[1]), each[0]))[:_SHOWN]
        return [_price(item_id, prices, economy) for item_id, prices in busiest]


def _second(event: Event) -> int:
    # the time is still the text that Lua wrote (store/layout.py)
    return int(datetime.fromisoformat(cast("str", event.occurred_at)).timestamp())


def _status(event: OfferMade | OfferRejected | OfferClosed) -> str:
    match event:
        case OfferMade():
            return "made"
        case OfferRejected():
            return "refused"
        case OfferClosed():
            return event.outcome


def _sales(trade: TradeAccepted) -> Iterable[_Sale]:
    """The priced trade that this is, if it is one: one item line for gold, and nothing else (q_price.sql)."""
    for goods, payment in ((trade.player_1, trade.player_2), (trade.player_2, trade.player_1)):
        if len(goods.items) == 1 and not goods.gold and payment.gold and not payment.items:
            line = goods.items[0]
            yield _Sale(_second(trade), line.item_id, payment.gold / line.quantity)


def _newest_trade(event: TradeAccepted | TradeRejected, economy: Economy) -> NewestTrade:
    return NewestTrade(
        sequence=event.sequence,
        occurred_at=event.occurred_at,
        player_1=event.player_1.player_id,
        gave_1=_words(event.player_1, economy),
        player_2=event.player_2.player_id,
        gave_2=_words(event.player_2, economy),
        reason=event.reason if isinstance(event, TradeRejected) else None,
    )


def _newest_offer(event: OfferMade | OfferRejected | OfferClosed, economy: Economy) -> NewestOffer:
    return NewestOffer(
        sequence=event.sequence,
        occurred_at=event.occurred_at,
        status=_status(event),
        player_1=event.player_1.player_id,
        gives=_words(event.player_1, economy),
        player_2=event.player_2.player_id,
        wants=_words(event.player_2, economy),
    )


def _words(side: Side | SideAfter, economy: Economy) -> str:
    """What a side gives: its gold, and the first few of its items."""
    parts = [f"{side.gold:,} gold"] if side.gold else []
    parts += [f"{line.quantity:,} {_name(line.item_id, economy)}" for line in side.items[:_NAMED_ITEMS]]
    more = len(side.items) - _NAMED_ITEMS
    return ", ".join([*parts, *([f"{more} more"] if more > 0 else [])]) or "nothing"


def _name(item_id: int, economy: Economy) -> str:
    item = economy.items.get(item_id)
    return item.name if item else f"item {item_id}"


def _price(item_id: int, prices: list[float], economy: Economy) -> Price:
    item = economy.items.get(item_id)
    value = item.value if item else None
    return Price(item_id, _name(item_id, economy), len(prices), prices[-1], median(prices), value)
