"""What each detector finds in a small game, and the honest look-alike of it that it leaves alone."""

from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Protocol

import pytest

from jobs.economy.detection import detect
from jobs.economy.log import Cheat, read_log
from jobs.economy.suspect import Suspect
from jobs.lake.cut import Cut
from jobs.lake.local import LocalLake
from tests.game import DAY_S, GOLD, HOUR_S, START, Game


class Found(Protocol):
    """Looks through what has occurred since then."""

    def __call__(self, game: Game, since: datetime | None = None) -> list[Suspect]: ...


RICH = {GOLD: 50_000, 1: 200, 3: 300, 5: 300, 7: 300}
NOON_S = 12 * HOUR_S


@pytest.fixture
def found(tmp_path: Path) -> Found:
    def look(game: Game, since: datetime | None = None) -> list[Suspect]:
        game.crowd()
        log = read_log(game.write(tmp_path))
        lake = LocalLake()
        lake.load(log.events)
        return detect(lake, Cut(log.realm, log.sequence, since=since))

    return look


def of(cheat: Cheat, suspects: list[Suspect]) -> set[int]:
    return {suspect.player_id for suspect in suspects if suspect.cheat == cheat}


def test_a_crowd_that_trades_fairly_is_suspected_of_nothing(found: Found) -> None:
    assert found(Game()) == []


# ---------------------------------------------------------------- duplication


def test_a_trade_that_comes_five_times_within_a_second_is_duplication_by_both(found: Found) -> None:
    game = Game()
    one, other = game.players(2, RICH)
    for n in range(5):
        game.trade(NOON_S + 0.2 * n, one, {1: 2}, other, {GOLD: 20})
    suspects = found(game)
    assert of(Cheat.DUPLICATION, suspects) == {one, other}
    assert [len(suspect.trades) for suspect in suspects] == [5, 5]


def test_copies_that_are_refused_count_as_copies(found: Found) -> None:
    game = Game()
    one, other = game.player({1: 2}), game.player({GOLD: 900})
    game.trade(NOON_S, one, {1: 2}, other, {GOLD: 20})
    for n in range(1, 5):
        game.refused(NOON_S + 0.2 * n, one, {1: 2}, other, {GOLD: 20})
    assert of(Cheat.DUPLICATION, found(game)) == {one, other}


def test_gifts_that_come_again_a_little_varied_within_seconds_are_duplication(found: Found) -> None:
    game = Game()
    one, other = game.players(2, RICH)
    for turn in range(2):
        for n in range(2):
            game.trade(NOON_S + 9_000 * turn + 2.5 * n, one, {1: 20 - n}, other)
    assert of(Cheat.DUPLICATION, found(game)) == {one, other}


def test_equal_lots_that_are_paid_for_are_no_duplication(found: Found) -> None:
    game = Game()
    merchant, buyer = game.players(2, RICH)
    for turn in range(8):
        for n in range(3):
            game.trade(NOON_S + 9_000 * turn + 2.5 * n, merchant, {1: 4}, buyer, {GOLD: 40})
    assert of(Cheat.DUPLICATION, found(game)) == set()


def test_who_buys_once_of_a_duper_of_many_is_not_suspected(found: Found) -> None:
    game = Game()
    duper, *buyers = game.players(4, RICH)
    for place, buyer in enumerate(buyers):
        for n in range(4):
            game.trade(NOON_S + 3_000 * place + 0.2 * n, duper, {1: 2}, buyer, {GOLD: 100})
    assert of(Cheat.DUPLICATION, found(game)) == {duper}


@pytest.mark.parametrize(("copies", "apart_s"), [(2, 0.4), (9, 1.5)])
def test_a_double_click_and_an_impatient_finger_are_no_duplication(found: Found, copies: int, apart_s: float) -> None:
    game = Game()
    one, other = game.players(2, RICH)
    for n in range(copies):
        game.trade(NOON_S + apart_s * n, one, {7: 2}, other, {GOLD: 20})
    assert of(Cheat.DUPLICATION, found(game)) == set()


# ---------------------------------------------------------------- account theft


def hacked(game: Game, *, passed_on: bool, met_before: bool = False) -> tuple[int, int, int]:
    victim, thief, fence = game.player({GOLD: 9_000, 1: 90}), *game.players(2, {GOLD: 400})
    if met_before:
        for day in range(3):
            game.trade(day * DAY_S + NOON_S, victim, {1: 1}, thief, {GOLD: 50})
    start_s = 3 * DAY_S + NOON_S
    game.trade(start_s, victim, {GOLD: 8_900}, thief)
    game.trade(start_s + 60, victim, {1: 85}, thief, {GOLD: 5})
    if passed_on:
        game.trade(start_s + 2 * HOUR_S, thief, {GOLD: 9_000, 1: 85}, fence)
    return victim, thief, fence


def test_an_account_that_is_emptied_to_a_stranger_who_passes_it_on_was_stolen(found: Found) -> None:
    game = Game()
    assert of(Cheat.ACCOUNT_THEFT, found(game)) == set()
    game = Game()
    assert set(hacked(game, passed_on=True)) == of(Cheat.ACCOUNT_THEFT, found(game))


def test_a_leaver_who_gives_all_to_an_old_friend_was_not_robbed(found: Found) -> None:
    game = Game()
    hacked(game, passed_on=False, met_before=True)
    assert found(game) == []


def test_who_moves_to_another_account_was_not_robbed(found: Found) -> None:
    game = Game()
    hacked(game, passed_on=False)
    assert found(game) == []


def test_strangers_who_take_all_of_several_within_an_hour_are_thieves_even_if_they_keep_it(found: Found) -> None:
    game = Game()
    victims, thief = game.players(2, {GOLD: 900, 1: 5}), game.player({GOLD: 40})
    for place, victim in enumerate(victims):
        game.trade(DAY_S * (1 + place) + NOON_S, victim, {GOLD: 900, 1: 5}, thief)
    assert of(Cheat.ACCOUNT_THEFT, found(game)) == {*victims, thief}


def test_who_is_robbed_in_parts_over_days_by_a_stranger_who_passes_it_on_is_found(found: Found) -> None:
    game = Game()
    victim, thief, fence = game.player({GOLD: 9_000}), *game.players(2, {GOLD: 100})
    for part in range(8):
        game.trade((1 + 0.6 * part) * DAY_S, victim, {GOLD: 1_000}, thief)
    game.trade(6.5 * DAY_S, thief, {GOLD: 7_000}, fence)
    assert of(Cheat.ACCOUNT_THEFT, found(game)) == {victim, thief, fence}


# ---------------------------------------------------------------- gold selling


def farm(game: Game) -> tuple[list[int], int, list[int]]:
    farmers, mule, buyers = game.players(3, {GOLD: 50}), game.player({GOLD: 100}), game.players(4, {GOLD: 900})
    for day in range(4):
        for place, farmer in enumerate(farmers):
            at_s = day * DAY_S + NOON_S + 500 * place
            game.reward(at_s, farmer, {GOLD: 1_000})
            game.trade(at_s + 100, farmer, {GOLD: 980}, mule)
        game.trade(day * DAY_S + 20 * HOUR_S, mule, {GOLD: 2_500}, buyers[day])
    return farmers, mule, buyers


def test_farmers_who_are_swept_into_a_mule_that_pays_strangers_sell_gold(found: Found) -> None:
    game = Game()
    farmers, mule, buyers = farm(game)
    suspects = found(game)
    assert of(Cheat.GOLD_SELLING, suspects) == {*farmers, mule, *buyers}
    (worst,) = [suspect for suspect in suspects if suspect.player_id == mule and suspect.cheat == Cheat.GOLD_SELLING]
    assert worst.why.startswith("mule: 3 player(s) gave 11,760 gold's worth in 12 sweeps")


def test_farmers_who_are_paid_in_kind_and_a_shop_that_gives_gold_alone_sell_gold(found: Found) -> None:
    game = Game()
    farmers, shop, buyers = game.players(2, {}), game.player({GOLD: 9_000}), game.players(3, {GOLD: 900})
    for turn in range(7):
        for place, farmer in enumerate(farmers):
            at_s = turn * DAY_S / 2 + NOON_S + 500 * place
            game.reward(at_s, farmer, {1: 10})
            game.trade(at_s + 100, farmer, {1: 10}, shop)
        game.trade(turn * DAY_S / 2 + 20 * HOUR_S, shop, {GOLD: 600}, buyers[turn % 3])
    assert of(Cheat.GOLD_SELLING, found(game)) == {*farmers, shop, *buyers}


def test_the_bank_of_a_guild_whose_members_take_out_again_sells_no_gold(found: Found) -> None:
    game = Game()
    members, bank = game.players(6, {GOLD: 1_000}), game.player({GOLD: 5_000})
    for day in range(4):
        for place, member in enumerate(members):
            at_s = day * DAY_S + NOON_S + 300 * place
            if (day + place) % 2:
                game.trade(at_s, member, {GOLD: 500}, bank)
            else:
                game.trade(at_s, bank, {GOLD: 500}, member)
    assert of(Cheat.GOLD_SELLING, found(game)) == set()


def test_the_bank_of_a_guild_whose_members_pay_in_little_and_often_sells_no_gold(found: Found) -> None:
    game = Game()
    rich, poor, bank = game.players(2, {GOLD: 1_000}), game.players(3, {GOLD: 500}), game.player({GOLD: 5_000})
    for day in range(4):
        at_s = day * DAY_S + NOON_S
        for member in rich:
            game.reward(at_s, member, {GOLD: 900})
            game.trade(at_s + 60, member, {GOLD: 900}, bank)
        for place, member in enumerate(poor):
            game.trade(at_s + 3_000 * place + 300, member, {GOLD: 21}, bank)
            game.trade(at_s + 3_000 * place + 900, bank, {GOLD: 600}, member)
    assert of(Cheat.GOLD_SELLING, found(game)) == set()


def test_a_giver_of_prizes_sells_no_gold(found: Found) -> None:
    game = Game()
    host, *winners = game.player({GOLD: 90_000}), *game.players(12, {GOLD: 900})
    for place, winner in enumerate(winners):
        game.trade(place * 8 * HOUR_S, host, {GOLD: 5_000}, winner)
    assert of(Cheat.GOLD_SELLING, found(game)) == set()


# ---------------------------------------------------------------- wash trading


@pytest.mark.parametrize("members", [2, 3, 5])
def test_a_lot_that_goes_round_a_ring_again_and_again_is_wash_trading(found: Found, members: int) -> None:
    game = Game()
    ring = game.players(members, RICH)
    for turn in range(8):
        for place, seller in enumerate(ring):
            at_s = NOON_S + 3_000 * turn + 300 * place
            game.trade(at_s, seller, {1: 4}, ring[(place + 1) % members], {GOLD: 400 + turn})
    assert of(Cheat.WASH_TRADING, found(game)) == set(ring)


def test_partners_who_sell_each_other_what_they_need_wash_nothing(found: Found) -> None:
    game = Game()
    one, other = game.players(2, RICH)
    for turn in range(16):
        goods = {5: 4 + turn % 3} if turn % 2 else {7: 3 + turn % 4}
        seller, buyer = (one, other) if turn % 2 else (other, one)
        game.trade(NOON_S + 3_000 * turn, seller, goods, buyer, {GOLD: 30})
    assert of(Cheat.WASH_TRADING, found(game)) == set()


def test_a_friend_who_lends_an_item_for_nothing_washes_nothing(found: Found) -> None:
    game = Game()
    one, other = game.players(2, RICH)
    for turn in range(8):
        game.trade(NOON_S + 6_000 * turn, one, {1: 1}, other)
        game.trade(NOON_S + 6_000 * turn + 3_000, other, {1: 1}, one)
    assert of(Cheat.WASH_TRADING, found(game)) == set()


# ---------------------------------------------------------------- price manipulation


def corner(game: Game, cartel: list[int], ask: int = 1_200, sold: int = 20) -> None:
    sellers, buyers = game.players(20, {GOLD: 500, 15: 50}), game.players(20, {GOLD: 90_000})
    for day in range(6):
        for place, (seller, buyer) in enumerate(zip(sellers, buyers, strict=True)):
            game.trade(day * DAY_S + NOON_S + 300 * place, seller, {15: 1}, buyer, {GOLD: 500})
    for place, member in enumerate(cartel):
        for turn in range(20):
            seller, buyer = sellers[turn], buyers[turn]
            game.trade(2 * DAY_S + NOON_S + 900 * turn + place, seller, {15: 1}, member, {GOLD: 600})
            if turn < sold:
                game.trade(4 * DAY_S + NOON_S + 900 * turn + place, member, {15: 1}, buyer, {GOLD: ask})


def test_accounts_that_buy_an_item_up_and_dump_it_together_are_a_cartel(found: Found) -> None:
    game = Game()
    cartel = game.players(3, {GOLD: 90_000})
    corner(game, cartel)
    assert of(Cheat.PRICE_MANIPULATION, found(game)) == set(cartel)


def test_who_is_talked_into_buying_much_dearer_than_others_is_the_victim_of_a_cartel(found: Found) -> None:
    game = Game()
    cartel = game.players(3, {GOLD: 90_000})
    corner(game, cartel, ask=560, sold=19)
    victim = game.player({GOLD: 90_000})
    for turn, member in enumerate(cartel):
        game.trade(4 * DAY_S + NOON_S + 900 * 19 + 60 * turn, member, {15: 1}, victim, {GOLD: 1_500})
    assert of(Cheat.PRICE_MANIPULATION, found(game)) == {*cartel, victim}


def test_a_collector_who_keeps_what_it_buys_up_is_no_cartel(found: Found) -> None:
    game = Game()
    corner(game, game.players(3, {GOLD: 90_000}), sold=2)
    assert of(Cheat.PRICE_MANIPULATION, found(game)) == set()


@pytest.mark.parametrize(("ask", "is_cheat"), [(700, False), (1_500, True)])
def test_who_does_it_alone_is_a_speculator_unless_the_price_is_absurd(found: Found, ask: int, is_cheat: bool) -> None:
    game = Game()
    alone = game.player({GOLD: 90_000})
    corner(game, [alone], ask)
    assert of(Cheat.PRICE_MANIPULATION, found(game)) == ({alone} if is_cheat else set())


# ---------------------------------------------------------------- botting


def test_who_sells_one_thing_at_a_fixed_pace_is_a_bot_however_else_it_trades(found: Found) -> None:
    game = Game()
    bot, shops = game.player({5: 900, 7: 300, GOLD: 9_000}), game.players(20, {GOLD: 9_000, 1: 90})
    for n in range(80):
        game.trade(700 * n + 20 * (n % 5), bot, {5: 1}, shops[n % 20], {GOLD: 6})
        for turn in range(3):
            game.trade(700 * n + 97 * turn + 13 * (n % 7) + 1, bot, {GOLD: 7}, shops[(n + turn) % 20], {1: 1})
    assert of(Cheat.BOTTING, found(game)) == {bot}


def test_who_acts_every_ten_minutes_day_and_night_is_a_bot(found: Found) -> None:
    game = Game()
    bot, shop = game.player({GOLD: 90_000}), game.player({5: 900})
    for n in range(300):
        game.trade(600 * n + n % 7, bot, {GOLD: 6}, shop, {5: 1})
    assert bot in of(Cheat.BOTTING, found(game))


def test_who_accepts_offers_before_one_can_read_them_is_a_bot(found: Found) -> None:
    game = Game()
    bot, quick, sellers = *game.players(2, {GOLD: 9_000}), game.players(30, {5: 200})
    draw = Random(1)
    for seller in sellers:
        game.offer(draw.uniform(0, 2 * DAY_S), 0.4, seller, {5: 2}, bot, {GOLD: 11})
        game.offer(draw.uniform(0, 2 * DAY_S), 9, seller, {5: 2}, quick, {GOLD: 11})
    assert of(Cheat.BOTTING, found(game)) == {bot}


def test_who_asks_for_something_all_day_at_a_fairly_even_pace_is_a_bot_and_a_long_sitting_none(found: Found) -> None:
    game = Game()
    bot, human, shops = *game.players(2, {GOLD: 90_000}), game.players(30, {5: 300, 7: 300, GOLD: 900})
    draw, at_s = Random(1), float(NOON_S)
    for n in range(200):
        at_s += draw.uniform(150, 330)
        game.trade(at_s, bot, {GOLD: 6}, shops[n % 30], {5: 1})
        game.trade(at_s + draw.uniform(21, 120), shops[n % 30], {7: 1}, bot, {GOLD: 7})
        if n % 50 < 20:
            game.trade(at_s + 1, human, {GOLD: 6}, shops[n % 29], {5: 1})
    assert of(Cheat.BOTTING, found(game)) == {bot}


def test_who_trades_fast_for_an_hour_with_pauses_of_a_human_is_none(found: Found) -> None:
    game = Game()
    human, shops = game.player({GOLD: 90_000}), game.players(20, {5: 200})
    pauses_s = (4, 31, 12, 55, 9, 23, 70, 18, 6, 41, 27, 15)
    at_s = float(NOON_S)
    for n in range(300):
        at_s += pauses_s[n % len(pauses_s)]
        game.trade(at_s, human, {GOLD: 6}, shops[n % 20], {5: 1})
    assert human not in of(Cheat.BOTTING, found(game))


# ---------------------------------------------------------------- what is said of a suspect


@pytest.mark.parametrize(("days", "is_found"), [(3, True), (3.6, False)])
def test_a_search_of_the_newest_days_sees_nothing_older(found: Found, days: float, is_found: bool) -> None:
    game = Game()
    hacked(game, passed_on=True)
    assert bool(found(game, START + timedelta(days=days))) == is_found


def test_somebody_of_whom_everything_was_refused_stops_no_search_and_fills_no_list(found: Found) -> None:
    game = Game()
    bot, shop = game.players(2, {GOLD: 5})
    for n in range(400):
        game.refused(600 * n, bot, {1: 1}, shop)
        for again in range(2):
            game.refused(600 * n + 0.1 + 0.1 * again, bot, {1: 1}, shop)
    suspects = found(game)
    assert {(suspect.player_id, suspect.cheat) for suspect in suspects} >= {
        (bot, Cheat.BOTTING),
        (bot, Cheat.DUPLICATION),
    }
    for suspect in suspects:
        assert len(suspect.trades) == 200
        assert suspect.since.isoformat().startswith("2026-01-01T00:0")


def test_a_suspect_is_named_with_since_when_and_the_trades_that_show_it(found: Found) -> None:
    game = Game()
    hacked(game, passed_on=True)
    for suspect in found(game):
        assert suspect.trades == sorted(suspect.trades)
        assert suspect.since.isoformat().startswith("2026-01-04T1")
        assert 0.5 <= suspect.score <= 1
        assert suspect.why
