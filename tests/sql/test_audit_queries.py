"""What each query of the audit gives, on real Trino: sound histories, and ones with a fault."""

from typing import Any

import pytest

from app.contract.events import Event, SideAfter, State
from app.contract.reasons import DeadLetter, OfferOutcome
from tests.sql.events import (
    TOPIC_ID,
    Events,
    accepted,
    adjusted,
    adjustment_refused,
    at,
    closed,
    created,
    forgotten,
    goods,
    offered,
    published,
    renamed,
    settled,
    side,
    state,
)

pytestmark = pytest.mark.stack
ALL = ("r", 0, 1_000)


def gave(player: int, items: dict[int, int], gold: int, after: State) -> SideAfter:
    return settled(side(player, items, gold), after)


def history() -> list[Event]:
    """Two farmers (items of 6 and 3 gold), who trade 4 units of item 5 for 7 gold, and one for another."""
    holds = {5: 10, 6: 2}
    after = {"gold": 107, "item_units": 8, "distinct_items": 2, "item_value": 42}
    other = {"gold": 93, "item_units": 16, "distinct_items": 2, "item_value": 90}
    return [
        created(1, 1, holds, gold=100),
        created(2, 2, holds, gold=100),
        accepted(3, gave(1, {5: 4}, 0, state(2, {5: 6}, **after)), gave(2, {}, 7, state(2, {5: 14}, **other))),
        accepted(
            4,
            gave(1, {6: 2}, 0, state(3, {5: 7, 6: 0}, **{**after, "item_units": 7, "distinct_items": 1})),
            gave(2, {5: 1}, 0, state(3, {5: 13, 6: 4}, **{**other, "item_units": 17, "item_value": 90})),
        ),
    ]


def one_of(rows: list[dict[str, Any]], **keys: Any) -> dict[str, Any]:
    (found,) = [row for row in rows if keys.items() <= row.items()]
    return found


def test_states_of_a_sound_history_follow_and_say_where_they_begin_and_end(events: Events) -> None:
    events.insert(*history(), created(1, 1, realm="other"))
    rows = events.result("audit/states", *ALL * 3).records()
    assert [(row["player_id"], row["states"], row["follows"]) for row in rows] == [(1, 3, True), (2, 3, True)]
    first = one_of(rows, player_id=1)
    assert [first[name] for name in ("first_version", "first_sequence", "gold_before")] == [1, 1, 0]
    assert [first[name] for name in ("version", "sequence", "gold", "item_units")] == [3, 4, 107, 7]
    assert [first[f"{name}_before"] for name in ("item_units", "distinct_items", "item_value")] == [0, 0, 0]


def test_states_of_a_part_begin_with_what_was_held_before_it(events: Events) -> None:
    events.insert(*history())
    row = one_of(events.result("audit/states", *("r", 2, 3) * 3).records(), player_id=2)
    names = ("gold", "item_units", "distinct_items", "item_value")
    assert [row[f"{name}_before"] for name in names] == [100, 12, 2, 66]
    assert [row[name] for name in ("first_version", "version", "states", "follows")] == [2, 2, 1, True]


@pytest.mark.parametrize(
    "wrong",
    [{"gold": 108}, {"item_units": 9}, {"distinct_items": 3}, {"item_value": 41}],
)
def test_a_state_with_one_wrong_total_does_not_follow_and_is_named(events: Events, wrong: dict[str, int]) -> None:
    right = {"gold": 107, "item_units": 8, "distinct_items": 2, "item_value": 42}
    sound = history()
    sound[2] = accepted(
        3,
        gave(1, {5: 4}, 0, state(2, {5: 6}, **(right | wrong))),
        gave(2, {}, 7, state(2, {5: 14}, gold=93, item_units=16, distinct_items=2, item_value=90)),
    )
    events.insert(*sound)
    rows = events.result("audit/states", *ALL * 3).records()
    assert [row["follows"] for row in rows] == [False, True]
    named = events.ask("audit/broken_states", *ALL * 3, [1])
    # its own change does not lead to it, and nor does it lead to the next
    assert named == [[1, 2, 3], [1, 3, 4]]


@pytest.mark.parametrize("rows", [[0, 1, 3], [0, 1, 2, 2, 3]], ids=["missing", "twice"])
def test_a_state_that_is_missing_or_there_twice_does_not_follow(events: Events, rows: list[int]) -> None:
    sound = history()
    events.insert(*[sound[row] for row in rows])
    found = events.result("audit/states", *ALL * 3).records()
    assert [row["follows"] for row in found] == [False, False]
    assert {row[0] for row in events.ask("audit/broken_states", *ALL * 3, [1, 2])} == {1, 2}


def test_quantities_of_items_follow_and_one_that_does_not_is_named(events: Events) -> None:
    sound = history()
    events.insert(*sound)
    rows = events.ask("audit/items", *ALL * 3)
    assert rows == [[1, 5, 0, 7, True], [1, 6, 0, 0, True], [2, 5, 0, 13, True], [2, 6, 0, 4, True]]
    assert events.ask("audit/items", *("r", 3, 4) * 3)[0] == [1, 5, 6, 7, True]
    events.clear()
    totals = {"gold": 107, "item_units": 8, "distinct_items": 2, "item_value": 42}
    other = {"gold": 93, "item_units": 16, "distinct_items": 2, "item_value": 90}
    sound[2] = accepted(3, gave(1, {5: 4}, 0, state(2, {5: 5}, **totals)), gave(2, {}, 7, state(2, {5: 14}, **other)))
    events.insert(*sound)
    assert [row[4] for row in events.ask("audit/items", *ALL * 3)] == [False, True, True, True]
    assert events.ask("audit/broken_items", *ALL * 3, [1]) == [[1, 5, 2, 3], [1, 5, 3, 4]]


def test_offers_hold_what_they_give_until_they_end(events: Events) -> None:
    made = [offered(n, f"o{n}", gave(1, {5: n}, n, state(n)), side(2)) for n in (2, 3, 4)]
    events.insert(*made)
    assert events.ask("audit/holds", *ALL) == [[1, 0, 9], [1, 5, 9]]
    events.insert(
        closed(5, "o2", OfferOutcome.DECLINED, gave(1, {5: 2}, 2, state(5)), side(2)),
        accepted(6, gave(1, {5: 3}, 3, state(6)), gave(2, {}, 0, state(2)), offer_id="o3"),
    )
    assert events.ask("audit/holds", *ALL) == [[1, 0, 4], [1, 5, 4]]
    assert events.ask("audit/holds", "r", 4, 6) == [[1, 0, -5], [1, 5, -5]]


def test_changes_are_listed_one_by_one_and_an_accepted_offer_frees_what_it_held(events: Events) -> None:
    events.insert(
        created(1, 1, {5: 10}, gold=100),
        offered(2, "o", gave(1, {5: 3}, 1, state(2)), side(2)),
        accepted(3, gave(1, {5: 3}, 1, state(3)), gave(2, {6: 2}, 0, state(2)), offer_id="o"),
    )
    assert events.ask("audit/changes", *ALL * 4) == [
        [1, 1, 0, 100, 0],
        [1, 1, 5, 10, 0],
        [1, 2, 0, 0, 1],
        [1, 2, 5, 0, 3],
        [1, 3, 0, -1, -1],
        [1, 3, 5, -3, -3],
        [1, 3, 6, 2, 0],
        [2, 2, 0, 1, 0],
        [2, 2, 5, 3, 0],
        [2, 2, 6, -2, 0],
    ]


def test_the_supply_is_what_creations_and_adjustments_brought_less_what_was_taken(events: Events) -> None:
    events.insert(*history())
    assert events.ask("audit/supply", *ALL * 3) == [[0, 200], [5, 20], [6, 4]]
    assert events.ask("audit/supply", *("r", 1, 4) * 3) == [[0, 100], [5, 10], [6, 2]]
    events.insert(
        adjusted(1, 5, goods({1: 3}, 5), goods({5: 2}, 1), state(4)),
        adjustment_refused(1, 6, goods({1: 99}), goods(None, 99)),
        adjusted(2, 7, goods(), goods({6: 4}, 204), state(4)),
        adjusted(2, 1, goods({9: 9}), goods(), state(4), realm="other"),
    )
    assert events.ask("audit/supply", *ALL * 3) == [[1, 3], [5, 18]]


def game() -> list[Event]:
    """A farmer that is given and taken from, renamed and forgotten; of item 5 it starts with 10 units of 6 gold."""
    after = {"gold": 95, "item_units": 11, "distinct_items": 2, "item_value": 154}
    return [
        created(1, 1, {5: 10}, gold=100),
        adjusted(1, 2, goods({1: 2}), goods({5: 1}, 5), state(2, {1: 2, 5: 9}, **after)),
        renamed(1, 3, "another", state(3, None, **after)),
        adjusted(
            1,
            4,
            goods(None, 7),
            goods({5: 9}),
            state(4, {5: 0}, gold=102, item_units=2, distinct_items=1, item_value=100),
        ),
        forgotten(1, 5, state(5, gold=102, item_units=2, distinct_items=1, item_value=100)),
    ]


def test_states_that_the_game_made_follow_and_one_that_does_not_is_named(events: Events) -> None:
    events.insert(*game())
    (row,) = events.result("audit/states", *ALL * 3).records()
    assert [row[name] for name in ("states", "follows", "version", "gold", "item_value")] == [5, True, 5, 102, 100]
    assert events.ask("audit/broken_states", *ALL * 3, [1]) == []
    assert events.ask("audit/items", *ALL * 3) == [[1, 1, 0, 2, True], [1, 5, 0, 0, True]]
    assert events.ask("audit/broken_items", *ALL * 3, [1]) == []
    events.clear()
    wrong = game()
    wrong[3] = adjusted(1, 4, goods(None, 7), goods({5: 8}), wrong[3].state)  # type: ignore[union-attr]
    events.insert(*wrong)
    assert events.result("audit/states", *ALL * 3).records()[0]["follows"] is False
    assert events.ask("audit/broken_states", *ALL * 3, [1]) == [[1, 4, 4]]
    assert events.ask("audit/broken_items", *ALL * 3, [1]) == [[1, 5, 4, 4]]


def test_changes_by_the_game_are_listed_too(events: Events) -> None:
    events.insert(*game())
    assert events.ask("audit/changes", *("r", 1, 5) * 4) == [
        [1, 2, 0, -5, 0],
        [1, 2, 1, 2, 0],
        [1, 2, 5, -1, 0],
        [1, 3, 0, 0, 0],
        [1, 4, 0, 7, 0],
        [1, 4, 5, -9, 0],
        [1, 5, 0, 0, 0],
    ]


def test_the_catalogs_say_from_which_event_on_an_item_is_worth_what(events: Events) -> None:
    events.insert(published(1, 1, {5: 6, 6: 3}), published(2, 7, {5: 8}), published(1, 1, {5: 1}, realm="other"))
    assert events.ask("audit/catalogs", "r", 9) == [[1, 5, 6], [1, 6, 3], [7, 5, 8]]
    assert events.ask("audit/catalogs", "r", 6) == [[1, 5, 6], [1, 6, 3]]


def test_forgotten_players_are_listed_with_the_rows_that_still_name_them(events: Events) -> None:
    events.insert(*game(), created(2, 6), created(1, 1, realm="other"), forgotten(1, 2, state(2), realm="other"))
    events.insert(created(3, 7), forgotten(3, 8, state(2)), renamed(3, 9, None, state(3)))
    assert events.ask("audit/forgotten", "r") == [[1, at(5), 3, 2], [3, at(8), 9, 1]]
    (newest,) = events.run("select max(kafka_offset) from lake.haggle.events")[0]
    assert events.ask("audit/kept", TOPIC_ID, 0, newest, "r") == [[9]]
    assert events.ask("audit/kept", TOPIC_ID, 0, newest + 1, "r") == [[None]]
    assert len(events.run('select committed_at from lake.haggle."events$snapshots" order by committed_at')) >= 2


def test_sequences_gaps_and_duplicates(events: Events) -> None:
    events.insert(*[created(n, n) for n in (2, 3, 3, 6, 9, 12)], created(7, 7, realm="other"))
    assert events.ask("audit/sequences", "r", 0, 10) == [[5, 4]]
    assert events.ask("audit/gaps", 0, 11, "r", 0, 10) == [[1, 1], [4, 5], [7, 8], [10, 10]]
    assert events.ask("audit/gaps", 2, 4, "r", 2, 3) == []
    assert events.ask("audit/duplicates", "r", 0, 10) == [[3, 2]]
    assert events.ask("audit/totals", "r", 9) == [[5, 23]]
    assert events.ask("audit/newest", "r", 5) == [[12]]
    assert events.ask("audit/newest", "r", 12) == [[0]]


def test_records_are_those_of_the_realm_in_a_part_of_the_partition(events: Events) -> None:
    events.insert(created(1, 1), created(1, 1, realm="other"), created(2, 2))
    events.insert_dead(b"x", key=b"r")
    events.insert_dead(b"x", key=b"other")
    (first,), (last,) = (
        events.run(f"select {name}(kafka_offset) from lake.haggle.events")[0] for name in ("min", "max")
    )
    assert events.ask("audit/records", TOPIC_ID, 0, first, last, "r", "r") == [[3, 3, 1]]
    assert events.ask("audit/records", TOPIC_ID, 0, first, last - 2, "r", "r") == [[2, 2, 0]]
    assert events.ask("audit/records", "another", 0, first, last, "r", "r") == [[0, 0, 0]]
    assert events.ask("audit/landed", TOPIC_ID, 0, 0) == [[last]]
    assert events.ask("audit/landed", TOPIC_ID, 1, 0) == [[-1]]
    events.insert(created(3, 3), topic_id="before")
    assert events.ask("audit/former_topics", "r", TOPIC_ID) == [[3]]
    assert events.ask("audit/former_topics", "r", "before") == [[2]]


def test_dead_letters_are_counted_by_reason(events: Events) -> None:
    events.insert_dead(b"x", b"y")
    events.insert_dead(b"{}", reason=DeadLetter.DUPLICATE_SEQUENCE)
    assert events.ask("audit/dead_letters", "topic") == [["duplicate_sequence", 1, 1], ["invalid_json", 2, 2]]
