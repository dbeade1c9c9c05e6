"""A game's past as the relay writes it: contract events as JSON, one per creation and per trade, without any server.

Figures at a million or ten million trades need so many events in minutes, not in the hour that it takes to play them.
The players and the trades are those of the economy: one unit of a random kind held goes each way.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from msgspec import json

from app.contract.events import SCHEMA_VERSION, CatalogItem
from jobs.simulate.plan import PlannedPlayer, plan_players
from tests.economy import CLASSES, ECONOMY, ITEMS

REALM: Final = "history"
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
TRADES_PER_S: Final = 200

_VALUES: Final = {item.item_id: item.value for item in ITEMS.values()}


class _Player:
    """What a player holds; `kinds` lists the keys of `units`, so that one can be drawn without looking for it."""

    __slots__ = ("gold", "kinds", "units", "value", "version")

    def __init__(self, player_class: str) -> None:
        kind = CLASSES[player_class]
        self.gold = kind.gold
        self.units = dict(kind.items)
        self.kinds = list(kind.items)
        self.value = sum(_VALUES[item] * units for item, units in kind.items.items())
        self.version = 1

    def exchange(self, given: int, taken: int) -> None:
        """Takes a unit of one item and gives one of another; taking comes first, as in the engine."""
        units = self.units
        if taken not in units:
            units[taken] = 0
            self.kinds.append(taken)
        units[taken] += 1
        units[given] -= 1
        if not units[given]:
            del units[given]
            self.kinds.remove(given)
        self.value += _VALUES[taken] - _VALUES[given]
        self.version += 1

    def state(self, *items: int) -> str:
        """The state after a change of these items, as JSON."""
        units = self.units
        changed = ",".join(f'{{"item_id":{item},"quantity":{units.get(item, 0)}}}' for item in items)
        return (
            f'{{"version":{self.version},"gold":{self.gold},"item_units":{sum(units.values())},'
            f'"distinct_items":{len(units)},"item_value":{self.value},"items":[{changed}]}}'
        )


def plan_events(
    players: int,
    trades: int,
    seed: int,
    *,
    realm: str = REALM,
    start: datetime = START,
    trades_per_s: float = TRADES_PER_S,
) -> Iterator[bytes]:
    """The events of a realm from its first on: the catalog, `players` creations, then `trades` one-for-one trades.

    The same arguments give the same bytes. Events are `1 / trades_per_s` apart, which spreads them over days.
    """
    times = _times(start, trades_per_s)
    planned = plan_players(ECONOMY, seed, players)
    everyone = [_Player(player.player_class) for player in planned]
    yield (_head("catalog_published", realm, 1, next(times)) + _catalog()).encode()
    for player_id, (player, made) in enumerate(zip(planned, everyone, strict=True), 1):
        yield (_head("player_created", realm, player_id + 1, next(times)) + _created(player_id, player, made)).encode()
    draw = Random(f"history {seed}").random
    for number in range(1, trades + 1):
        head = _head("trade_accepted", realm, 1 + players + number, next(times))
        trade = _trade(draw(), draw(), draw(), draw(), everyone)
        yield f'{head}"trade_id":"h-{number}","offer_id":null,{trade}'.encode()


def _times(start: datetime, per_s: float) -> Iterator[str]:
    """Moments from `start` on, as the engine writes them; a second's beginning is formatted once."""
    second, text, number = -1, "", 0
    while True:
        microseconds = int(number * 1_000_000 / per_s)
        if microseconds // 1_000_000 != second:
            second = microseconds // 1_000_000
            text = (start + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S")
        yield f"{text}.{microseconds % 1_000_000:06d}Z"
        number += 1


def _head(event_type: str, realm: str, sequence: int, at: str) -> str:
    return (
        f'{{"event_type":"{event_type}","event_id":"{realm}:{sequence}","schema_version":{SCHEMA_VERSION},'
        f'"realm":"{realm}","sequence":{sequence},"occurred_at":"{at}",'
    )


def _catalog() -> str:
    items = [CatalogItem(item.item_id, item.name, item.level, item.value) for item in ITEMS.values()]
    catalog = {
        "catalog_version": 1,
        "max_capacity": ECONOMY.max_capacity,
        "catalog_items": items,
        "catalog_classes": [],
    }
    return json.encode(catalog).decode().removeprefix("{")


def _created(player_id: int, player: PlannedPlayer, made: _Player) -> str:
    named = f'"player_id":{player_id},"username":"{player.username}","external_id":null'
    kind = f'"player_class":"{player.player_class}","max_capacity":{ECONOMY.max_capacity}'
    return f'{named},{kind},"state":{made.state(*made.units)}}}'


def _trade(first: float, second: float, kind_1: float, kind_2: float, everyone: list[_Player]) -> str:
    """Draws both players and what each gives by numbers from 0 to 1, settles, and tells it as JSON."""
    count = len(everyone)
    one = int(first * count)
    two = (one + 1 + int(second * (count - 1))) % count
    player_1, player_2 = everyone[one], everyone[two]
    item_1 = player_1.kinds[int(kind_1 * len(player_1.kinds))]
    item_2 = player_2.kinds[int(kind_2 * len(player_2.kinds))]
    player_1.exchange(item_1, item_2)
    player_2.exchange(item_2, item_1)
    touched = (item_1,) if item_1 == item_2 else (item_2, item_1)
    return (
        f'"player_1":{_side(one + 1, item_1, player_1.state(*touched))},'
        f'"player_2":{_side(two + 1, item_2, player_2.state(*touched))}}}'
    )


def _side(player_id: int, item: int, state: str) -> str:
    value = _VALUES[item]
    line = f'{{"item_id":{item},"quantity":1,"value":{value}}}'
    return f'{{"player_id":{player_id},"gold":0,"item_value":{value},"items":[{line}],"state":{state}}}'
