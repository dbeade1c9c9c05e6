"""Players that behave: the same plan for the same setting, none breaks the rules, all do what docs/economy.md says."""

import hashlib
import math
import os
import re
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from app.contract.events import ENVELOPE, decode_event
from app.contract.limits import Name
from app.errors import HaggleError
from jobs.cli.simulate import simulate_command
from jobs.economy.behaviours import clock, flows
from jobs.economy.behaviours.acts import Act, Adjust, Create, EndOffer, MakeOffer, Side, Trade, players_of
from jobs.economy.behaviours.cast import Cast, Instance
from jobs.economy.behaviours.clock import DAY_S, HOUR_S, draw_rhythm, over_days, sessions
from jobs.economy.behaviours.events import event_lines, name_of
from jobs.economy.behaviours.folder import write_plan
from jobs.economy.behaviours.honest import errands, givers, guilds, keepers, leavers, merchants, newcomers, regulars
from jobs.economy.behaviours.people import Person, draw_people
from jobs.economy.behaviours.plan import CHEATS, Plan, Setting, plan
from jobs.economy.behaviours.world import World
from jobs.economy.log import Cheat, read_log
from jobs.simulate.run import Behaviours, Order
from tests import ROOT
from tests.economy import CLASSES, ECONOMY, ITEMS
from tests.history import Adjusted, Replay, Sides
from tests.model import ModelSide

SMALL = Setting(players=300, trades=4_000, days=14, prevalence=0.2, seed=3)
REALM = "planned"
KINDS = {
    "merchant", "couple", "friends", "prize_giver", "starter_packs", "guild_bank", "guild_member", "collector",
    "hoarder", "craft_partners", "fast_human", "double_click", "leaver", "old_friend",
}  # fmt: skip


@pytest.fixture(scope="module")
def small() -> Plan:
    return plan(ECONOMY, SMALL)


@pytest.fixture(scope="module")
def usual() -> list[Plan]:
    """Plans of some thousand players, at the usual prevalence."""
    return [plan(ECONOMY, Setting(players=2_000, trades=30_000, seed=seed)) for seed in (1, 2, 3)]


def trades(acts: list[Act], *, refused: bool = False) -> list[Trade | EndOffer]:
    decided = [act for act in acts if isinstance(act, Trade) or (isinstance(act, EndOffer) and act.answer == "accept")]
    return [act for act in decided if refused or not act.reason]


def sale(act: Trade | EndOffer) -> tuple[Side, Side, float] | None:
    """Seller and buyer of a priced trade and the price of a unit over the list's."""
    seller, buyer = (act.one, act.two) if act.one.items else (act.two, act.one)
    if len(seller.items) != 1 or seller.gold or not buyer.gold or buyer.items:
        return None
    ((item, units),) = seller.items
    return seller, buyer, buyer.gold / units / ITEMS[item].value


# ---------------------------------------------------------------- the plan


def digest(setting: str) -> str:
    """The digest of a plan that a process of its own makes, which hashes strings its own way."""
    program = (
        "import hashlib, msgspec; from app.contract.economy import reference_economy; "
        "from jobs.economy.behaviours.plan import Setting, plan; "
        f"print(hashlib.sha256(msgspec.json.encode(plan(reference_economy(), {setting}))).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": str(len(setting) + os.getpid())}
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_the_same_setting_gives_the_same_plan_byte_for_byte_in_any_process(small: Plan) -> None:
    assert digest(str(SMALL)) == hashlib.sha256(msgspec.json.encode(small)).hexdigest()


def test_another_seed_gives_another_plan(small: Plan) -> None:
    other = plan(ECONOMY, replace(SMALL, seed=4))
    assert other.acts != small.acts
    assert other.labels != small.labels


def test_acts_come_in_the_order_of_virtual_time_within_the_days(small: Plan) -> None:
    moments = [act.at_s for act in small.acts]
    assert moments == sorted(moments)
    assert moments[0] >= 0
    assert moments[-1] < SMALL.days * DAY_S


def test_players_are_numbered_in_the_order_in_which_they_come(small: Plan) -> None:
    numbers = [act.player for act in small.acts if isinstance(act, Create)]
    assert numbers == list(range(1, SMALL.players + 1))


@pytest.mark.parametrize("trades_planned", [1_000, 4_000])
def test_there_are_about_so_many_trades_as_asked_for(trades_planned: int) -> None:
    planned = plan(ECONOMY, Setting(players=300, trades=trades_planned, days=14, prevalence=0.02))
    assert len(trades(planned.acts, refused=True)) == pytest.approx(trades_planned, rel=0.06)


@pytest.mark.parametrize("wrong", [{"players": 1}, {"days": 1}, {"prevalence": 0.6}, {"prevalence": -0.1}])
def test_a_setting_that_cannot_be_planned_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(HaggleError, match=r"prevalence|two players"):
        Setting(**wrong)


# ---------------------------------------------------------------- events


def requested(acts: list[Act]) -> dict[str, Sides]:
    """The sides of trades and offers, by the names that events give them."""
    return {
        name_of(REALM, "offer" if isinstance(act, MakeOffer) else "trade", act.number): (sent(act.one), sent(act.two))
        for act in acts
        if isinstance(act, Trade | MakeOffer)
    }


def sent(side: Side) -> ModelSide:
    return ModelSide(side.player, side.gold, list(side.items))


def adjusted(acts: list[Act]) -> dict[str, Adjusted]:
    return {
        name_of(REALM, "adjustment", act.number): (act.player, act.gold, dict(act.items))
        for act in acts
        if isinstance(act, Adjust)
    }


def test_the_events_are_those_that_the_rules_give_with_the_exact_states(small: Plan) -> None:
    replay = Replay(requested(small.acts), adjusted=adjusted(small.acts))
    lines = list(event_lines(ECONOMY, small.acts, REALM))
    for line in lines:
        replay.apply(decode_event(line))
    assert replay.sequence == len(lines) == len(small.acts) + 1
    held = Counter[int]()
    for player in replay.model.players.values():
        held.update({0: player.gold, **player.items})
        assert player.units <= player.capacity
        assert min(player.gold, player.held_gold, *player.items.values(), 0) == 0
    assert +held == +replay.model.supply


def test_what_the_plan_says_will_be_refused_is_refused_for_that_reason(small: Plan) -> None:
    expected = [act.reason for act in small.acts if not isinstance(act, Create) and act.reason]
    events = [msgspec.json.decode(line) for line in event_lines(ECONOMY, small.acts, REALM)]
    assert [event["reason"] for event in events if "reason" in event] == expected
    assert set(expected) >= {"insufficient_gold", "insufficient_items", "capacity_exceeded"}


def test_an_event_begins_as_the_relay_begins_it_and_has_a_time_with_six_decimals(small: Plan) -> None:
    before = ""
    for number, line in enumerate(event_lines(ECONOMY, small.acts, REALM), start=1):
        head = re.match(ENVELOPE, line.decode())
        assert head
        assert head.groups() == (REALM, str(number))
        at = msgspec.json.decode(line)["occurred_at"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", at)
        assert at >= before
        before = at


def test_a_folder_has_the_events_and_the_truth_and_can_be_judged(tmp_path: Path) -> None:
    planned = write_plan(ECONOMY, SMALL, tmp_path / "new" / "folder")
    log = read_log(tmp_path / "new" / "folder")
    assert (log.sequence, len(log.players)) == (len(planned.acts) + 1, SMALL.players)
    assert log.labels == planned.labels
    assert log.innocents == planned.innocents
    names = {path.name for path in (tmp_path / "new" / "folder").iterdir()}
    assert names == {"events.jsonl", "labels.jsonl", "innocent.jsonl"}


def test_a_folder_that_cannot_be_written_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HaggleError, match="cannot be written"):
        write_plan(ECONOMY, Setting(players=2, trades=0, days=2, prevalence=0), tmp_path / "file")


# ---------------------------------------------------------------- who is who


@pytest.mark.parametrize("prevalence", [0.0, 0.002, 0.02, 0.2])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_prevalence_is_the_share_of_labelled_players(seed: int, prevalence: float) -> None:
    planned = plan(ECONOMY, Setting(players=1_000, trades=200, prevalence=prevalence, seed=seed))
    labelled = [label.player_id for label in planned.labels]
    assert len(set(labelled)) == len(labelled) == round(1_000 * prevalence)


def test_the_six_cheats_are_about_equally_frequent_and_each_has_an_evasive_variant(usual: list[Plan]) -> None:
    labels = [label for planned in usual for label in planned.labels]
    for cheat in Cheat:
        own = [label for label in labels if label.cheat == cheat]
        assert 0.5 / 6 < len(own) / len(labels) < 2 / 6, cheat
    instances = {label.instance: label.evasive for planned in usual for label in planned.labels}
    assert 0.1 < sum(instances.values()) / len(instances) < 0.6


def test_every_kind_of_innocent_is_there_and_none_is_labelled(usual: list[Plan]) -> None:
    for planned in usual:
        assert {innocent.kind for innocent in planned.innocents} == KINDS
        assert not {each.player_id for each in planned.innocents} & {each.player_id for each in planned.labels}


def test_everybody_in_an_instance_has_a_part_in_what_it_does(small: Plan) -> None:
    of = {label.player_id: label.instance for label in small.labels}
    active = Counter[int]()
    for act in trades(small.acts):
        one, two = act.one.player, act.two.player
        if of.get(one, 1) == of.get(two, 2):
            active.update((one, two))
    alone = {Cheat.BOTTING, Cheat.PRICE_MANIPULATION}
    idle = [label for label in small.labels if not active[label.player_id] and label.cheat not in alone]
    assert idle == []


# ---------------------------------------------------------------- no leak


def test_no_class_number_or_moment_of_coming_tells_cheats() -> None:
    """Of 6 × 2,500 players, of whom 300 are labelled."""
    labelled, everyone = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    classes, names = Counter[str](), set[str]()
    for seed in range(1, 7):
        planned = plan(ECONOMY, Setting(trades=200, seed=seed))
        cheats = {label.player_id for label in planned.labels}
        for act in planned.acts:
            if isinstance(act, Create):
                names.add(re.sub(r"\d+", "0", act.username.replace(act.player_class, "")))
                for found in (everyone, labelled) if act.player in cheats else (everyone,):
                    found["number"].append(act.player)
                    found["at_s"].append(act.at_s)
                classes[act.player_class] += act.player in cheats
    assert names == {"_0_0"}
    for column in everyone:
        spread = statistics.stdev(everyone[column]) / math.sqrt(len(labelled[column]))
        assert abs(statistics.mean(labelled[column]) - statistics.mean(everyone[column])) < 3 * spread, column
    expected = {name: 300 * each.weight / 20 for name, each in CLASSES.items()}
    distance = sum((classes[name] - count) ** 2 / count for name, count in expected.items())
    assert distance < 27.9  # chi-square, 9 degrees of freedom, 99.9 %


def test_no_value_of_a_single_column_tells_cheats(usual: list[Plan]) -> None:
    """Of those who ever have a value in a column, few more are labelled than of all."""
    who, cheats = defaultdict[Any, set[Any]](set), set[Any]()
    for planned in usual:
        cheats |= {(id(planned), label.player_id) for label in planned.labels}
        for act in planned.acts:
            for value in columns(act):
                who[value].update((id(planned), player) for player in players_of(act))
    shares = {value: len(players & cheats) / len(players) for value, players in who.items() if len(players) >= 100}
    assert len(shares) > 100
    assert max(shares.values()) < 6 * 0.02, max(shares, key=lambda value: shares[value])


def columns(act: Act) -> Iterator[tuple[str, Any]]:
    yield "hour", int(act.at_s // HOUR_S) % 24
    yield "day of week", int(act.at_s // DAY_S) % 7
    yield "type", type(act).__name__
    match act:
        case Create():
            return
        case Adjust():
            yield "why", act.why
            yield "reference", act.reference
            yield "gold", (act.gold > 0, abs(act.gold).bit_length())
        case _:
            yield "answer", getattr(act, "answer", None)
            for side in (act.one, act.two):
                yield "gold given", side.gold.bit_length()
                yield "lines", len(side.items)
                for item, units in side.items:
                    yield "item", item
                    yield "units", units.bit_length()
    yield "reason", act.reason


def test_names_of_trades_have_one_form_and_never_repeat(small: Plan) -> None:
    names = [name_of(REALM, "trade", act.number) for act in trades(small.acts, refused=True)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[0-9a-f]{32}", msgspec.convert(name, Name)) for name in names)


# ---------------------------------------------------------------- the market and its people


def test_most_trades_are_priced_near_the_list(usual: list[Plan]) -> None:
    levels = defaultdict[int, list[float]](list)
    accepted = [act for planned in usual for act in trades(planned.acts)]
    for act in accepted:
        if found := sale(act):
            levels[found[0].items[0][0]].append(found[2])
    assert sum(map(len, levels.values())) > 0.7 * len(accepted)
    assert levels.keys() == ITEMS.keys()
    for item, found_levels in levels.items():
        low, *_, high = statistics.quantiles(found_levels, n=10)
        assert 0.8 < statistics.median(found_levels) < 1.25, item
        assert 0.6 < low < high < 1.6, item


def test_pairs_meet_again_and_a_few_know_very_many(usual: list[Plan]) -> None:
    for planned in usual:
        pairs = Counter(frozenset(players_of(act)) for act in trades(planned.acts))
        assert sum(count for count in pairs.values() if count >= 3) > 0.4 * pairs.total()
        degrees = Counter(player for pair in pairs for player in pair)
        top = sorted(degrees.values(), reverse=True)
        assert top[len(top) // 100] > 6 * statistics.median(top)


def test_people_sleep_and_the_realm_has_days_and_nights(usual: list[Plan]) -> None:
    hours = Counter(int(act.at_s // HOUR_S) % 24 for planned in usual for act in trades(planned.acts))
    assert max(hours.values()) > 1.5 * min(hours.values())
    own = defaultdict[int, Counter[int]](Counter)
    for act in trades(usual[0].acts):
        for player in players_of(act):
            own[player][int(act.at_s // HOUR_S) % 24] += 1
    busy = sorted(own.values(), key=Counter.total)[-200:]
    sleeping = sum(sum(hours[hour] <= 0.01 * hours.total() for hour in range(24)) >= 5 for hours in busy)
    assert sleeping > 0.8 * len(busy)


def test_the_game_gives_and_takes_in_every_way(small: Plan) -> None:
    reasons = Counter(act.why for act in small.acts if isinstance(act, Adjust))
    assert set(reasons) == {"reward", "loot", "craft", "consumption", "purchase", "decay"}
    gold = Counter(act.gold > 0 for act in small.acts if isinstance(act, Adjust) and act.gold)
    assert min(gold.values()) > 10


def test_offers_are_accepted_declined_and_cancelled_within_a_day(small: Plan) -> None:
    made = {act.number: act.at_s for act in small.acts if isinstance(act, MakeOffer) and not act.reason}
    ends = [act for act in small.acts if isinstance(act, EndOffer) and not act.reason]
    assert {act.answer for act in ends} == {"accept", "decline", "cancel"}
    assert all(0 < act.at_s - made[act.offer] < DAY_S for act in ends)


def test_somebody_who_acts_ten_times_in_a_window_does_so_within_it() -> None:
    draw = Random(1)
    for _ in range(200):
        rhythm = draw_rhythm(draw)
        start_s = draw.uniform(0, 5 * DAY_S)
        window = start_s, start_s + draw.uniform(10, 3 * DAY_S)
        times = over_days(draw, rhythm, window, 10)
        assert len(times) == 10
        assert times == sorted(times)
        assert window[0] <= times[0] <= times[-1] <= window[1]
        assert len(sessions(draw, rhythm, 3, 10)) == 10


# ---------------------------------------------------------------- one behaviour alone


def quiet_world(seed: int, players: int = 120) -> World:
    """A world in which everybody is there from the start and nobody does anything."""
    people = draw_people(ECONOMY, Random(seed), players, 28)
    world = World(ECONOMY, people, 28 * DAY_S, 1.0)
    for person in people:
        person.created_at_s = 0.0
        world.create(person, f"p{person.number}")
    return world


class Played:
    """What an instance of a cheat does in a quiet world."""

    def __init__(self, cheat: Cheat, seed: int, *, evasive: bool) -> None:
        self.world = quiet_world(seed, 500 if cheat == Cheat.BOTTING else 120)
        module, draw = CHEATS[cheat], Random(seed)
        size = module.SIZES[1]
        self.members: dict[str, list[Person]] = defaultdict(list)
        for role, person in zip(module.roles(draw, size), draw.sample(self.world.people, size), strict=True):
            self.members[role].append(person)
        window = 0.5 * DAY_S, 28 * DAY_S
        self.instance = Instance("i", cheat, dict(self.members), evasive, window)
        module.play(self.world, draw, self.instance)
        if cheat == Cheat.BOTTING:  # its buyers use things up
            self.world.start(errands.play(self.world, draw, 40_000, 28))
        self.world.run()
        self.trades = [act for act in self.world.acts if isinstance(act, Trade)]
        self.role = {person.number: role for role, persons in self.members.items() for person in persons}

    def sales_of(self, person: Person) -> list[float]:
        """When somebody sold something."""
        found = ((act.at_s, sale(act)) for act in self.trades)
        return [at_s for at_s, sides in found if sides and sides[0].player == person.number]

    def inner(self) -> list[Trade]:
        return [act for act in self.trades if act.one.player in self.role and act.two.player in self.role]


def played(cheat: Cheat, *, evasive: bool = False, seeds: int = 8) -> list[Played]:
    return [Played(cheat, seed, evasive=evasive) for seed in range(seeds)]


@pytest.mark.parametrize("evasive", [False, True])
def test_what_a_ring_trades_goes_round(evasive: bool) -> None:
    for each in played(Cheat.WASH_TRADING, evasive=evasive):
        assert 2 <= len(each.role) <= 6
        assert len(each.inner()) == len(each.trades) >= (10 if evasive else 30)
        gross, net = Counter[int](), Counter[int]()
        for act in each.trades:
            for side, other in ((act.one, act.two), (act.two, act.one)):
                gross[side.player] += side.gold + other.gold
                net[side.player] += side.gold - other.gold
        assert set(gross) == set(each.role)
        assert sum(map(abs, net.values())) < 0.5 * gross.total()


def test_a_ring_that_hides_varies_amounts_and_takes_its_time() -> None:
    for open_ring, hidden in zip(played(Cheat.WASH_TRADING), played(Cheat.WASH_TRADING, evasive=True), strict=True):
        units = [
            len({units for act in ring.trades for side in (act.one, act.two) for _, units in side.items})
            / len(ring.trades)
            for ring in (open_ring, hidden)
        ]
        assert units[1] > units[0]


@pytest.mark.parametrize("evasive", [False, True])
def test_gold_goes_from_farmers_over_mules_to_buyers(evasive: bool) -> None:
    edges = {("farmer", "mule"), ("mule", "buyer")}
    for each in played(Cheat.GOLD_SELLING, evasive=evasive):
        assert {
            (each.role[giver.player], each.role[taker.player])
            for act in each.trades
            for giver, taker in ((act.one, act.two), (act.two, act.one))
            if giver.gold
        } == edges
        tokens = sum(bool(act.one.items or act.two.items) for act in each.trades)
        assert tokens > 0.5 * len(each.trades) if evasive else tokens == 0
        handovers = [act.at_s for act in each.trades if "farmer" in {each.role[player] for player in players_of(act)}]
        deliveries = [act.at_s for act in each.trades if "buyer" in {each.role[player] for player in players_of(act)}]
        assert min(handovers) < min(deliveries)


def test_two_mules_make_a_stack() -> None:
    mules = {len(each.members["mule"]) for each in played(Cheat.GOLD_SELLING)}
    assert mules == {1, 2}


@pytest.mark.parametrize("evasive", [False, True])
def test_a_cartel_buys_up_an_item_and_sells_it_dearer_to_its_victims(evasive: bool) -> None:
    for each in played(Cheat.PRICE_MANIPULATION, evasive=evasive):
        bought, victims, items = [], [], Counter[int]()
        for act in each.trades:
            found = sale(act)
            assert found
            seller, buyer, level = found
            items[seller.items[0][0]] += 1
            if each.role.get(buyer.player) == "victim":
                victims.append(level)
            elif buyer.player in each.role and seller.player not in each.role:
                bought.append(level)
        assert len(items) == 1
        assert len(bought) >= 2 * len(each.members["manipulator"])
        assert statistics.median(victims) > statistics.median(bought)


def test_a_duper_sends_the_same_content_again_within_a_second() -> None:
    for each in played(Cheat.DUPLICATION):
        for duper in each.members["duper"]:
            own = [act for act in each.trades if act.one.player == duper.number]
            soon = sum(two.at_s - one.at_s <= 1.0 for one, two in pairwise(own))
            assert same_within(own, 1.0) == soon >= 3
        assert {each.role[act.one.player] for act in each.trades} == {"duper"}
        assert {each.role[act.two.player] for act in each.trades} == {"receiver"}


def test_a_duper_that_hides_changes_the_content_or_takes_longer() -> None:
    clear = sum(same_within(each.trades, 1.0) for each in played(Cheat.DUPLICATION))
    hidden = sum(same_within(each.trades, 1.0) for each in played(Cheat.DUPLICATION, evasive=True))
    assert hidden < 0.15 * clear
    assert sum(same_within(each.trades, 10.0) for each in played(Cheat.DUPLICATION, evasive=True)) > 10


def same_within(acts: list[Trade], time_s: float) -> int:
    """How many trades repeat one before it so soon."""
    return sum(
        (one.one, one.two) == (two.one, two.two) and two.at_s - one.at_s <= time_s for one, two in pairwise(acts)
    )


@pytest.mark.parametrize(("evasive", "low", "high"), [(False, 0.0, 0.045), (True, 0.045, 0.6)])
def test_a_bot_keeps_its_pace(evasive: bool, low: float, high: float) -> None:
    for each in played(Cheat.BOTTING, evasive=evasive):
        for bot in each.members["bot"]:
            times = each.sales_of(bot)
            gaps = sorted(later - earlier for earlier, later in pairwise(times))
            core = gaps[len(gaps) // 20 : len(gaps) // 2]  # a tick without a buyer leaves a double gap
            assert len(times) > 50
            assert low <= statistics.stdev(core) / statistics.mean(core) < high


def test_only_a_bot_that_hides_rests() -> None:
    for evasive in (False, True):
        rested = []
        for each in played(Cheat.BOTTING, evasive=evasive):
            for bot in each.members["bot"]:
                times = each.sales_of(bot)
                if times[-1] - times[0] > 3 * DAY_S:
                    rested.append(max(b - a for a, b in pairwise(times)) > 2.9 * HOUR_S)
        assert rested
        assert all(rested) if evasive else not any(rested)


@pytest.mark.parametrize("evasive", [False, True])
def test_a_stolen_account_is_emptied_and_what_was_taken_goes_on(evasive: bool) -> None:
    for each in played(Cheat.ACCOUNT_THEFT, evasive=evasive):
        out = Counter[tuple[str, str]]()
        for act in each.inner():
            for giver, taker in ((act.one, act.two), (act.two, act.one)):
                out[each.role[giver.player], each.role[taker.player]] += giver.gold
        assert out["victim", "thief"] > 5 * out["thief", "victim"]
        assert out["thief", "fence"] > 0
        for victim in each.members["victim"]:
            times = [act.at_s for act in each.inner() if victim.number in players_of(act)]
            assert times[-1] - times[0] > 3 * HOUR_S if evasive else times[-1] - times[0] < HOUR_S
            start = CLASSES[victim.player_class].gold
            assert victim.has.gold < (0.5 if evasive else 0.3) * start


# ---------------------------------------------------------------- honest ones alone


def honest(behaviour: Any, seed: int = 1, players: int = 800) -> tuple[World, Cast]:
    world = quiet_world(seed, players)
    cast = Cast(world.people, Random(seed))
    behaviour.play(world, Random(seed), cast)
    world.run()
    return world, cast


def of_kind(cast: Cast, kind: str) -> set[int]:
    return {innocent.player_id for innocent in cast.innocents if innocent.kind == kind}


def gifts(world: World) -> list[tuple[int, int]]:
    """Who gave to whom and got nothing."""
    found = []
    for act in trades(world.acts):
        for giver, taker in ((act.one, act.two), (act.two, act.one)):
            if not taker.gold and not taker.items:
                found.append((giver.player, taker.player))
    return found


def test_couples_and_friends_give_both_ways() -> None:
    world, cast = honest(givers)
    for kind in ("couple", "friends"):
        group = of_kind(cast, kind)
        edges = {edge for edge in gifts(world) if set(edge) <= group}
        assert sum(edge[::-1] in edges for edge in edges) > 0.7 * len(edges) > 0


def test_prize_givers_and_welcomers_give_to_many_and_get_nothing() -> None:
    world, cast = honest(givers)
    edges = gifts(world)
    for giver in of_kind(cast, "prize_giver"):
        assert len({taker for source, taker in edges if source == giver}) >= 4
    for giver in of_kind(cast, "starter_packs"):
        packs = Counter(side[1:] for act in trades(world.acts) for side in (act.one, act.two) if side.player == giver)
        assert packs.most_common(1)[0][1] > 0.5 * packs.total()


def test_a_guild_bank_gathers_and_scatters_among_the_same_members() -> None:
    world, cast = honest(guilds)
    for bank in of_kind(cast, "guild_bank"):
        payers = {source for source, taker in gifts(world) if taker == bank}
        helped = {taker for source, taker in gifts(world) if source == bank}
        assert len(payers) >= 4
        assert len(payers & helped) > 0.4 * len(payers | helped)


def test_a_merchant_buys_from_many_and_sells_to_many_with_a_spread() -> None:
    world, cast = honest(merchants)
    spreads = []
    for merchant in of_kind(cast, "merchant"):
        bought, sold, customers = list[float](), list[float](), set[int]()
        for act in trades(world.acts):
            found = sale(act)
            if found and merchant in players_of(act):
                seller, buyer, level = found
                (sold if seller.player == merchant else bought).append(level)
                customers.update((seller.player, buyer.player))
        if min(len(bought), len(sold)) >= 10:
            assert len(customers) >= 5
            spreads.append(statistics.median(sold) - statistics.median(bought))
    assert len(spreads) >= 5
    assert statistics.median(spreads) > 0.04


def test_collectors_buy_one_thing_and_hoarders_many_and_neither_sells() -> None:
    world, cast = honest(keepers)
    kinds = defaultdict[str, list[int]](list)
    for kind in ("collector", "hoarder"):
        for keeper in of_kind(cast, kind):
            sales = [found for act in trades(world.acts) if keeper in players_of(act) and (found := sale(act))]
            others = of_kind(cast, "collector") | of_kind(cast, "hoarder")
            assert all(seller.player != keeper or buyer.player in others for seller, buyer, _ in sales), (
                "sells to who is no keeper"
            )
            items = {seller.items[0][0] for seller, buyer, _ in sales if buyer.player == keeper}
            kinds[kind].append(len(items))
    assert set(kinds["collector"]) <= {0, 1}
    assert statistics.median(kinds["hoarder"]) > 1


def test_a_leaver_gives_all_to_an_old_friend_and_is_not_seen_again(usual: list[Plan]) -> None:
    for planned in usual:
        kinds = {kind: {each.player_id for each in planned.innocents if each.kind == kind} for kind in KINDS}
        everyone = trades(planned.acts)
        left = 0
        for leaver in kinds["leaver"]:
            own = [act for act in everyone if leaver in players_of(act)]
            friends = [player for player in players_of(own[-1]) if player != leaver]
            if friends[0] in kinds["old_friend"]:
                left += 1
                assert sum(friends[0] in players_of(act) for act in own) > 2
        assert left > 0.7 * len(kinds["leaver"])


def test_newcomers_do_quests_first_and_some_are_not_seen_after_a_few_days(usual: list[Plan]) -> None:
    came, last, firsts = dict[int, float](), dict[int, float](), dict[int, list[str]]()
    for act in usual[0].acts:
        for player in players_of(act):
            came.setdefault(player, act.at_s)
            last[player] = act.at_s
            firsts.setdefault(player, []).append(act.why if isinstance(act, Adjust) else type(act).__name__)
    assert sum("reward" in acts[1:4] for acts in firsts.values()) > 0.8 * len(firsts)
    early = [player for player, at_s in came.items() if at_s < DAY_S]
    gone = sum(last[player] < 20 * DAY_S for player in early)
    assert 0.1 < gone / len(early) < 0.45


def test_partners_in_a_craft_sell_to_each_other_what_they_use() -> None:
    world, cast = honest(regulars)
    partners = of_kind(cast, "craft_partners")
    pairs = Counter(
        (found[0].player, found[1].player)
        for act in trades(world.acts)
        if (found := sale(act)) and set(players_of(act)) <= partners
    )
    assert sum(pairs[pair[::-1]] > 0 for pair in pairs) > 0.7 * len(pairs) > 0
    assert any(isinstance(act, Adjust) and act.player in partners and act.reference == "workshop" for act in world.acts)


def test_a_fast_human_is_quick_but_sleeps_and_varies() -> None:
    world, cast = honest(regulars)
    for human in of_kind(cast, "fast_human"):
        person = world.people[human - 1]
        times = [act.at_s for act in world.acts if isinstance(act, Trade) and human in players_of(act)]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        within = [gap for gap in gaps if gap < 300]
        assert statistics.median(within) < 120
        assert statistics.stdev(within) / statistics.mean(within) > 0.25
        assert max(gaps) > 5 * HOUR_S
        assert sum(person.rhythm.is_awake(at_s) for at_s in times) > 0.6 * len(times)


def test_who_clicks_twice_gives_back_what_came_of_it() -> None:
    world, cast = honest(regulars)
    clickers = of_kind(cast, "double_click")
    own = [act for act in world.acts if isinstance(act, Trade) and set(players_of(act)) & clickers]
    again = [two for one, two in pairwise(own) if (one.one, one.two) == (two.one, two.two) and two.at_s - one.at_s < 3]
    assert again
    back = {(act.one[1:], act.two[1:]) for act in own}
    assert all((act.two[1:], act.one[1:]) in back for act in again if not act.reason)


# ---------------------------------------------------------------- flows


@pytest.mark.parametrize(
    ("make", "edges"),
    [
        (lambda a: flows.fan_out(a[0], a[1:3]), "01 02"),
        (lambda a: flows.fan_in(a[1:3], a[0]), "10 20"),
        (lambda a: flows.mutual(a[0], a[1]), "01 10"),
        (lambda a: flows.cycle(a[:3]), "01 12 20"),
        (lambda a: flows.bipartite(a[:2], a[2:4]), "02 03 12 13"),
        (lambda a: flows.stack(a[:1], a[1:3], a[3:4]), "01 02 13 23"),
        (lambda a: flows.scatter_gather(a[0], a[1:3], a[3]), "01 02 13 23"),
        (lambda a: flows.gather_scatter(a[:2], a[2], a[3:]), "02 12 23"),
    ],
)
def test_a_flow_has_the_edges_of_its_pattern(make: Callable[[list[Person]], flows.Layers], edges: str) -> None:
    people = draw_people(ECONOMY, Random(1), 4, 2)
    found = [f"{people.index(one)}{people.index(two)}" for layer in make(people) for one, two in layer]
    assert " ".join(found) == edges


def test_a_walk_goes_on_from_whoever_has_received() -> None:
    people = draw_people(ECONOMY, Random(1), 4, 2)
    edges = [edge for layer in flows.walk(Random(1), people, 20) for edge in layer]
    assert len(edges) == 20
    assert all(one is not two for one, two in edges)
    assert all(before[1] is after[0] for before, after in pairwise(edges))


# ---------------------------------------------------------------- the page


MODULES = [*CHEATS.values(), givers, guilds, keepers, leavers, merchants, newcomers, regulars]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_the_page_has_each_parameter_with_its_range(module: ModuleType) -> None:
    page = (ROOT / "docs/economy.md").read_text()
    path = module.__name__.replace(".", "/") + ".py"
    table = page.partition(f"| `{path}` | | |")[2].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", table, re.MULTILINE))
    parameters = {
        name: " – ".join(f"{each:,}" for each in (value if isinstance(value, tuple) else (value,)))
        for name, value in vars(module).items()
        if name.isupper() and name[0] != "_" and isinstance(value, int | float | tuple) and name not in vars(clock)
    }
    assert rows == parameters


# ---------------------------------------------------------------- the command


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--days", "3"], "--days goes with --behaviours"),
        (["--truth", "here"], "--truth goes with --behaviours"),
        (["--behaviours", "--rate", "5"], "--speed says how fast"),
    ],
)
def test_options_that_do_not_go_together_are_refused(words: list[str], sentence: str) -> None:
    class Nowhere:
        def settings(self) -> None:
            return None

    result = CliRunner().invoke(simulate_command, words, obj=Nowhere())
    assert result.exit_code == 2
    assert sentence in result.output


def test_an_order_without_behaviours_is_the_reference() -> None:
    assert Order().behaviours is None
    assert (Behaviours().days, Behaviours().prevalence, Behaviours().speed) == (28, 0.02, 0)
