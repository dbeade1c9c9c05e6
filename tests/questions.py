"""The business questions answered a second time, in plain Python over a list of events, by what their headers say.

It knows nothing of the SQL, so that a mistake in either shows. `answer` gives the rows of a question in the order and
with the columns that its header names.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeVar

from app.contract.events import (
    AdjustmentRejected,
    CatalogPublished,
    Event,
    Goods,
    OfferClosed,
    OfferMade,
    OfferRejected,
    PlayerAdjusted,
    PlayerCreated,
    PlayerForgotten,
    PlayerRenamed,
    Side,
    State,
    TradeAccepted,
    TradeRejected,
)

Row = list[Any]
_GOLD: Final = 0
_WEEK: Final = timedelta(days=7)


def answer(name: str, events: Iterable[Event]) -> list[Row]:
    """The rows of a question, each beginning with its realm."""
    realms: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        realms[event.realm].append(event)
    rows = ((realm, row) for realm in sorted(realms) for row in QUESTIONS[name](Past(realms[realm])))
    return [[realm, *row] for realm, row in rows]


# ---------------------------------------------------------------- a realm's past


class Sale(NamedTuple):
    """A priced trade."""

    day: date
    item: int
    units: int
    gold: int
    list_gold: int


class Now(NamedTuple):
    """A player as it is now."""

    player: int
    player_class: str
    start: int
    wealth: int
    changed_at: datetime


class Past:
    """A realm's events, and what follows of them."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events

    def of(self, *kinds: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]

    @cached_property
    def trades(self) -> list[TradeAccepted]:
        return self.of(TradeAccepted)

    @cached_property
    def created(self) -> dict[int, PlayerCreated]:
        return {event.player_id: event for event in self.of(PlayerCreated)}

    @cached_property
    def names(self) -> dict[int, str]:
        """The name that each item had last."""
        return {item.item_id: item.name for event in self.of(CatalogPublished) for item in event.catalog_items}

    @cached_property
    def usernames(self) -> dict[int, str | None]:
        names: dict[int, str | None] = {}
        for event in self.of(PlayerCreated, PlayerRenamed, PlayerForgotten):
            names[event.player_id] = None if isinstance(event, PlayerForgotten) else event.username
        return names

    @cached_property
    def states(self) -> list[tuple[int, State, Event]]:
        """Every state that a player was in, in the order of events."""
        found: list[tuple[int, State, Event]] = []
        for event in self.events:
            match event:
                case PlayerCreated() | PlayerRenamed() | PlayerForgotten() | PlayerAdjusted():
                    found.append((event.player_id, event.state, event))
                case TradeAccepted():
                    found += [(side.player_id, side.state, event) for side in (event.player_1, event.player_2)]
                case OfferMade() | OfferClosed():
                    found.append((event.player_1.player_id, event.player_1.state, event))
        return found

    @cached_property
    def now(self) -> list[Now]:
        newest = {player: (state, event) for player, state, event in self.states}
        return [
            Now(player, self.class_of(player), _worth(self.created[player].state), _worth(state), event.occurred_at)
            for player, (state, event) in newest.items()
        ]

    def class_of(self, player: int) -> str:
        return self.created[player].player_class if player in self.created else "unknown"

    @cached_property
    def holdings(self) -> dict[int, dict[int, int]]:
        """Units by item and player."""
        held: dict[int, dict[int, int]] = defaultdict(dict)
        for player, state, _ in self.states:
            for line in state.items:
                held[line.item_id][player] = line.quantity
        return held

    @cached_property
    def sales(self) -> list[Sale]:
        found = []
        for trade in self.trades:
            for seller, buyer in (_sides(trade), _sides(trade)[::-1]):
                if len(seller.items) == 1 and not seller.gold and not buyer.items and buyer.gold:
                    (line,) = seller.items
                    worth = line.quantity * (line.value or 0)
                    found.append(Sale(_day(trade), line.item_id, line.quantity, buyer.gold, worth))
        return found

    @cached_property
    def gifts(self) -> list[tuple[TradeAccepted, Side, Side]]:
        """Each with the giver's side and the taker's."""
        return [
            (trade, giver, taker)
            for trade in self.trades
            for giver, taker in (_sides(trade), _sides(trade)[::-1])
            if not taker.gold and not taker.items
        ]


def _sides(trade: TradeAccepted) -> tuple[Side, Side]:
    return trade.player_1, trade.player_2


def _players(trade: TradeAccepted) -> tuple[int, int]:
    return trade.player_1.player_id, trade.player_2.player_id


def _pair(trade: TradeAccepted) -> frozenset[int]:
    return frozenset(_players(trade))


def _given(side: Side) -> int:
    return side.gold + (side.item_value or 0)


def _worth(state: State) -> int:
    return state.gold + state.item_value


def _day(event: Event) -> date:
    return event.occurred_at.astimezone(UTC).date()


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


def _by(key: Callable[[_Value], _Key], values: Iterable[_Value]) -> dict[_Key, list[_Value]]:
    groups: dict[_Key, list[_Value]] = defaultdict(list)
    for value in values:
        groups[key(value)].append(value)
    return groups


def _percentile(values: Sequence[float], percent: int) -> float | None:
    """The least value such that so many percent are at or below it."""
    return next((each for each in sorted(values) if _at_most(values, each) * 100 >= percent * len(values)), None)


def _at_most(values: Sequence[float], limit: float) -> int:
    return sum(1 for value in values if value <= limit)


def _ratio(one: float, other: float) -> float | None:
    return one / other if other else None


# ---------------------------------------------------------------- trades


def _trades(past: Past) -> Iterator[Row]:
    decided = past.of(TradeAccepted, TradeRejected)
    if decided:
        times = [event.occurred_at for event in decided]
        yield [len(past.trades), len(decided) - len(past.trades), min(times), max(times)]


def _activity(past: Past) -> Iterator[Row]:
    counted = (TradeAccepted, TradeRejected, PlayerCreated, OfferMade, PlayerAdjusted)
    for day, events in sorted(_by(_day, past.of(*counted)).items()):
        kinds = Counter(map(type, events))
        active = {player for event in events if isinstance(event, TradeAccepted) for player in _players(event)}
        after = [kinds[kind] for kind in (PlayerCreated, OfferMade, PlayerAdjusted)]
        yield [day, kinds[TradeAccepted], kinds[TradeRejected], len(active), *after]


def _volume(past: Past) -> Iterator[Row]:
    for day, trades in sorted(_by(_day, past.trades).items()):
        flows: Counter[tuple[int, int, int]] = Counter()
        for trade in trades:
            for giver, taker in (_sides(trade), _sides(trade)[::-1]):
                flows[giver.player_id, taker.player_id, _GOLD] += giver.gold
                for line in giver.items:
                    flows[giver.player_id, taker.player_id, line.item_id] += line.quantity * (line.value or 0)
        gross = flows.total()
        net = sum(max(0, value - flows.get((taker, giver, item), 0)) for (giver, taker, item), value in flows.items())
        yield [day, len(trades), gross, net, _ratio(gross - net, gross)]


def _refusals(past: Past) -> Iterator[Row]:
    kinds: dict[str, tuple[type[Any], type[Any]]] = {
        "adjustment": (PlayerAdjusted, AdjustmentRejected),
        "offer": (OfferMade, OfferRejected),
        "trade": (TradeAccepted, TradeRejected),
    }
    for kind, (made, refused) in kinds.items():
        all_refused = past.of(refused)
        decided = len(all_refused) + len(past.of(made))
        reasons = _by(lambda event: str(event.reason), all_refused)
        for reason, events in sorted(reasons.items(), key=lambda pair: (-len(pair[1]), pair[0])):
            players = {player for event in events for player in _named(event)}
            yield [kind, reason, len(events), len(events) / len(all_refused), len(events) / decided, len(players)]


def _named(event: Any) -> tuple[int, ...]:
    if isinstance(event, AdjustmentRejected):
        return (event.player_id,)
    return event.player_1.player_id, event.player_2.player_id


def _offers(past: Past) -> Iterator[Row]:
    made = {event.offer_id: event.occurred_at for event in past.of(OfferMade)}
    refused = past.of(OfferRejected)
    closed = past.of(OfferClosed)
    became_trades = [trade for trade in past.trades if trade.offer_id is not None]
    if not made and not refused:
        return
    ends = Counter(str(event.outcome) for event in closed)
    outcomes = ("declined", "cancelled", "expired", "account_closed")
    ended = len(closed) + len(became_trades)
    answers = [(trade.offer_id or "", trade.occurred_at) for trade in became_trades]
    answers += [(event.offer_id, event.occurred_at) for event in closed if event.outcome == "declined"]
    waits = [(at - made[offer]).total_seconds() for offer, at in answers]
    percent = round(100 * len(became_trades) / ended, 1) if ended else 0
    row = [len(made), len(became_trades), *(ends[outcome] for outcome in outcomes), len(refused)]
    yield [*row, len(made) - ended, percent, _percentile(waits, 50)]


# ---------------------------------------------------------------- items and prices


def _most_traded_item(past: Past) -> Iterator[Row]:
    units, lines = Counter[int](), Counter[int]()
    for trade in past.trades:
        for line in (*trade.player_1.items, *trade.player_2.items):
            units[line.item_id] += line.quantity
            lines[line.item_id] += 1
    for item in sorted(units, key=lambda item: (-units[item], -lines[item], item)):
        ranks = [1 + sum(1 for other in counts.values() if other > counts[item]) for counts in (units, lines)]
        yield [item, past.names.get(item), units[item], lines[item], *ranks]


def _price(past: Past) -> Iterator[Row]:
    for (item, day), sales in sorted(_by(lambda sale: (sale.item, sale.day), past.sales).items()):
        prices = [sale.gold / sale.units for sale in sales]
        units, gold, worth = (sum(column) for column in list(zip(*sales, strict=True))[2:])
        percentiles = [_percentile(prices, percent) for percent in (50, 10, 90)]
        row = [item, past.names.get(item), day, len(sales), units, gold, gold / units, *percentiles]
        yield [*row, worth / units, _ratio(gold, worth), len(sales) < 5]


def _price_index(past: Past) -> Iterator[Row]:
    index = 100.0
    before: dict[int, tuple[int, float]] = {}
    for day, sales in sorted(_by(lambda sale: sale.day, past.sales).items()):
        today = {
            item: (sum(sale.units for sale in some), sum(sale.gold for sale in some) / sum(sale.units for sale in some))
            for item, some in _by(lambda sale: sale.item, sales).items()
            if len(some) >= 5
        }
        if not today:
            continue
        both = [(before[item], today[item]) for item in sorted(set(before) & set(today))]
        link = _fisher(both) if both else None
        index *= link or 1
        yield [day, len(today), len(both), link, index]
        before = today


def _fisher(both: list[tuple[tuple[int, float], tuple[int, float]]]) -> float:
    def ratio(units: Callable[[int, int], int]) -> float:
        costs_now = math.fsum(units(then_units, now_units) * now for (then_units, _), (now_units, now) in both)
        cost_then = math.fsum(units(then_units, now_units) * then for (then_units, then), (now_units, _) in both)
        return costs_now / cost_then

    laspeyres, paasche = ratio(lambda then, _: then), ratio(lambda _, now: now)
    return math.sqrt(laspeyres * paasche)


def _item_flows(past: Past) -> Iterator[Row]:
    given, taken, away, into = (Counter[tuple[int, str]]() for _ in range(4))
    for event in past.of(PlayerCreated, PlayerAdjusted):
        player_class = past.class_of(event.player_id)
        got = event.state.items if isinstance(event, PlayerCreated) else event.given.items
        for line in got:
            given[line.item_id, player_class] += line.quantity
        for line in () if isinstance(event, PlayerCreated) else event.taken.items:
            taken[line.item_id, player_class] += line.quantity
    for trade in past.trades:
        for giver, taker in (_sides(trade), _sides(trade)[::-1]):
            for line in giver.items:
                away[line.item_id, past.class_of(giver.player_id)] += line.quantity
                into[line.item_id, past.class_of(taker.player_id)] += line.quantity
    for key in sorted({*given, *taken, *away, *into}):
        item, player_class = key
        net = into[key] - away[key]
        row = [item, past.names.get(item), player_class, given[key], taken[key], away[key], into[key]]
        yield [*row, net, given[key] - taken[key] + net]


def _item_velocity(past: Past) -> Iterator[Row]:
    traded = Counter[int]()
    for trade in past.trades:
        for line in (*trade.player_1.items, *trade.player_2.items):
            traded[line.item_id] += line.quantity
    for item in sorted({*past.holdings, *traded}):
        held = [units for units in past.holdings.get(item, {}).values() if units]
        all_units = sum(held)
        shares = [units / all_units for units in held]
        concentration = [math.fsum(share**2 for share in shares), max(shares)] if shares else [None, None]
        row = [item, past.names.get(item), all_units, len(held), traded[item]]
        yield [*row, _ratio(traded[item], all_units), *concentration]


# ---------------------------------------------------------------- money


def _money_supply(past: Past) -> Iterator[Row]:
    gold = 0
    for day, events in sorted(_by(_day, past.of(PlayerCreated, PlayerAdjusted, TradeAccepted)).items()):
        added = traded = 0
        for event in events:
            match event:
                case PlayerCreated():
                    added += event.state.gold
                case PlayerAdjusted():
                    added += event.given.gold - event.taken.gold
                case TradeAccepted():
                    traded += event.player_1.gold + event.player_2.gold
        gold += added
        yield [day, added, gold, traded, _ratio(traded, gold)]


def _faucets_and_sinks(past: Past) -> Iterator[Row]:
    given, taken = Counter[tuple[int, str]](), Counter[tuple[int, str]]()
    for event in past.of(PlayerCreated, PlayerAdjusted):
        if isinstance(event, PlayerCreated):
            given[_GOLD, "creation"] += event.state.gold
            for line in event.state.items:
                given[line.item_id, "creation"] += line.quantity
        else:
            reason = str(event.adjustment_reason)
            for amounts, goods in ((given, event.given), (taken, event.taken)):
                for item, amount in _amounts(goods):
                    amounts[item, reason] += amount
    gold = {player: state.gold for player, state, _ in past.states}
    held = {_GOLD: sum(gold.values())} | {item: sum(units.values()) for item, units in past.holdings.items()}
    moved = {key for key in {*given, *taken} if given[key] or taken[key]}
    unexplained: set[tuple[int, str | None]] = {(thing, None) for thing in held if held[thing]}
    unexplained -= {(thing, None) for thing, _ in moved}
    for thing, why in sorted({*moved, *unexplained}, key=lambda key: (key[0], key[1] or "")):
        supply = sum(amount for (other, _), amount in given.items() if other == thing)
        supply -= sum(amount for (other, _), amount in taken.items() if other == thing)
        name = past.names.get(thing) if thing else "gold"
        amounts_of = [given[thing, why], taken[thing, why]] if why else [0, 0]
        there = held.get(thing, 0)
        yield [thing or None, name, why, *amounts_of, supply, there, supply - there]


def _amounts(goods: Goods) -> Iterator[tuple[int, int]]:
    yield _GOLD, goods.gold
    for line in goods.items:
        yield line.item_id, line.quantity


# ---------------------------------------------------------------- wealth


def _wealth(past: Past) -> Iterator[Row]:
    if past.now:
        yield [None, *_spread(past.now)]
    for player_class, players in sorted(_by(lambda each: each.player_class, past.now).items()):
        yield [player_class, *_spread(players)]


def _spread(players: list[Now]) -> Row:
    count = len(players)
    wealths = sorted(each.wealth for each in players)
    total = sum(wealths)
    richest = [wealths[count - math.ceil(count / share) :] for share in (100, 10)]
    poorest = wealths[: count // 2]
    growth = [each.wealth / each.start for each in players if each.start]
    gained = sum(1 for each in players if each.wealth > each.start)
    return [
        count,
        total,
        total / count,
        _percentile(wealths, 50),
        _gini(wealths),
        _gini([each.start for each in players]),
        *(_ratio(sum(part), total) for part in (*richest, poorest)),
        gained / count,
        *(_percentile(growth, percent) for percent in (10, 50, 90)),
    ]


def _gini(amounts: Iterable[int]) -> float | None:
    """One less twice the area below the Lorenz curve."""
    ordered = sorted(amounts)
    total = sum(ordered)
    if not total:
        return None
    area, up_to = 0, 0
    for amount in ordered:
        area += 2 * up_to + amount
        up_to += amount
    return 1 - area / (total * len(ordered))


def _lorenz(past: Past) -> Iterator[Row]:
    wealths = sorted(each.wealth for each in past.now)
    for percent in range(101 if wealths else 0):
        whole, part = divmod(percent * len(wealths), 100)
        have = sum(wealths[:whole]) + (part / 100 * wealths[whole] if part else 0)
        yield [percent, _ratio(have, sum(wealths))]


_BANDS: Final = ((0, 1), (1, 7), (7, 30), (30, 90), (90, None))


def _dormant_wealth(past: Past) -> Iterator[Row]:
    newest = max(event.occurred_at for event in past.events)
    total = sum(each.wealth for each in past.now)
    for low, high in _BANDS:
        idle = [
            each
            for each in past.now
            if timedelta(days=low) <= newest - each.changed_at < (timedelta(days=high) if high else timedelta.max)
        ]
        if idle:
            wealth = sum(each.wealth for each in idle)
            yield [low, high, len(idle), wealth, len(idle) / len(past.now), _ratio(wealth, total)]


def _most_diverse(past: Past) -> Iterator[Row]:
    yield from _extremes(past, lambda state: state.distinct_items)


def _most_valuable(past: Past) -> Iterator[Row]:
    yield from _extremes(past, lambda state: state.item_value)


def _extremes(past: Past, measure: Callable[[State], int]) -> Iterator[Row]:
    highest = max((measure(state) for _, state, _ in past.states), default=None)
    seen = set()
    for player, state, event in sorted(past.states, key=lambda each: (each[2].sequence, each[0])):
        if measure(state) == highest and player not in seen:
            seen.add(player)
            who = [player, past.usernames[player], past.class_of(player)]
            yield [*who, highest, state.version, event.occurred_at]


# ---------------------------------------------------------------- players


def _trade_graph(past: Past) -> Iterator[Row]:
    """With components as maintenance finds them when it knows all trades."""
    if not past.trades:
        return
    pairs = _by(_pair, past.trades)
    partners: dict[int, set[int]] = defaultdict(set)
    two_way = mutual = value = 0
    for pair, trades in pairs.items():
        one, other = pair
        partners[one].add(other)
        partners[other].add(one)
        given = Counter[int]()
        for side in (side for trade in trades for side in _sides(trade)):
            given[side.player_id] += _given(side)
        lesser = min(given[one], given[other])
        two_way += lesser > 0
        mutual += 2 * lesser
        value += given.total()
    repeated = sum(1 for trades in pairs.values() if len(trades) > 1)
    degrees = [len(others) for others in partners.values()]
    sizes = _component_sizes(partners)
    yield [
        len(partners),
        len(pairs),
        len(past.trades),
        repeated,
        repeated / len(pairs),
        two_way,
        two_way / len(pairs),
        _ratio(mutual, value),
        sum(degrees) / len(degrees),
        max(degrees),
        len(sizes),
        max(sizes),
        max(sizes) / len(partners),
        past.trades[-1].sequence,
    ]


def _component_sizes(partners: dict[int, set[int]]) -> list[int]:
    sizes = []
    left = set(partners)
    while left:
        reached = waiting = {left.pop()}
        while waiting:
            waiting = {other for player in waiting for other in partners[player]} - reached
            reached = reached | waiting
        left -= reached
        sizes.append(len(reached))
    return sizes


def _class_against_class(past: Past) -> Iterator[Row]:
    trades, given, got = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for trade in past.trades:
        classes = [past.class_of(side.player_id) for side in _sides(trade)]
        trades.update({(classes[0], classes[1]), (classes[1], classes[0])})
        for place, side in enumerate(_sides(trade)):
            given[classes[place], classes[1 - place]] += _given(side)
            got[classes[1 - place], classes[place]] += _given(side)
    for pair, count in sorted(trades.items()):
        per_trade = [given[pair] / count, got[pair] / count]
        yield [*pair, count, given[pair], got[pair], *per_trade, _ratio(got[pair], given[pair])]


def _retention(past: Past) -> Iterator[Row]:
    active: dict[date, set[int]] = defaultdict(set)
    for trade in past.trades:
        active[_monday(_day(trade))].update(_players(trade))
    cohorts = _by(lambda event: _monday(_day(event)), past.created.values())
    for monday, players in sorted(cohorts.items()):
        cohort = {event.player_id for event in players}
        for week in sorted(week for week in active if week >= monday):
            trading = len(cohort & active[week])
            yield [monday, (week - monday) // _WEEK, len(cohort), trading, trading / len(cohort)]


def _newcomers(past: Past) -> Iterator[Row]:
    own: dict[int, list[TradeAccepted]] = defaultdict(list)
    for trade in past.trades:
        for player in _players(trade):
            own[player].append(trade)
    gifts = Counter(taker.player_id for _, _, taker in past.gifts)
    for day, created in sorted(_by(_day, past.created.values()).items()):
        players = [event.player_id for event in created]
        waits = [own[event.player_id][0].occurred_at - event.occurred_at for event in created if own[event.player_id]]
        ratios = [ratio for player in players if (ratio := _first_ratio(player, own[player])) is not None]
        hours = _percentile([wait / timedelta(hours=1) for wait in waits], 50)
        soon = sum(1 for wait in waits if wait <= timedelta(hours=24))
        trades = sum(len(own[player]) for player in players)
        got = _ratio(sum(gifts[player] for player in players), trades)
        yield [day, len(players), len(waits), soon, hours, len(ratios), _percentile(ratios, 50), trades, got]


def _first_ratio(player: int, trades: list[TradeAccepted]) -> float | None:
    for trade in trades:
        mine, theirs = _sides(trade) if trade.player_1.player_id == player else _sides(trade)[::-1]
        if mine.gold and not mine.items and not theirs.gold and len(theirs.items) == 1 and theirs.item_value:
            return mine.gold / theirs.item_value
    return None


def _gifts(past: Past) -> Iterator[Row]:
    moments: dict[tuple[int, int], list[datetime]] = defaultdict(list)
    for trade, giver, taker in past.gifts:
        moments[giver.player_id, taker.player_id].append(trade.occurred_at)
    for day, gifts in sorted(_by(lambda gift: _day(gift[0]), past.gifts).items()):
        value = sum(_given(giver) for _, giver, _ in gifts)
        answered = [
            _given(giver)
            for trade, giver, taker in gifts
            if any(
                timedelta() <= moment - trade.occurred_at <= _WEEK
                for moment in moments.get((taker.player_id, giver.player_id), ())
            )
        ]
        givers = {giver.player_id for _, giver, _ in gifts}
        share = len(answered) / len(gifts)
        yield [day, len(gifts), len(givers), value, len(answered), share, _ratio(sum(answered), value)]


QUESTIONS: Final[dict[str, Callable[[Past], Iterator[Row]]]] = {
    "q_activity": _activity,
    "q_class_against_class": _class_against_class,
    "q_dormant_wealth": _dormant_wealth,
    "q_faucets_and_sinks": _faucets_and_sinks,
    "q_gifts": _gifts,
    "q_item_flows": _item_flows,
    "q_item_velocity": _item_velocity,
    "q_lorenz": _lorenz,
    "q_money_supply": _money_supply,
    "q_most_diverse_inventory": _most_diverse,
    "q_most_traded_item": _most_traded_item,
    "q_most_valuable_inventory": _most_valuable,
    "q_newcomers": _newcomers,
    "q_offers": _offers,
    "q_price": _price,
    "q_price_index": _price_index,
    "q_refusals": _refusals,
    "q_retention": _retention,
    "q_trade_graph": _trade_graph,
    "q_trades": _trades,
    "q_volume": _volume,
    "q_wealth": _wealth,
}
