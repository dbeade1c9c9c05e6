"""Golden answers on real Trino of the questions about prices, money, wealth and players: each to be checked by hand."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

import pytest

from app.contract.events import Event, SideAfter, State
from app.contract.reasons import AdjustmentReason
from tests.sql.events import (
    START,
    Events,
    accepted,
    adjusted,
    adjustment_refused,
    created,
    goods,
    offer_refused,
    offered,
    published,
    rejected,
    renamed,
    settled,
    side,
    state,
)

pytestmark = pytest.mark.stack

GIFT: Final = AdjustmentReason.REWARD


def on(day: float) -> datetime:
    """So many days after a Thursday, 2026-01-01."""
    return START + timedelta(days=day)


def of_day(day: int) -> date:
    return on(day).date()


def gives(player: int, gold: int = 0, items: Mapping[int, int] | None = None, after: State | None = None) -> SideAfter:
    """Items 5, 6, 7 and 8 are worth 6, 3, 10 and 5 gold."""
    return settled(side(player, items, gold), after or state(2))


def sold(sequence: int, item: int, units: int, gold: int, day: int) -> Event:
    """A priced trade; who comes first makes no difference."""
    sides = gives(1, items={item: units}), gives(2, gold)
    return accepted(sequence, *(sides if sequence % 2 else sides[::-1]), when=on(day))


def answer(events: Events, name: str) -> list[list[Any]]:
    """The rows, with fractions that a person would write."""
    rows = events.ask(f"questions/{name}")
    return [[round(value, 6) if isinstance(value, float) else value for value in row] for row in rows]


# ---------------------------------------------------------------- trades


def test_a_day_has_its_trades_and_who_had_a_part_in_them(events: Events) -> None:
    events.insert(
        created(1, 1, when=on(0)),
        created(2, 2, when=on(0)),
        accepted(3, gives(1, 1), gives(2), when=on(0.9)),
        rejected(4, side(3), side(4), when=on(1)),
        accepted(5, gives(1, 1), gives(2), when=on(1)),
        accepted(6, gives(2, 1), gives(1), when=on(1.5)),
        offered(7, "o", gives(1, 1), side(2), when=on(1.9)),
        offer_refused(8, "p", side(1), side(1), when=on(1.9)),
        adjusted(1, 9, goods(gold=1), goods(), state(5), when=on(3)),
        adjustment_refused(1, 10, goods(), goods(gold=9), when=on(4)),
        accepted(1, gives(8, 1), gives(9), when=on(3), realm="other"),
    )
    assert answer(events, "q_activity") == [
        ["other", of_day(3), 1, 0, 2, 0, 0, 0],
        ["r", of_day(0), 1, 0, 2, 2, 0, 0],
        ["r", of_day(1), 2, 1, 2, 0, 1, 0],
        ["r", of_day(3), 0, 0, 0, 0, 0, 1],
    ]


def test_what_the_same_two_give_back_and_forth_on_a_day_cancels_thing_by_thing(events: Events) -> None:
    events.insert(
        accepted(1, gives(1, 10), gives(2, items={5: 5}), when=on(0)),
        accepted(2, gives(2, 4), gives(1, items={5: 2}), when=on(0.5)),
        accepted(3, gives(3), gives(1, 7), when=on(0.5)),
        rejected(4, side(2, gold=100), side(1), when=on(0.5)),
        accepted(5, gives(2, items={6: 1}), gives(1, items={6: 1}), when=on(1)),
        # a day later it is not back and forth any more
        accepted(6, gives(1, items={6: 1}), gives(3), when=on(2)),
        accepted(7, gives(3, items={6: 1}), gives(1), when=on(3)),
    )
    assert answer(events, "q_volume") == [
        # 10 less 4 gold, 30 less 12 of item 5, and 7 gold of another pair
        ["r", of_day(0), 3, 63, 31, round(32 / 63, 6)],
        ["r", of_day(1), 1, 6, 0, 1],
        ["r", of_day(2), 1, 3, 3, 0],
        ["r", of_day(3), 1, 3, 3, 0],
    ]


def test_refusals_are_counted_by_kind_and_reason_with_their_share_of_the_kind(events: Events) -> None:
    events.insert(
        rejected(1, side(1), side(2)),
        rejected(2, side(3), side(1), offer_id="o"),
        accepted(3, gives(1, 1), gives(2)),
        offered(4, "o", gives(3, 1), side(1)),
        offer_refused(5, "p", side(1), side(1)),
        adjusted(4, 6, goods(gold=1), goods(), state(2)),
        adjustment_refused(4, 7, goods(), goods(gold=9)),
        adjustment_refused(4, 8, goods(), goods(gold=9)),
        rejected(1, side(1), side(2), realm="other"),
    )
    assert answer(events, "q_refusals") == [
        ["other", "trade", "insufficient_gold", 1, 1, 1, 2],
        ["r", "adjustment", "insufficient_gold", 2, 1, round(2 / 3, 6), 1],
        ["r", "offer", "same_player", 1, 1, 0.5, 1],
        ["r", "trade", "insufficient_gold", 2, 1, round(2 / 3, 6), 3],
    ]


# ---------------------------------------------------------------- items and prices


def test_a_price_is_of_one_line_against_gold_alone_and_says_when_it_is_thin(events: Events) -> None:
    events.insert(
        published(1, 1, {5: 6, 6: 3}),
        sold(2, 5, 1, 6, day=0),
        sold(3, 5, 2, 14, day=0),
        sold(4, 5, 1, 5, day=0),
        sold(5, 5, 1, 10, day=0),
        sold(6, 5, 1, 6, day=0),
        sold(7, 5, 3, 30, day=1),
        # no prices: two lines, gold on both sides, an item for an item, a gift, and one that was refused
        accepted(8, gives(1, items={5: 1, 6: 1}), gives(2, 99), when=on(0)),
        accepted(9, gives(1, 1, {5: 1}), gives(2, 99), when=on(0)),
        accepted(10, gives(1, items={5: 1}), gives(2, 99, {6: 1}), when=on(0)),
        accepted(11, gives(1, items={5: 1}), gives(2), when=on(0)),
        rejected(12, side(1, {5: 1}), side(2, gold=99), when=on(0)),
    )
    assert answer(events, "q_price") == [
        ["r", 5, "item 5 v1", of_day(0), 5, 6, 41, round(41 / 6, 6), 6, 5, 10, 6, round(41 / 36, 6), False],
        ["r", 5, "item 5 v1", of_day(1), 1, 3, 30, 10, 10, 10, 10, 6, round(30 / 18, 6), True],
    ]


def test_the_index_compares_what_is_priced_on_both_days_and_stays_where_nothing_is(events: Events) -> None:
    sales = [
        (0, 5, 5, 1, 10), (0, 6, 5, 1, 2),
        (1, 5, 5, 1, 20), (1, 6, 4, 1, 9),
        (2, 6, 5, 1, 4),
        (5, 6, 5, 1, 2), (5, 7, 5, 1, 10),
        (6, 6, 5, 2, 8), (6, 7, 5, 1, 10),
    ]  # fmt: skip
    each = [sale for sale in sales for _ in range(sale[2])]
    events.insert(*(sold(n, item, units, gold, day) for n, (day, item, _, units, gold) in enumerate(each, 1)))
    assert answer(events, "q_price_index") == [
        ["r", of_day(0), 2, 0, None, 100],
        # item 6 is thin
        ["r", of_day(1), 1, 1, 2, 200],
        ["r", of_day(2), 1, 0, None, 200],
        # the day before is the one before in this list
        ["r", of_day(5), 2, 1, 0.5, 100],
        # the units of before cost 60, then 70; those of today 70 and 90: sqrt(70/60 * 90/70)
        ["r", of_day(6), 2, 2, round(1.5**0.5, 6), round(100 * 1.5**0.5, 6)],
    ]


def test_an_item_has_holders_and_moves_between_them(events: Events) -> None:
    events.insert(
        published(1, 1, {5: 6}),
        created(1, 2, {5: 3}),
        created(2, 3, {5: 1}),
        created(3, 4, {6: 2}),
        accepted(5, gives(1, items={5: 2}, after=state(2, {5: 1})), gives(2, after=state(2, {5: 3}))),
        accepted(6, gives(3, items={6: 1}, after=state(2, {6: 1})), gives(1, after=state(3, {6: 1}))),
        accepted(7, gives(3, items={6: 1}, after=state(3, {6: 0})), gives(1, after=state(4, {6: 2}))),
        rejected(8, side(1, {5: 99}), side(2)),
        accepted(9, gives(3, items={8: 4}), gives(1)),
    )
    assert answer(events, "q_item_velocity") == [
        ["r", 5, "item 5 v1", 4, 2, 2, 0.5, 0.625, 0.75],
        ["r", 6, None, 2, 1, 2, 1, 1, 1],
        ["r", 8, None, 0, 0, 4, None, None, None],
    ]


def test_items_come_from_the_game_and_go_from_class_to_class(events: Events) -> None:
    events.insert(
        published(1, 1, {5: 6}),
        created(1, 2, {5: 3}),
        created(2, 3, {5: 1}),
        created(3, 4, {6: 2}, player_class="banker"),
        adjusted(3, 5, goods({5: 4}), goods({6: 1}), state(2)),
        adjustment_refused(3, 6, goods({5: 99}), goods()),
        # within a class, between two, both ways at once, and with one that nobody created
        accepted(7, gives(1, items={5: 2}), gives(2)),
        accepted(8, gives(3, items={5: 1, 6: 1}), gives(1, items={5: 3})),
        accepted(9, gives(2), gives(8, items={7: 5})),
        rejected(10, side(1, {5: 99}), side(3)),
        offered(11, "o", gives(1, items={5: 1}), side(2)),
        created(1, 1, {5: 9}, realm="other"),
    )
    assert answer(events, "q_item_flows") == [
        ["other", 5, None, "farmer", 9, 0, 0, 0, 0, 9],
        ["r", 5, "item 5 v1", "banker", 4, 0, 1, 3, 2, 6],
        ["r", 5, "item 5 v1", "farmer", 4, 0, 5, 3, -2, 2],
        ["r", 6, None, "banker", 2, 1, 1, 0, -1, 0],
        ["r", 6, None, "farmer", 0, 0, 0, 1, 1, 1],
        ["r", 7, None, "farmer", 0, 0, 0, 5, 5, 5],
        ["r", 7, None, "unknown", 0, 0, 5, 0, -5, -5],
    ]


# ---------------------------------------------------------------- money


def test_money_comes_from_creations_and_the_game_and_trades_move_it(events: Events) -> None:
    events.insert(
        created(1, 1, gold=100, when=on(0)),
        created(2, 2, gold=0, when=on(0)),
        accepted(3, gives(1, 30), gives(2, 3), when=on(0)),
        rejected(4, side(1, gold=99), side(2), when=on(0)),
        adjusted(2, 5, goods(gold=60), goods(gold=10), state(3), when=on(1)),
        adjustment_refused(2, 6, goods(gold=1_000), goods(), when=on(1)),
        adjusted(1, 7, goods(), goods(gold=150), state(3), when=on(4)),
        accepted(8, gives(1, 5), gives(2), when=on(4)),
    )
    assert answer(events, "q_money_supply") == [
        ["r", of_day(0), 100, 100, 33, 0.33],
        ["r", of_day(1), 50, 150, 0, 0],
        ["r", of_day(4), -150, 0, 5, None],
    ]


def test_what_came_less_what_went_is_what_players_hold_and_what_is_not_shows(events: Events) -> None:
    events.insert(
        published(1, 1, {5: 6, 6: 3}),
        created(1, 2, {5: 3}, gold=10),
        created(2, 3, gold=0),
        adjusted(1, 4, goods({6: 2}, gold=5), goods({5: 1}), state(2, {5: 2, 6: 2}, gold=15)),
        adjusted(1, 5, goods(gold=1), goods(), state(3, gold=16), why=GIFT),
        adjustment_refused(1, 6, goods({6: 50}), goods()),
        accepted(7, gives(1, items={6: 1}, after=state(4, {6: 1}, gold=16)), gives(2, after=state(2, {6: 1}))),
        renamed(3, 8, "nobody created it", state(2, {7: 1})),
    )
    assert answer(events, "q_faucets_and_sinks") == [
        ["r", None, "gold", "craft", 5, 0, 16, 16, 0],
        ["r", None, "gold", "creation", 10, 0, 16, 16, 0],
        ["r", None, "gold", "reward", 1, 0, 16, 16, 0],
        ["r", 5, "item 5 v1", "craft", 0, 1, 2, 2, 0],
        ["r", 5, "item 5 v1", "creation", 3, 0, 2, 2, 0],
        ["r", 6, "item 6 v1", "craft", 2, 0, 2, 2, 0],
        ["r", 7, None, None, 0, 0, 0, 1, -1],
    ]


# ---------------------------------------------------------------- wealth


def test_wealth_is_spread_among_all_and_in_each_class_and_grows_from_what_players_started_with(events: Events) -> None:
    events.insert(
        created(1, 1, gold=10),
        created(2, 2, gold=10),
        created(3, 3, gold=70, item_value=30, player_class="banker"),
        accepted(4, gives(1, 5, after=state(2, gold=5)), gives(2, after=state(2, gold=15))),
        rejected(5, side(3, gold=99), side(1)),
        created(1, 1, realm="other"),
    )
    nothing = [None] * 5
    shares = [round(part / 120, 6) for part in (100, 100, 5)]
    assert answer(events, "q_wealth") == [
        ["other", None, 1, 0, 0, 0, *nothing, 0, None, None, None],
        ["other", "farmer", 1, 0, 0, 0, *nothing, 0, None, None, None],
        # (−2 × 5 + 0 × 15 + 2 × 100) / (3 × 120), and (−2 × 10 + 2 × 100) / (3 × 120) at the start
        ["r", None, 3, 120, 40, 15, round(190 / 360, 6), 0.5, *shares, round(1 / 3, 6), 0.5, 1, 1.5],
        ["r", "banker", 1, 100, 100, 100, 0, 0, 1, 1, 0, 0, 1, 1, 1],
        ["r", "farmer", 2, 20, 10, 5, 0.25, 0, 0.75, 0.75, 0.25, 0.5, 0.5, 0.5, 1.5],
    ]


def test_the_lorenz_curve_goes_straight_within_a_player(events: Events) -> None:
    events.insert(created(1, 1, gold=3), created(2, 2, gold=1), created(1, 1, realm="other"))
    rows = answer(events, "q_lorenz")
    assert [row[:2] for row in rows] == [[realm, percent] for realm in ("other", "r") for percent in range(101)]
    assert [rows[101 + percent][2] for percent in (0, 25, 50, 75, 100)] == [0, 0.125, 0.25, 0.625, 1]
    assert {row[2] for row in rows[:101]} == {None}


def test_wealth_is_dormant_by_days_from_a_players_last_change_to_the_realms_newest_event(events: Events) -> None:
    events.insert(
        created(1, 1, gold=1, when=on(0)),
        created(2, 2, gold=1, when=on(0)),
        created(3, 3, gold=5, when=on(0)),
        created(4, 4, gold=2, when=on(9.5)),
        accepted(5, gives(2, 1, after=state(2)), gives(1, after=state(2, gold=2)), when=on(93)),
        # what is refused changes nobody, and is the realm's newest event
        rejected(6, side(3), side(4), when=on(100)),
    )
    assert answer(events, "q_dormant_wealth") == [
        ["r", 7, 30, 2, 2, 0.5, round(2 / 9, 6)],
        ["r", 90, None, 2, 7, 0.5, round(7 / 9, 6)],
    ]


# ---------------------------------------------------------------- players


def test_the_trade_graph_has_pairs_that_repeat_and_pairs_that_give_both_ways(events: Events) -> None:
    events.insert(
        accepted(1, gives(1, 10), gives(2)),
        accepted(2, gives(2, 4), gives(1)),
        accepted(3, gives(3, 6), gives(1)),
        accepted(4, gives(5, 5), gives(4, 5)),
        rejected(5, side(1, gold=1), side(9)),
    )
    row = ["r", 5, 3, 4, 1, round(1 / 3, 6), 2, round(2 / 3, 6), 0.6, 1.2, 2]
    assert answer(events, "q_trade_graph") == [[*row, None, None, None, None]]
    # maintenance ran after what the question is asked of
    events.connect(("r", 1, 1, 5))
    assert answer(events, "q_trade_graph") == [[*row, None, None, None, None]]
    events.disconnect()
    events.connect(*(("r", player, 1, 4) for player in (1, 2, 3)), ("r", 4, 4, 4), ("r", 5, 4, 4))
    assert answer(events, "q_trade_graph") == [[*row, 2, 3, 0.6, 4]]


def test_classes_give_and_get_from_both_their_views_and_a_trade_within_one_counts_once(events: Events) -> None:
    events.insert(
        created(1, 1),
        created(2, 2),
        created(3, 3, player_class="banker"),
        accepted(4, gives(1, 10), gives(2, 4)),
        accepted(5, gives(1, 6), gives(3, items={5: 2})),
        accepted(6, gives(9, items={6: 1}), gives(3)),
        rejected(7, side(1, gold=99), side(3)),
    )
    assert answer(events, "q_class_against_class") == [
        ["r", "banker", "farmer", 1, 12, 6, 12, 6, 0.5],
        ["r", "banker", "unknown", 1, 0, 3, 0, 3, None],
        ["r", "farmer", "banker", 1, 6, 12, 6, 12, 2],
        ["r", "farmer", "farmer", 1, 14, 14, 14, 14, 1],
        ["r", "unknown", "banker", 1, 3, 0, 3, 0, 0],
    ]


def test_a_cohort_is_a_week_and_is_followed_through_the_weeks_with_trades(events: Events) -> None:
    events.insert(
        created(1, 1, when=on(0)),
        created(2, 2, when=on(3)),
        # the next Monday begins
        created(3, 3, when=on(4)),
        accepted(4, gives(1, 1), gives(2), when=on(3)),
        accepted(5, gives(2, 1), gives(1), when=on(3.5)),
        rejected(6, side(3), side(2), when=on(5)),
        accepted(7, gives(1, 1), gives(3), when=on(11)),
    )
    assert answer(events, "q_retention") == [
        ["r", date(2025, 12, 29), 0, 2, 2, 1],
        ["r", date(2025, 12, 29), 2, 2, 1, 0.5],
        ["r", date(2026, 1, 5), 1, 1, 1, 1],
    ]


def test_newcomers_trade_after_hours_pay_a_price_and_get_gifts(events: Events) -> None:
    events.insert(
        created(1, 1, when=on(0)),
        created(2, 2, when=on(0)),
        created(3, 3, when=on(0.5)),
        created(4, 4, when=on(1)),
        # not the first purchase, since it was refused, and since something else was given, too
        rejected(5, side(1, gold=60), side(9, {5: 1}), when=on(0)),
        accepted(6, gives(1, 60, {6: 1}), gives(9, items={5: 1}), when=on(0.125)),
        accepted(7, gives(9, items={5: 1}), gives(1, 9), when=on(1)),
        accepted(8, gives(1, 60), gives(9, items={5: 1}), when=on(1)),
        accepted(9, gives(1, 1), gives(2), when=on(1.25)),
    )
    assert answer(events, "q_newcomers") == [
        ["r", of_day(0), 3, 2, 1, 3, 1, 1.5, 5, 0.2],
        ["r", of_day(1), 1, 0, 0, None, 0, None, 0, None],
    ]


def test_a_gift_is_answered_by_one_that_comes_within_a_week_the_other_way(events: Events) -> None:
    events.insert(
        accepted(1, gives(1, 10), gives(2), when=on(0)),
        accepted(2, gives(1, items={6: 1}), gives(3), when=on(0)),
        # a second gift the same way is no answer, and neither is a trade
        accepted(3, gives(1), gives(3, 1, {5: 1}), when=on(8)),
        accepted(4, gives(3, 5), gives(1, 5), when=on(1)),
        accepted(5, gives(1), gives(2, 3), when=on(7)),
        rejected(6, side(1, gold=99), side(2), when=on(8)),
    )
    assert answer(events, "q_gifts") == [
        ["r", of_day(0), 2, 1, 13, 1, 0.5, round(10 / 13, 6)],
        ["r", of_day(7), 1, 1, 3, 0, 0, 0],
        ["r", of_day(8), 1, 1, 7, 0, 0, 0],
    ]
