"""What the live page is told: counts, prices and words of the newest events; who gets a place, and until when."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from app.contract.economy import reference_economy
from app.contract.events import (
    Event,
    Line,
    OfferClosed,
    OfferMade,
    Side,
    SideAfter,
    State,
    TradeAccepted,
    TradeRejected,
)
from app.contract.reasons import OfferOutcome, Rejection
from app.errors import RateLimited
from app.live import hub
from app.live.game import KEPT_S, Game
from app.live.hub import Hub
from app.live.shapes import Live
from app.settings import load_settings
from tests.conftest import wait_until

ECONOMY = reference_economy()
STATE = State(version=2, gold=1, item_units=1, distinct_items=1, item_value=1, items=[])
START = 1_793_491_200
"""2026-11-01, 00:00 UTC."""


def envelope(sequence: int, second: int = 0) -> dict[str, Any]:
    at = f"2026-11-01T00:{second // 60:02}:{second % 60:02}.000000Z"
    return {"event_id": f"r:{sequence}", "schema_version": 1, "realm": "r", "sequence": sequence, "occurred_at": at}


def lines(units: dict[int, int]) -> list[Line]:
    return [Line(item_id, quantity, 1) for item_id, quantity in units.items()]


def side(player_id: int, gold: int = 0, **units: int) -> SideAfter:
    items = lines({int(name[1:]): quantity for name, quantity in units.items()})
    return SideAfter(player_id=player_id, gold=gold, item_value=0, items=items, state=STATE)


def accepted(sequence: int, second: int, one: SideAfter, two: SideAfter, offer_id: str | None = None) -> TradeAccepted:
    return TradeAccepted(trade_id="t", offer_id=offer_id, player_1=one, player_2=two, **envelope(sequence, second))


def refused(sequence: int, second: int, reason: Rejection = Rejection.INSUFFICIENT_GOLD) -> TradeRejected:
    sides = [Side(player_id=player_id, gold=1, item_value=0, items=[]) for player_id in (1, 2)]
    return TradeRejected(
        trade_id="t", offer_id=None, reason=reason, player_1=sides[0], player_2=sides[1], **envelope(sequence, second)
    )


def game_of(*events: Event, weight: float = 1.0) -> Game:
    game = Game()
    game.take(events, weight)
    return game


def test_trades_are_counted_by_the_second_in_which_they_were_decided_and_seconds_without_one_are_there() -> None:
    game = game_of(accepted(1, 3, side(1, 5), side(2, i6=1)), refused(2, 3), refused(3, 5))
    found = [(each.at - START, each.accepted, each.refused) for each in game.seconds(START + 6.5, 4)]
    assert found == [(2, 0, 0), (3, 1, 1), (4, 0, 0), (5, 0, 1)]


def test_a_second_that_is_not_over_is_not_shown() -> None:
    assert [each.at - START for each in game_of(refused(1, 6)).seconds(START + 6.9, 2)] == [4, 5]


def test_events_that_nobody_looked_at_are_counted_as_those_that_were() -> None:
    game = game_of(refused(1, 3), refused(2, 3), weight=2.5)
    assert game.seconds(START + 4, 1)[0].refused == 5
    assert game.refused(START + 4) == {"insufficient_gold": 5}


def test_refusals_and_offers_are_those_of_the_last_minute() -> None:
    offer: dict[str, Any] = {"offer_id": "o", "expires_at": "2026-11-01T01:00:00.000000Z"}
    asked = Side(player_id=2, gold=7, item_value=0, items=[])
    made = OfferMade(player_1=side(1, 5), player_2=asked, **offer, **envelope(2, 70))
    gone = OfferClosed(outcome=OfferOutcome.EXPIRED, player_1=side(1, 5), player_2=asked, **offer, **envelope(3, 71))
    taken = accepted(4, 72, side(1, 5), side(2, 7), "o")
    game = game_of(refused(1, 2), made, gone, taken)
    assert game.refused(START + 73) == {}
    assert game.offers(START + 73) == {"made": 1, "expired": 1, "accepted": 1}
    assert [offer.status for offer in game.newest_offers(ECONOMY)] == ["expired", "made"]


def test_a_price_is_of_one_item_for_gold_alone() -> None:
    sale = accepted(1, 1, side(1, 30), side(2, i6=3))
    dearer = accepted(2, 2, side(2, i6=1), side(1, 30))
    swap, gift = accepted(3, 3, side(1, i5=1), side(2, i6=1)), accepted(4, 4, side(1), side(2, i6=1))
    both = accepted(5, 5, side(1, 9, i5=1), side(2, i6=1))
    (price,) = game_of(sale, dearer, swap, gift, both).prices(START + 6, ECONOMY)
    assert (price.item_id, price.name, price.sales, price.last, price.median) == (6, "Milk", 2, 30.0, 20.0)
    assert price.value == ECONOMY.items[6].value


def test_a_trade_is_told_in_words_and_the_newest_first() -> None:
    much = side(1, 1_000, i5=1, i6=20, i7=1, i8=1)
    trades = game_of(refused(1, 1), accepted(2, 2, much, side(2))).newest_trades(ECONOMY)
    assert [(trade.sequence, trade.reason) for trade in trades] == [(2, None), (1, "insufficient_gold")]
    names = [ECONOMY.items[item_id].name for item_id in (5, 6, 7)]
    assert trades[0].gave_1 == f"1,000 gold, 1 {names[0]}, 20 {names[1]}, 1 {names[2]}, 1 more"
    assert trades[0].gave_2 == "nothing"


def test_what_is_kept_is_bounded() -> None:
    game = Game()
    for second in range(2 * KEPT_S):
        game.take([accepted(second + 1, second, side(1, 30), side(2, i6=3))])
    assert sum(each.accepted for each in game.seconds(START + 2 * KEPT_S, 2 * KEPT_S)) == KEPT_S
    assert len(game.newest_trades(ECONOMY)) == 10


# ---------------------------------------------------------------- places


class Snapshots:
    """In the place of those that read Redis: counts how many were made."""

    made = 0

    def __init__(self, *_: Any) -> None:
        pass

    def curve(self) -> Any:
        return []

    def make(self, *_: Any) -> Any:
        Snapshots.made += 1
        return Live(
            at=datetime.now(UTC), realm="r", sequence=Snapshots.made, events_per_s=0, looked_at_percent=100, seconds=[],
            refused={}, offers={}, trades=[], newest_offers=[], prices=[], stages=[], audit=None, report=None,
            missing={},
        )  # fmt: skip


@pytest.fixture
def quick_hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setattr(hub, "Snapshots", Snapshots)
    monkeypatch.setattr(hub, "_INTERVAL_S", 0.1)
    monkeypatch.setattr(hub, "read_lag_of_streams", lambda _settings: None)
    return Hub(load_settings({"LIVE_VIEWERS": "3"}), None)  # type: ignore[arg-type]


def test_one_snapshot_serves_all_viewers_and_none_is_made_while_nobody_looks(quick_hub: Hub) -> None:
    Snapshots.made = 0
    viewers = [quick_hub.watch(lambda: False) for _ in range(3)]
    events = [[next(viewer) for _ in range(4)] for viewer in viewers]
    assert Snapshots.made <= 3 * 4 + 1
    assert events[0][0].startswith(b'data: {"at":')
    for viewer in viewers:
        viewer.close()
    wait_until(lambda: not [thread for thread in threading.enumerate() if "_run" in thread.name])
    assert Snapshots.made <= 3 * 4 + 3


def test_a_snapshot_that_could_not_be_made_is_in_the_log_and_the_next_ones_are_shown(
    quick_hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make, tries = Snapshots.make, iter(range(100))

    def break_once(self: Snapshots, *given: Any) -> Any:
        if next(tries) == 0:
            raise KeyError("a defect")
        return make(self, *given)

    monkeypatch.setattr(Snapshots, "make", break_once)
    viewer = quick_hub.watch(lambda: False)
    assert next(viewer).startswith(b"data: ")
    viewer.close()
    assert "no snapshot could be made" in caplog.text


def test_a_viewer_beyond_the_bound_is_refused_and_a_place_is_given_back_once_though_it_was_never_used(
    quick_hub: Hub,
) -> None:
    viewers = [quick_hub.watch(lambda: False) for _ in range(3)]
    with pytest.raises(RateLimited, match="viewers"):
        quick_hub.watch(lambda: False)
    viewers[0].close()
    viewers[0].close()
    viewers[0] = quick_hub.watch(lambda: False)
    with pytest.raises(RateLimited):
        quick_hub.watch(lambda: False)
    for viewer in viewers:
        viewer.close()


def test_a_viewer_has_to_connect_anew_after_minutes_and_when_the_worker_ends(
    quick_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = quick_hub.watch(lambda: True)
    assert list(ending) == []
    monkeypatch.setattr(hub, "_WATCH_S", 0.3)
    assert 1 <= len(list(quick_hub.watch(lambda: False))) <= 6
