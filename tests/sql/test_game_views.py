"""What the views of players, adjustments and the catalog show, on real Trino."""

from typing import Any

import pytest

from tests.sql.events import (
    Events,
    adjusted,
    adjustment_refused,
    at,
    created,
    forgotten,
    goods,
    published,
    renamed,
    state,
)

pytestmark = pytest.mark.stack


def rows(events: Events, view: str, columns: str = "*") -> list[list[Any]]:
    return events.run(f"select {columns} from lake.haggle.{view} order by 1, 2, 3")


def test_a_player_has_its_newest_name_until_it_is_forgotten(events: Events) -> None:
    events.insert(created(1, 1), renamed(1, 2, "second", state(2)), renamed(1, 3, "third", state(3)), created(2, 4))
    events.insert(created(1, 1, realm="other", player_class="banker"))
    assert rows(events, "players") == [
        ["other", 1, "u1", None, "banker", at(1), None],
        ["r", 1, "third", None, "farmer", at(1), None],
        ["r", 2, "u2", None, "farmer", at(4), None],
    ]
    events.insert(forgotten(1, 5, state(4)))
    assert rows(events, "players")[1] == ["r", 1, None, None, "farmer", at(1), at(5)]


def test_every_state_that_the_game_made_is_among_the_states(events: Events) -> None:
    events.insert(
        created(1, 1, {5: 10}),
        adjusted(1, 2, goods({1: 2}), goods(), state(2, {1: 2}, item_units=12)),
        renamed(1, 3, "second", state(3, item_units=12)),
        forgotten(1, 4, state(4, item_units=12)),
        adjustment_refused(1, 5, goods(), goods(None, 5)),
    )
    found = rows(events, "player_states", "version, sequence, username, player_class, item_units")
    assert found == [
        [1, 1, "u1", "farmer", 10],
        [2, 2, None, None, 12],
        [3, 3, "second", None, 12],
        [4, 4, None, None, 12],
    ]


def test_adjustments_show_what_was_given_and_taken_and_why_one_was_refused(events: Events) -> None:
    events.insert(
        adjusted(1, 2, goods({1: 2}), goods({5: 1, 6: 3}, 7), state(2)),
        adjustment_refused(1, 3, goods(), goods({8: 1}, 9)),
    )
    assert rows(events, "adjustments") == [
        ["r", 2, at(2), "a2", "accepted", None, 1, "craft", "a note", 0, 100, [(1, 2)], 7, 15, [(5, 1), (6, 3)]],
        ["r", 3, at(3), "a3", "rejected", "insufficient_gold", 1, "decay", None, 0, 0, [], 9, 5, [(8, 1)]],
    ]
    found = events.run(
        "select sequence, status, direction, adjustment_reason, item_id, quantity, value "
        "from lake.haggle.adjustment_lines order by 1, 3, 5"
    )
    assert found == [
        [2, "accepted", "given", "craft", 1, 2, 50],
        [2, "accepted", "taken", "craft", 5, 1, 6],
        [2, "accepted", "taken", "craft", 6, 3, 3],
        [3, "rejected", "taken", "decay", 8, 1, 5],
    ]


def test_items_and_classes_are_as_the_newest_catalog_that_has_them_says_and_values_since_when(events: Events) -> None:
    events.insert(published(1, 1, {5: 6, 6: 3}), published(2, 7, {5: 8}), published(1, 1, {5: 1}, realm="other"))
    assert rows(events, "items") == [
        ["other", 5, "item 5 v1", 1, 1, 1],
        ["r", 5, "item 5 v2", 1, 8, 2],
        ["r", 6, "item 6 v1", 1, 3, 1],
    ]
    assert rows(events, "item_values", "realm, catalog_version, item_id, value, sequence, since") == [
        ["other", 1, 5, 1, 1, at(1)],
        ["r", 1, 5, 6, 1, at(1)],
        ["r", 1, 6, 3, 1, at(1)],
        ["r", 2, 5, 8, 7, at(7)],
    ]
    assert rows(events, "classes") == [
        ["other", "farmer", 1, 10, [(5, 1)], 1],
        ["r", "farmer", 2, 10, [(5, 2)], 2],
    ]
