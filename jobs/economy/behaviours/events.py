"""A plan as the events that the engine would emit of it, in the JSON of the relay.

The acts are decided anew, by rules of their own, so that each state in an event is the exact one after it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final, cast

from msgspec import Struct, json

from app.contract import events as contract
from app.contract.economy import Economy
from app.contract.events import (
    SCHEMA_VERSION,
    CatalogClass,
    CatalogItem,
    Event,
    Goods,
    ItemUnits,
    Line,
    SideAfter,
    State,
)
from app.contract.reasons import OfferOutcome, Rejection
from jobs.economy.behaviours.acts import OFFER_LASTS_S, Act, Adjust, Create, EndOffer, MakeOffer, Side, Trade
from jobs.economy.behaviours.realm import Realm

START: Final = datetime(2026, 1, 5)  # noqa: DTZ001 a Monday in UTC, which the texts made of it say
OUTCOMES: Final = {"decline": OfferOutcome.DECLINED, "cancel": OfferOutcome.CANCELLED}
_LEAD_S: Final = 1.0
"""How long before virtual time begins the catalog is published."""


def name_of(run: str, kind: str, number: int) -> str:
    """What a trade, an offer or an adjustment is called: a name that says nothing, of the form of the engine's own."""
    return hashlib.blake2b(f"{run} {kind} {number}".encode(), digest_size=16).hexdigest()


def event_lines(economy: Economy, acts: Iterable[Act], realm: str, start: datetime = START) -> Iterator[bytes]:
    """The events of acts as JSON, one by one, from the catalog on; virtual time begins at `start` (in UTC)."""
    telling = _Telling(economy, realm, start)
    encode = json.Encoder().encode
    yield encode(telling.catalog())
    for act in acts:
        yield encode(telling.event(act))


class _Telling:
    def __init__(self, economy: Economy, realm: str, start: datetime) -> None:
        self._economy = economy
        self._values = {item.item_id: item.value for item in economy.items.values()}
        self._realm = Realm(economy)
        self._name = realm
        self._start = start
        self._sequence = 0
        self._expiry: dict[int, datetime] = {}
        """When each open offer expires, as text."""

    def catalog(self) -> Event:
        classes = self._economy.classes.values()
        return contract.CatalogPublished(
            catalog_version=self._economy.version,
            max_capacity=self._economy.max_capacity,
            catalog_items=[
                CatalogItem(item.item_id, item.name, item.level, item.value) for item in self._economy.items.values()
            ],
            catalog_classes=[
                CatalogClass(each.name, each.weight, each.gold, _units(each.items.items())) for each in classes
            ],
            **self._envelope(-_LEAD_S),
        )

    def event(self, act: Act) -> Struct:
        """Decides the act, and tells it."""
        envelope = self._envelope(act.at_s)
        match act:
            case Trade():
                reason = self._realm.trade(act.one, act.two)
                return self._traded(act, None, reason, envelope)
            case Adjust():
                return self._adjusted(act, envelope)
            case Create():
                return self._created(act, envelope)
            case MakeOffer():
                return self._offered(act, envelope)
            case EndOffer(answer="accept"):
                offer_id = name_of(self._name, "offer", act.offer)
                return self._traded(act, offer_id, self._realm.accept(act.offer), envelope)
            case EndOffer():
                return self._closed(act, envelope)

    def _envelope(self, at_s: float) -> dict[str, Any]:
        self._sequence += 1
        return {
            "event_id": f"{self._name}:{self._sequence}",
            "schema_version": SCHEMA_VERSION,
            "realm": self._name,
            "sequence": self._sequence,
            "occurred_at": self._time(at_s),
        }

    def _time(self, at_s: float) -> datetime:
        """A moment as the text of the engine, which always has its six decimals."""
        moment = self._start + timedelta(seconds=at_s)
        return cast("datetime", moment.isoformat(timespec="microseconds") + "Z")

    def _created(self, act: Create, envelope: dict[str, Any]) -> Event:
        has = self._realm.create(act.player, act.player_class)
        return contract.PlayerCreated(
            player_id=act.player,
            username=act.username,
            player_class=act.player_class,
            max_capacity=self._realm.capacity,
            state=self._state(act.player, has.items),
            **envelope,
        )

    def _traded(self, act: Trade | EndOffer, offer_id: str | None, reason: str, envelope: dict[str, Any]) -> Event:
        what = {"trade_id": name_of(self._name, "trade", act.number), "offer_id": offer_id, **envelope}
        if reason:
            sides: dict[str, Any] = {"player_1": self._side(act.one), "player_2": self._side(act.two)}
            return contract.TradeRejected(reason=Rejection(reason), **sides, **what)
        touched = dict.fromkeys(item for item, _ in (*act.one.items, *act.two.items))
        return contract.TradeAccepted(
            player_1=self._settled(act.one, touched), player_2=self._settled(act.two, touched), **what
        )

    def _adjusted(self, act: Adjust, envelope: dict[str, Any]) -> Event:
        reason = self._realm.adjust(act.player, act.gold, act.items)
        what: dict[str, Any] = {
            "adjustment_id": name_of(self._name, "adjustment", act.number),
            "player_id": act.player,
            "adjustment_reason": act.why,
            "reference": act.reference,
            "given": self._goods(max(0, act.gold), [line for line in act.items if line[1] > 0]),
            "taken": self._goods(max(0, -act.gold), [(item, -units) for item, units in act.items if units < 0]),
            **envelope,
        }
        if reason:
            return contract.AdjustmentRejected(reason=Rejection(reason), **what)
        return contract.PlayerAdjusted(state=self._state(act.player, [item for item, _ in act.items]), **what)

    def _offered(self, act: MakeOffer, envelope: dict[str, Any]) -> Event:
        reason = self._realm.offer(act.number, act.one, act.two)
        expires_at = self._time(act.at_s + OFFER_LASTS_S)
        what = {"offer_id": name_of(self._name, "offer", act.number), "expires_at": expires_at, **envelope}
        if reason:
            sides: dict[str, Any] = {"player_1": self._side(act.one), "player_2": self._side(act.two)}
            return contract.OfferRejected(reason=Rejection(reason), **sides, **what)
        self._expiry[act.number] = expires_at
        return contract.OfferMade(player_1=self._settled(act.one, ()), player_2=self._side(act.two), **what)

    def _closed(self, act: EndOffer, envelope: dict[str, Any]) -> Event:
        self._realm.close(act.offer)
        return contract.OfferClosed(
            offer_id=name_of(self._name, "offer", act.offer),
            expires_at=self._expiry.pop(act.offer),
            outcome=OUTCOMES[act.answer],
            player_1=self._settled(act.one, ()),
            player_2=self._side(act.two),
            **envelope,
        )

    def _side(self, side: Side) -> contract.Side:
        value = self._realm.value_of(side.items)
        return contract.Side(player_id=side.player, gold=side.gold, item_value=value, items=self._lines(side.items))

    def _settled(self, side: Side, touched: Iterable[int]) -> SideAfter:
        return SideAfter(
            player_id=side.player,
            gold=side.gold,
            item_value=self._realm.value_of(side.items),
            items=self._lines(side.items),
            state=self._state(side.player, touched),
        )

    def _lines(self, lines: Iterable[tuple[int, int]]) -> list[Line]:
        return [Line(item, units, self._values[item]) for item, units in lines]

    def _goods(self, gold: int, lines: list[tuple[int, int]]) -> Goods:
        return Goods(gold=gold, item_value=self._realm.value_of(tuple(lines)), items=self._lines(lines))

    def _state(self, player: int, touched: Iterable[int]) -> State:
        has = self._realm[player]
        return State(
            version=has.version,
            gold=has.gold,
            item_units=has.units,
            distinct_items=len(has.items),
            item_value=has.value,
            items=[ItemUnits(item, has.items.get(item, 0)) for item in touched],
        )


def _units(lines: Iterable[tuple[int, int]]) -> list[ItemUnits]:
    return [ItemUnits(item, units) for item, units in lines]
