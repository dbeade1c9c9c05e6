"""The simulation's plan: the same seed, the same plan; and no plan breaks the rules."""

from itertools import islice

from jobs.simulate.plan import PlannedTrade, plan_offers, plan_players, plan_trades
from tests.economy import CLASSES, ECONOMY
from tests.model import ModelRealm, ModelSide


def test_the_same_seed_gives_the_same_players_and_trades() -> None:
    one, two = ([*plan_trades(ECONOMY, 7, plan_players(ECONOMY, 7, 50), 500)] for _ in range(2))
    assert plan_players(ECONOMY, 7, 50) == plan_players(ECONOMY, 7, 50)
    assert one == two


def test_another_seed_gives_others() -> None:
    assert plan_players(ECONOMY, 1, 50) != plan_players(ECONOMY, 2, 50)
    assert [*plan_trades(ECONOMY, 1, plan_players(ECONOMY, 1, 50), 50)] != [
        *plan_trades(ECONOMY, 2, plan_players(ECONOMY, 1, 50), 50)
    ]


def test_more_trades_go_on_where_fewer_ended() -> None:
    players = plan_players(ECONOMY, 3, 40)
    assert [*plan_trades(ECONOMY, 3, players, 100)] == [*islice(plan_trades(ECONOMY, 3, players, 200), 100)]


def test_classes_are_drawn_by_their_weights() -> None:
    players = plan_players(ECONOMY, 1, 20_000)
    for name, player_class in CLASSES.items():
        share = sum(player.player_class == name for player in players) / len(players)
        assert abs(share - player_class.weight / 20) < 0.01


def sides(trade: PlannedTrade, ids: list[int]) -> list[ModelSide]:
    return [
        ModelSide(ids[side.player], side.gold, [] if side.item_id is None else [(side.item_id, 1)])
        for side in (trade.one, trade.two)
    ]


def test_every_planned_trade_is_accepted_by_the_rules() -> None:
    players = plan_players(ECONOMY, 5, 30)
    model = ModelRealm()
    ids = [model.create(player.player_class) for player in players]
    for trade in plan_trades(ECONOMY, 5, players, 3_000):
        assert model.trade(*sides(trade, ids)) == ""


def test_the_same_seed_gives_the_same_offers_and_each_can_be_accepted_after_the_trades() -> None:
    players = plan_players(ECONOMY, 5, 30)
    model = ModelRealm()
    ids = [model.create(player.player_class) for player in players]
    for trade in plan_trades(ECONOMY, 5, players, 3_000):
        model.trade(*sides(trade, ids))
    offers = [*plan_offers(ECONOMY, 5, players, 3_000, 500)]
    assert offers == [*plan_offers(ECONOMY, 5, players, 3_000, 500)]
    assert {offer.answer for offer in offers} == {"accept", "decline", "cancel"}
    for offer in offers:
        if offer.answer == "accept":
            assert model.trade(*sides(offer, ids)) == ""
