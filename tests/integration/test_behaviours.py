"""Players that behave, played against a real engine: what everybody holds in the end is what the plan says."""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.settings import Settings
from jobs.economy.behaviours.acts import Act, Adjust, Create, MakeOffer, Trade
from jobs.economy.behaviours.plan import Plan, Setting, plan
from jobs.economy.behaviours.realm import Holdings, Realm
from jobs.simulate.run import Behaviours, Order, Outcome, simulate
from tests.conftest import SERVICE_KEY
from tests.conftest import Realm as StoredRealm
from tests.economy import ECONOMY
from tests.serving import served

SETTING = Setting(players=60, trades=700, days=6, prevalence=0.15, seed=11)
BEHAVIOURS = Behaviours(days=SETTING.days, prevalence=SETTING.prevalence)
ORDER = Order(players=SETTING.players, trades=SETTING.trades, seed=SETTING.seed, behaviours=BEHAVIOURS)


@pytest.fixture(scope="module")
def drawn() -> Plan:
    return plan(ECONOMY, SETTING)


def test_what_everybody_holds_in_the_end_is_what_the_plan_says(
    settings: Settings, realm: StoredRealm, drawn: Plan, tmp_path: Path
) -> None:
    order = replace(ORDER, behaviours=replace(BEHAVIOURS, truth=tmp_path))
    outcome = played(settings, order)
    assert outcome.unexpected == 0
    assert outcome.trades == sum(isinstance(act, Trade) or getattr(act, "answer", "") == "accept" for act in drawn.acts)
    assert outcome.refused.total() > 0
    assert min(outcome.adjustments, outcome.offers["accept"], outcome.offers["decline"]) > 0
    # the engine numbers players as they come in, side by side; names say who is who
    names = {act.username: act.player for act in drawn.acts if isinstance(act, Create)}
    expected = held_by(drawn.acts)
    numbers = {player_id: names[username] for player_id, username in usernames(realm).items()}
    assert len(numbers) == SETTING.players
    for player_id, number in numbers.items():
        assert essence_of_stored(realm.state(player_id)) == essence_of_planned(expected[number])
    labels = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert {numbers[label["player_id"]]: label["role"] for label in labels} == {
        label.player_id: label.role for label in drawn.labels
    }


def played(settings: Settings, order: Order) -> Outcome:
    with served(settings) as port:
        engine = replace(settings, engine_url=f"http://127.0.0.1:{port}", service_keys=SERVICE_KEY)
        return simulate(engine, order, lambda _: None)


def usernames(realm: StoredRealm) -> dict[int, str]:
    created = [msgspec.json.decode(event) for event in realm.events() if b'"player_created"' in event]
    return {event["player_id"]: event["username"] for event in created}


def held_by(acts: list[Act]) -> dict[int, Holdings]:
    realm, players = Realm(ECONOMY), []
    for act in acts:
        match act:
            case Create():
                realm.create(act.player, act.player_class)
                players.append(act.player)
            case Trade():
                realm.trade(act.one, act.two)
            case Adjust():
                realm.adjust(act.player, act.gold, act.items)
            case MakeOffer():
                realm.offer(act.number, act.one, act.two)
            case _ if act.answer == "accept":
                realm.accept(act.offer)
            case _:
                realm.close(act.offer)
    return {player: realm[player] for player in players}


def essence_of_stored(state: dict[str, Any]) -> dict[str, Any]:
    return {name: state[name] for name in ("gold", "items", "version", "held_gold", "held", "value")}


def essence_of_planned(has: Holdings) -> dict[str, Any]:
    held = {item: units for item, units in has.held.items() if units}
    return {
        "gold": has.gold,
        "items": has.items,
        "version": has.version,
        "held_gold": has.held_gold,
        "held": held,
        "value": has.value,
    }


def test_virtual_time_passes_at_the_speed_that_was_asked_for(settings: Settings, realm: StoredRealm) -> None:
    setting = Setting(players=4, trades=20, days=2, prevalence=0, seed=2)
    moments = [act.at_s for act in plan(ECONOMY, setting).acts]
    lasts_s = 4.0
    speed = (moments[-1] - moments[0]) / lasts_s
    behaviours = Behaviours(days=2, prevalence=0, speed=speed)
    played(settings, Order(players=4, trades=20, seed=2, behaviours=behaviours))
    times = [msgspec.json.decode(event, type=_Timed).occurred_at for event in realm.events()][1:]
    assert (times[-1] - times[0]).total_seconds() == pytest.approx(lasts_s, abs=0.5)
    middle = len(times) // 2
    passed_s = (times[middle] - times[0]).total_seconds()
    assert passed_s == pytest.approx((moments[middle] - moments[0]) / speed, abs=0.5)


class _Timed(msgspec.Struct):
    occurred_at: datetime


def test_without_behaviours_the_reference_plan_is_played(settings: Settings) -> None:
    outcome = played(settings, Order(players=20, trades=150, offers=15, seed=3))
    assert (outcome.players, outcome.accepted, outcome.refused.total()) == (20, 150, 0)
    assert outcome.offers.total() == 15
    assert set(outcome.offers) == {"accept", "decline", "cancel"}
    assert outcome.adjustments == 0
