"""Golden answers of the figures and of the questions about trades, on real Trino over the real views.

Empty, refused, ties, several realms, one player in several states, and dead letters beside them.
"""

from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from app.contract.events import Side, SideAfter
from app.contract.reasons import OfferOutcome
from jobs.lake import cut
from jobs.lake.questions import stored_questions
from jobs.lake.trino import SQL
from tests.sql.events import (
    Events,
    accepted,
    adjusted,
    at,
    closed,
    created,
    forgotten,
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
FIGURES = sorted((SQL / "figures").glob("*.sql"))
FILES = [*sorted((SQL / "questions").glob("*.sql")), *FIGURES]


def giving(player: int, items: dict[int, int] | None = None, **more: Any) -> SideAfter:
    return settled(side(player, items), state(more.pop("version", 2), **more))


def wanting(player: int = 2) -> Side:
    return side(player)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_realm_without_events_has_no_rows_and_dead_letters_are_no_events(events: Events, path: Path) -> None:
    name = f"{path.parent.name}/{path.stem}"
    assert events.ask(name) == []
    events.insert_dead(b"not an event", None, b"{}")
    assert events.ask(name) == []


@pytest.mark.parametrize("figure", FIGURES, ids=lambda path: path.stem)
def test_a_figure_has_no_parameters_and_its_realm_first(events: Events, figure: Path) -> None:
    head = list(takewhile(lambda line: line.startswith("-- "), figure.read_text().splitlines()))
    assert head[-2] == "-- parameters: none"
    assert head[-1].startswith("-- order: realm")
    assert events.result(f"figures/{figure.stem}").columns[0] == "realm"


def test_trades_are_the_accepted_ones_of_each_realm_and_refused_ones_stand_beside_them(events: Events) -> None:
    events.insert(
        accepted(1, giving(1), giving(2)),
        rejected(2, side(1), side(2)),
        accepted(3, giving(1), giving(2), offer_id="o"),
        offered(4, "o", giving(1), wanting()),
        accepted(9, giving(1), giving(2), realm="other"),
    )
    events.insert_dead(b"half an event")
    assert events.ask("questions/q_trades") == [["other", 1, 0, at(9), at(9)], ["r", 2, 1, at(1), at(3)]]


def test_most_traded_counts_units_and_lines_of_accepted_trades_with_ties_in_each_realm(events: Events) -> None:
    events.insert(
        accepted(1, giving(1, {5: 10}), giving(2, {6: 1})),
        accepted(2, giving(1, {6: 9}), giving(2)),
        accepted(3, giving(2, {7: 1}), giving(1)),
        rejected(4, side(1, {8: 99}), side(2)),
        offered(5, "o", giving(1, {8: 99}), wanting()),
        accepted(1, giving(1, {9: 99}), giving(2), realm="other"),
        # the name that an item had last, though it is no more
        published(1, 6, {5: 6, 6: 3}),
        published(2, 7, {5: 6}),
    )
    assert events.ask("questions/q_most_traded_item") == [
        ["other", 9, None, 99, 1, 1, 1],
        ["r", 6, "item 6 v1", 10, 2, 1, 1],
        ["r", 5, "item 5 v2", 10, 1, 1, 2],
        ["r", 7, None, 1, 1, 3, 2],
    ]


@pytest.mark.parametrize(
    ("name", "measure"),
    [("q_most_diverse_inventory", "distinct_items"), ("q_most_valuable_inventory", "item_value")],
)
def test_the_extreme_inventory_is_over_all_states_of_a_realm_with_ties_in_the_order_they_were_reached(
    events: Events, name: str, measure: str
) -> None:
    def reaching(value: int) -> dict[str, Any]:
        return {"distinct_items": 1, "item_value": 1, measure: value}

    events.insert(
        created(1, 1, **reaching(2)),
        created(2, 2, player_class="banker", **reaching(5)),
        created(3, 3, **reaching(1)),
        # both sides count, a player's first time alone, and states of offers
        accepted(4, giving(2, version=2, **reaching(3)), giving(1, version=2, **reaching(5))),
        accepted(5, giving(2, version=3, **reaching(5)), giving(1, version=3, **reaching(4))),
        offered(6, "o", giving(3, version=2, **reaching(5)), wanting(1)),
        rejected(7, side(1), side(2)),
        renamed(2, 8, "second", state(2)),
        adjusted(1, 9, goods(), goods(), state(3, **reaching(4))),
        forgotten(3, 10, state(3)),
        created(1, 1, realm="other", **reaching(9)),
        accepted(2, giving(1, **reaching(7)), giving(4, version=2, **reaching(1)), realm="other"),
    )
    assert events.ask(f"questions/{name}") == [
        ["other", 1, "u1", "farmer", 9, 1, at(1)],
        ["r", 2, "second", "banker", 5, 1, at(2)],
        ["r", 1, "u1", "farmer", 5, 2, at(4)],
        ["r", 3, None, "farmer", 5, 2, at(6)],
    ]


def test_offers_are_counted_by_how_they_ended_and_the_accepted_share_is_of_those_that_ended(events: Events) -> None:
    made = [offered(number, f"o{number}", giving(1), wanting()) for number in range(1, 7)]
    ends = [OfferOutcome.DECLINED, OfferOutcome.CANCELLED, OfferOutcome.EXPIRED, OfferOutcome.EXPIRED]
    ended = [closed(number, f"o{number - 6}", end, giving(1), wanting()) for number, end in enumerate(ends, 8)]
    refused = [offer_refused(number, f"o{number}", side(1), side(1)) for number in (12, 13, 14)]
    gone = closed(18, "o17", OfferOutcome.ACCOUNT_CLOSED, giving(1), wanting())
    events.insert(
        *made,
        accepted(7, giving(1), giving(2), offer_id="o1"),
        *ended,
        *refused,
        offered(17, "o17", giving(1), wanting()),
        gone,
        # the acceptance of an offer that was refused leaves it open, and a trade of no offer is none
        rejected(15, side(1), side(2), offer_id="o6"),
        accepted(16, giving(1), giving(2)),
        offered(1, "o1", giving(1), wanting(), realm="other"),
    )
    assert events.ask("questions/q_offers") == [
        ["other", 1, 0, 0, 0, 0, 0, 0, 1, 0.0, None],
        # answered: o1 after 6 seconds, and o2, which was declined, as well
        ["r", 7, 1, 1, 1, 2, 1, 3, 1, 16.7, 6.0],
    ]


def test_figures_count_by_second_by_diversity_and_by_class_in_each_realm(events: Events) -> None:
    worth: dict[str, Any] = {"distinct_items": 4, "item_value": 10}
    events.insert(
        created(1, 1, distinct_items=2, item_value=20),
        created(2, 2, player_class="banker", distinct_items=4, item_value=5),
        accepted(3, giving(1, **worth), giving(3, **worth)),
        rejected(4, side(1), side(2)),
        created(3, 5, player_class="banker", distinct_items=1, item_value=5),
        created(1, 1, realm="other", distinct_items=1, item_value=1),
    )
    assert events.ask("figures/f01_trades_over_time") == [["r", "second", at(3), 1, 0], ["r", "second", at(4), 0, 1]]
    assert events.ask("figures/f03_diversity") == [["other", 1, 1], ["r", 4, 3]]
    assert events.ask("figures/f04_value_by_class") == [
        ["other", "farmer", 1],
        ["r", "farmer", 20],
        ["r", "banker", 10],
    ]


def test_the_strongest_pairs_are_thirty_of_each_realm_those_with_most_trades_and_then_most_value(
    events: Events,
) -> None:
    def pays(player: int, gold: int = 0) -> SideAfter:
        return settled(side(player, gold=gold), state(2))

    events.insert(
        *(accepted(player, pays(player, 1), pays(99)) for player in range(1, 32)),
        accepted(40, pays(99), pays(5, 1)),
        accepted(41, pays(8, 7), pays(9, 1)),
        accepted(1, pays(1, 1), pays(2), realm="other"),
    )
    rows = events.ask("figures/f05_strongest_pairs")
    assert rows[0] == ["other", 1, 2, 1, 1, False, 1]
    assert rows[1:4] == [["r", 5, 99, 2, 2, False, 32], ["r", 8, 9, 1, 8, True, 32], ["r", 1, 99, 1, 1, False, 32]]
    assert len(rows) == 1 + 30


def test_a_report_shows_the_rows_of_its_realm_in_their_order(events: Events) -> None:
    events.insert(
        accepted(1, giving(1, {5: 1}), giving(2, {6: 2})),
        accepted(1, giving(1, {7: 9}), giving(2), realm="another"),
    )
    (question,) = (each for each in stored_questions() if each.name == "q_most_traded_item")
    rows = events.run(cut.at(cut.Cut("r", 1), question.text))
    assert [[*row[:2], row[3]] for row in rows] == [["r", 6, 2], ["r", 5, 1]]
    assert events.run(cut.at(cut.Cut("nobody", 1), question.text)) == []


def test_views_show_what_an_event_says(events: Events) -> None:
    one, two = settled(side(1, {5: 2, 99: 1}, 9), state(2, {5: 1, 6: 0})), settled(side(2), state(3, gold=9))
    events.insert(
        created(1, 1, {5: 3, 6: 1}), accepted(2, one, two, offer_id="o"), rejected(3, side(2, {6: 1}), side(1))
    )
    events.insert_dead(b"\x00\xff", key=None)
    assert events.run("select * from lake.haggle.trades order by sequence") == [
        ["r", 2, at(2), "t2", "accepted", None, 1, 9, None, 2, 2, 0, 0, 0, "o"],
        ["r", 3, at(3), "t3", "rejected", "insufficient_gold", 2, 0, 3, 1, 1, 0, 0, 0, None],
    ]
    assert events.run("select * from lake.haggle.trade_lines order by sequence, side, item_id") == [
        ["r", 2, at(2), "t2", "accepted", 1, 1, 5, 2, 6],
        ["r", 2, at(2), "t2", "accepted", 1, 1, 99, 1, None],
        ["r", 3, at(3), "t3", "rejected", 1, 2, 6, 1, 3],
    ]
    assert plain(events.run("select * from lake.haggle.player_states order by player_id, version")) == [
        ["r", 1, 1, 1, at(1), "u1", "farmer", 0, 4, 2, 21, [(5, 3), (6, 1)]],
        ["r", 1, 2, 2, at(2), None, None, 0, 1, 1, 6, [(5, 1), (6, 0)]],
        ["r", 2, 3, 2, at(2), None, None, 9, 0, 0, 0, []],
    ]
    assert plain(events.run("select * from lake.haggle.offers")) == [
        ["r", 2, at(2), "o", "accepted", None, None, 1, 9, None, [(5, 2), (99, 1)], 2, 0, 0, []]
    ]
    assert [row[1:2] + row[4:7] for row in events.run("select * from lake.haggle.dead_letters")] == [
        [0, "invalid_json", None, b"\x00\xff"]
    ]


def plain(rows: list[list[Any]]) -> list[list[Any]]:
    """Rows of an array as tuples, in the order of their first field."""
    return [[sorted(map(tuple, value)) if isinstance(value, list) else value for value in row] for row in rows]
