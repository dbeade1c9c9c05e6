"""A game told in a few lines, as a log in a folder: who traded what with whom, at which second.

It keeps what players hold, so that the states in its events are right, and has a crowd that trades at fair prices.
"""

import json
import random
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from app.contract.economy import reference_economy
from app.contract.events import (
    SCHEMA_VERSION,
    CatalogClass,
    CatalogItem,
    CatalogPublished,
    Event,
    Goods,
    ItemUnits,
    Line,
    OfferMade,
    PlayerAdjusted,
    PlayerCreated,
    Side,
    SideAfter,
    State,
    TradeAccepted,
    TradeRejected,
)
from app.contract.reasons import AdjustmentReason, Rejection
from jobs.economy.log import EVENTS_FILE, INNOCENT_FILE, LABELS_FILE

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
DAY_S: Final = 86_400
HOUR_S: Final = 3_600
GOLD: Final = 0
"""In what a side gives and in what a player holds, the key of gold; others are item ids."""

_VALUES: Final = {item.item_id: item.value for item in reference_economy().items.values()}

Amounts = Mapping[int, int]


class Game:
    """Tell it what happens in any order; `write` puts it in order and works out the states."""

    def __init__(self) -> None:
        self._holdings: list[dict[int, int]] = []
        self._versions: list[int] = []
        self._told: list[tuple[float, int, Callable[..., Event], tuple[Any, ...]]] = []
        self._events: list[Event] = []
        self.labels: list[dict[str, Any]] = []
        self.innocents: list[dict[str, Any]] = []

    def player(self, holds: Amounts) -> int:
        """A new player, who is there from the start."""
        self._holdings.append(dict(holds))
        self._versions.append(1)
        return len(self._holdings)

    def players(self, count: int, holds: Amounts) -> list[int]:
        """Several who hold the same."""
        return [self.player(holds) for _ in range(count)]

    def trade(self, at_s: float, one: int, gives: Amounts, other: int, gets: Amounts | None = None) -> None:
        """`one` gives, and gets from `other`."""
        self._tell(at_s, self._traded, one, dict(gives), other, dict(gets or {}))

    def refused(self, at_s: float, one: int, gives: Amounts, other: int, gets: Amounts | None = None) -> None:
        """The same is asked for, and `one` does not have what it would give."""
        self._tell(at_s, self._refused, one, dict(gives), other, dict(gets or {}))

    def offer(
        self, at_s: float, after_s: float, one: int, gives: Amounts, other: int, gets: Amounts | None = None
    ) -> None:
        """`one` makes an offer, which `other` accepts so many seconds after."""
        name = f"o{len(self._told)}"
        self._tell(at_s, self._offered, name, one, dict(gives), other, dict(gets or {}))
        self._tell(at_s + after_s, self._accepted, name, one, dict(gives), other, dict(gets or {}))

    def reward(self, at_s: float, player: int, amounts: Amounts) -> None:
        """The game gives."""
        self._tell(at_s, self._rewarded, player, dict(amounts))

    def crowd(self, days: int = 5, players: int = 60, seed: int = 1) -> list[int]:
        """Players who sell each other an item now and then, by day, at about its value."""
        draw = random.Random(seed)
        people = self.players(players, {GOLD: 20_000, 5: 300, 7: 200, 3: 200, 1: 100})
        for day in range(days):
            for _ in range(players * 4):
                seller, buyer = draw.sample(people, 2)
                item, units = draw.choice((1, 3, 5, 7)), draw.randint(1, 9)
                price = max(1, round(_VALUES[item] * units * draw.uniform(0.9, 1.1)))
                at_s = day * DAY_S + 8 * HOUR_S + draw.uniform(0, 14 * HOUR_S)
                self.trade(at_s, seller, {item: units}, buyer, {GOLD: price})
        return people

    def label(self, cheat: str, *players: int, role: str = "member", instance: str = "") -> None:
        """These are to be found."""
        self.labels += [
            {"player_id": player, "cheat": cheat, "role": role, "instance": instance or cheat} for player in players
        ]

    def write(self, folder: Path) -> Path:
        """Writes the log."""
        self._publish()
        for player, holds in enumerate(self._holdings, start=1):
            after = self._state(player, holds.keys() - {GOLD})
            self._events.append(
                PlayerCreated(
                    player_id=player,
                    username=f"p{player}",
                    player_class="farmer",
                    max_capacity=9_999,
                    state=after,
                    **self._envelope(0),
                )
            )
        for at_s, _, event, what in sorted(self._told, key=lambda told: told[:2]):
            self._events.append(event(at_s, *what))
        lines = b"\n".join(map(msgspec.json.encode, self._events))
        (folder / EVENTS_FILE).write_bytes(lines + b"\n")
        (folder / LABELS_FILE).write_text(_lines(self.labels))
        (folder / INNOCENT_FILE).write_text(_lines(self.innocents))
        return folder

    def _tell(self, at_s: float, event: Callable[..., Event], *what: Any) -> None:
        self._told.append((at_s, len(self._told), event, what))

    def _envelope(self, at_s: float) -> dict[str, Any]:
        sequence = len(self._events) + 1
        return {
            "event_id": f"game:{sequence}",
            "schema_version": SCHEMA_VERSION,
            "realm": "game",
            "sequence": sequence,
            "occurred_at": START + timedelta(seconds=at_s),
        }

    def _publish(self) -> None:
        economy = reference_economy()
        self._events.append(
            CatalogPublished(
                catalog_version=1,
                max_capacity=economy.max_capacity,
                catalog_items=[CatalogItem(i.item_id, i.name, i.level, i.value) for i in economy.items.values()],
                catalog_classes=[
                    CatalogClass(c.name, c.weight, c.gold, [ItemUnits(*pair) for pair in c.items.items()])
                    for c in economy.classes.values()
                ],
                **self._envelope(0),
            )
        )

    def _state(self, player: int, changed: Iterable[int]) -> State:
        holds = self._holdings[player - 1]
        items = {item: units for item, units in holds.items() if item != GOLD and units}
        return State(
            version=self._versions[player - 1],
            gold=holds.get(GOLD, 0),
            item_units=sum(items.values()),
            distinct_items=len(items),
            item_value=sum(_VALUES[item] * units for item, units in items.items()),
            items=[ItemUnits(item, items.get(item, 0)) for item in sorted(changed)],
        )

    def _change(self, player: int, amounts: Amounts, sign: int) -> None:
        holds = self._holdings[player - 1]
        for what, amount in amounts.items():
            holds[what] = holds.get(what, 0) + sign * amount
            assert holds[what] >= 0, f"player {player} does not have so much of {what or 'gold'}"

    def _side(self, player: int, gives: Amounts) -> Side:
        lines = [Line(item, units, _VALUES[item]) for item, units in gives.items() if item != GOLD]
        value = sum(line.quantity * (line.value or 0) for line in lines)
        return Side(player_id=player, gold=gives.get(GOLD, 0), item_value=value, items=lines)

    def _offered(self, at_s: float, name: str, one: int, gives: Amounts, other: int, gets: Amounts) -> OfferMade:
        self._change(one, gives, -1)
        self._versions[one - 1] += 1
        envelope = self._envelope(at_s)
        return OfferMade(
            offer_id=name,
            expires_at=START + timedelta(seconds=at_s + DAY_S),
            player_1=self._side_after(one, gives, gives.keys() - {GOLD}),
            player_2=self._side(other, gets),
            **envelope,
        )

    def _accepted(self, at_s: float, name: str, one: int, gives: Amounts, other: int, gets: Amounts) -> TradeAccepted:
        self._change(other, gets, -1)
        return self._settled(at_s, name, (one, gives), (other, gets))

    def _traded(self, at_s: float, one: int, gives: Amounts, other: int, gets: Amounts) -> TradeAccepted:
        self._change(one, gives, -1)
        self._change(other, gets, -1)
        return self._settled(at_s, None, (one, gives), (other, gets))

    def _settled(
        self, at_s: float, offer: str | None, first: tuple[int, Amounts], second: tuple[int, Amounts]
    ) -> TradeAccepted:
        """What both have given goes to the other."""
        (one, gives), (other, gets) = first, second
        self._change(one, gets, 1)
        self._change(other, gives, 1)
        changed = (gives.keys() | gets.keys()) - {GOLD}
        for player in (one, other):
            self._versions[player - 1] += 1
        envelope = self._envelope(at_s)
        return TradeAccepted(
            trade_id=f"t{envelope['sequence']}",
            offer_id=offer,
            player_1=self._side_after(one, gives, changed),
            player_2=self._side_after(other, gets, changed),
            **envelope,
        )

    def _side_after(self, player: int, given: Amounts, changed: Iterable[int]) -> SideAfter:
        side = self._side(player, given)
        fields = {field: getattr(side, field) for field in side.__struct_fields__}
        return SideAfter(**fields, state=self._state(player, changed))

    def _refused(self, at_s: float, one: int, gives: Amounts, other: int, gets: Amounts) -> TradeRejected:
        envelope = self._envelope(at_s)
        return TradeRejected(
            trade_id=f"t{envelope['sequence']}",
            reason=Rejection.INSUFFICIENT_ITEMS,
            player_1=self._side(one, gives),
            player_2=self._side(other, gets),
            **envelope,
        )

    def _rewarded(self, at_s: float, player: int, amounts: Amounts) -> PlayerAdjusted:
        self._change(player, amounts, 1)
        self._versions[player - 1] += 1
        given, nothing = self._side(player, amounts), Goods(gold=0, item_value=0, items=[])
        envelope = self._envelope(at_s)
        return PlayerAdjusted(
            adjustment_id=f"a{envelope['sequence']}",
            player_id=player,
            adjustment_reason=AdjustmentReason.REWARD,
            given=Goods(gold=given.gold, item_value=given.item_value, items=given.items),
            taken=nothing,
            state=self._state(player, amounts.keys() - {GOLD}),
            **envelope,
        )


def _lines(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)
