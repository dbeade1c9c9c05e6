"""The audit's own arithmetic, without servers: ranges, records of the topic, the book, losses, and the comparison."""

from typing import Any

import pytest

from app.contract.events import SCHEMA_VERSION
from app.settings import load_settings
from jobs.lake.audit import _named, _parts, _ranges
from jobs.lake.book import GOLD, Book, Change, InRedis, Player
from jobs.lake.compare import Comparison, tail_of
from jobs.lake.ledger import Loss
from jobs.lake.log import Log, Read

LOSS = Loss(10, 12, "a test")
ITEM, OTHER = 5, 6
VALUES = {ITEM: 6, OTHER: 3}


# ---------------------------------------------------------------- ranges and words


def test_parts_are_of_bounded_size_and_leave_losses_out() -> None:
    assert list(_parts(0, 2_500_000, [])) == [(0, 1_000_000), (1_000_000, 2_000_000), (2_000_000, 2_500_000)]
    assert list(_parts(0, 20, [Loss(1, 2, ""), LOSS, Loss(20, 30, "")])) == [(2, 9), (12, 19)]
    assert list(_parts(10, 12, [LOSS])) == []
    assert list(_parts(5, 5, [])) == []


def test_what_is_off_is_named_up_to_ten_with_how_many_there_are() -> None:
    assert _ranges([(1, 1), (3, 1_004)]) == "1, 3-1,004 (1,003)"
    assert _ranges([(n, n) for n in range(1, 24, 2)]).endswith("17, 19 and 2 more ranges (12)")
    assert _named([]) == ""
    assert _named(["a", "b"]) == "2: a; b"
    assert _named([str(n) for n in range(12)]) == "12: 0; 1; 2; 3; 4; 5; 6; 7; 8; 9 and 2 more"


# ---------------------------------------------------------------- Kafka


def event(sequence: int, realm: str = "main") -> bytes:
    head = f'{{"event_type":"trade_rejected","event_id":"{realm}:{sequence}","schema_version":{SCHEMA_VERSION},'
    side = '{"player_id":1,"gold":0,"item_value":0,"items":[]}'
    tail = f'"occurred_at":"2026-01-01T00:00:00.000000Z","trade_id":"t","reason":"empty_trade","player_1":{side},'
    return f'{head}"realm":"{realm}","sequence":{sequence},{tail}"player_2":{side}}}'.encode()


def read(*values: bytes, counted: int = 1_000, last: int = 0) -> Read:
    log = object.__new__(Log)
    log._settings = load_settings({})
    found = Read("topic-id", 3, 0, len(values), counted, last=last, last_counted=last)
    for offset, value in enumerate(values):
        log._see(found, offset, value)
    return found


def test_events_in_order_are_counted_and_what_is_none_beside_them() -> None:
    found = read(event(7), b"", event(8), b"{}", event(9, realm="other"), event(9), counted=4)
    assert (found.first, found.last, found.last_counted, found.events) == (7, 9, 8, 3)
    assert (found.records, found.others) == (5, 3)
    assert (found.gaps, found.again) == ([], [])


def test_gaps_and_events_that_come_again_are_found() -> None:
    found = read(event(1), event(2), event(5), event(5), event(2), event(6))
    assert found.gaps == [(3, 4)]
    assert found.again == [(5, 3), (2, 4)]
    assert found.last == 6


def test_reading_goes_on_after_what_was_read_before() -> None:
    assert read(event(8), last=7).gaps == []
    assert read(event(9), last=7).gaps == [(8, 8)]
    assert read(event(7), last=7).again == [(7, 0)]


def test_an_event_whose_beginning_is_right_and_whose_rest_is_none_is_seen_where_it_is_not_due() -> None:
    assert read(event(1), event(1)[:-20]).others == 1


# ---------------------------------------------------------------- the book


def player(version: int, sequence: int, gold: int, items: dict[int, int], **more: Any) -> Player:
    value = sum(VALUES[item] * units for item, units in items.items())
    return Player(version, sequence, gold, sum(items.values()), len(items), value, items, **more)


def states(player_id: int, before: Player, after: Player, *, first: int, states: int = 1) -> dict[str, Any]:
    names = ("gold", "item_units", "distinct_items", "item_value")
    return {
        "player_id": player_id, "first_version": before.version + 1, "first_sequence": first, "states": states,
        "follows": True, "version": after.version, "sequence": after.sequence,
        **{f"{name}_before": getattr(before, name) for name in names}, **{name: getattr(after, name) for name in names},
    }  # fmt: skip


def item(player_id: int, item_id: int, before: int, after: int) -> dict[str, Any]:
    return {
        "player_id": player_id, "item_id": item_id, "quantity_before": before, "quantity": after, "follows": True,
    }  # fmt: skip


def test_a_sound_part_leads_from_what_was_proved_to_what_is_held() -> None:
    before, after = player(1, 1, 100, {ITEM: 10}), player(2, 5, 93, {ITEM: 9, OTHER: 2})
    book = Book({1: before}, [], 4)
    book.follow(6, [states(1, before, after, first=5)], [item(1, ITEM, 10, 9), item(1, OTHER, 0, 2)], [(1, GOLD, 3)])
    assert book.broken == []
    assert book.players[1] == player(2, 5, 93, {ITEM: 9, OTHER: 2}, held={GOLD: 3})
    assert (book.changed, book.states, book.sequence) == ({1}, 1, 6)


@pytest.mark.parametrize("wrong", [{"gold": 99}, {"version": 0}, {"item_value": 1}])
def test_a_state_that_does_not_follow_from_what_was_proved_is_named(wrong: dict[str, int]) -> None:
    before, after = player(1, 1, 100, {ITEM: 10}), player(2, 5, 93, {ITEM: 10})
    book = Book({1: before}, [], 4)
    seen = player(1, 1, 100, {ITEM: 10})
    for name, value in wrong.items():
        setattr(seen, name, value)
    book.follow(6, [states(1, seen, after, first=5)], [], [])
    assert book.broken == [f"player 1 at version {seen.version + 1} (event 5)"]


def test_a_quantity_and_a_total_that_do_not_fit_are_named() -> None:
    before, after = player(1, 1, 100, {ITEM: 10}), player(2, 5, 93, {ITEM: 10})
    book = Book({1: before}, [], 4)
    book.follow(6, [states(1, before, after, first=5)], [item(1, ITEM, 9, 8)], [])
    assert book.broken == [
        "item 5 of player 1 at version 2 (event 5)",
        "the sum of its items of player 1 at version 2 (event 5)",
    ]


# ---------------------------------------------------------------- the comparison


def in_redis(version: int, owned: dict[int, int], held: dict[int, int] | None = None) -> InRedis:
    return InRedis("farmer", version, owned, held or {})


def test_a_player_that_changed_while_it_was_read_is_replayed_to_the_version_that_was_read() -> None:
    book = Book({1: player(2, 5, 93, {ITEM: 9})}, [], 6)
    tail = tail_of([(1, 3, GOLD, 7, 0), (1, 3, ITEM, -9, 0), (1, 4, GOLD, -50, 0), (2, 1, GOLD, 5, 2)])
    found = Comparison(book, tail, is_behind=False).compare(
        {1: in_redis(3, {GOLD: 100}), 2: in_redis(1, {GOLD: 5}, {GOLD: 2})}
    )
    assert (found.differences, found.held_differences, found.pending) == ([], [], 0)
    assert tail[1][0] == Change(3, GOLD, 7, 0)


def test_what_differs_is_named() -> None:
    book = Book({n: player(2, 5, 93, {ITEM: 9}) for n in (1, 2, 3, 4)}, [], 6)
    found = Comparison(book, {}, is_behind=False).compare({
        1: in_redis(2, {GOLD: 94, ITEM: 9, OTHER: 1}, {ITEM: 1}), 2: in_redis(3, {GOLD: 93, ITEM: 9}),
        3: in_redis(1, {GOLD: 93, ITEM: 9}), 5: in_redis(1, {}),
    })  # fmt: skip
    assert found.differences == [
        "player 1's gold: 94 in Redis, 93 by the events",
        "player 1's item 6: 1 in Redis, 0 by the events",
        "player 2 has version 3 in Redis, and 2 by the events",
        "player 3 has version 1 in Redis, and 2 by the events",
        "player 4 is not in Redis",
        "player 5 has version 1 in Redis, and 0 by the events",
    ]
    assert found.held_differences == ["player 1's item 5: 1 in Redis, 0 by the events"]


def test_changes_that_the_lake_does_not_show_yet_are_lag_and_no_difference() -> None:
    book = Book({1: player(2, 5, 93, {ITEM: 9})}, [], 6)
    found = Comparison(book, {}, is_behind=True).compare({1: in_redis(3, {GOLD: 1}), 2: in_redis(1, {})})
    assert (found.differences, found.pending) == ([], 2)


# ---------------------------------------------------------------- losses


def touched() -> Book:
    """Version 3 of player 1 was lost; version 4 lists item 5 alone."""
    before, last = player(2, 5, 93, {ITEM: 9, OTHER: 1}), player(4, 14, 90, {ITEM: 8, OTHER: 4})
    lost = player(3, 11, 95, {ITEM: 9, OTHER: 4})
    book = Book({1: before}, [LOSS], 9, VALUES)
    book.follow(20, [states(1, lost, last, first=14)], [item(1, ITEM, 9, 8)], [])
    return book


def test_a_state_after_a_loss_is_taken_whole_and_the_items_from_redis_if_they_add_up() -> None:
    book = touched()
    assert (book.broken, book.missing_versions, book.players[1].unproved) == ([], 1, True)
    tail = {1: [Change(5, GOLD, 1, 0), Change(5, OTHER, -4, 0)]}
    found = Comparison(book, tail, is_behind=False).compare({1: in_redis(5, {GOLD: 91, ITEM: 8}, {GOLD: 2})})
    assert (found.differences, found.adopted) == ([], 1)
    assert book.players[1] == player(4, 14, 90, {ITEM: 8, OTHER: 4}, held={GOLD: 2})


@pytest.mark.parametrize("owned", [{GOLD: 91, ITEM: 8, OTHER: 4}, {GOLD: 90, ITEM: 7, OTHER: 5}, {GOLD: 90, ITEM: 12}])
def test_after_a_loss_gold_and_totals_must_still_agree(owned: dict[int, int]) -> None:
    book = touched()
    found = Comparison(book, {}, is_behind=False).compare({1: in_redis(4, owned)})
    assert len(found.differences) == 1
    assert book.players[1].unproved


def test_a_loss_excuses_no_player_whose_states_it_does_not_lie_between() -> None:
    before, last = player(2, 13, 93, {ITEM: 9}), player(4, 14, 90, {ITEM: 9})
    book = Book({1: before}, [LOSS], 13)
    book.follow(20, [states(1, player(3, 0, 95, {ITEM: 9}), last, first=14)], [], [])
    assert book.broken == ["player 1 at version 4 (event 14)"]


def test_changes_after_a_loss_lead_back_to_what_the_player_had_before_them() -> None:
    book = Book({1: player(2, 5, 93, {ITEM: 9})}, [LOSS], 20, VALUES)
    tail = {1: [Change(4, GOLD, 1, 0), Change(4, OTHER, -4, 0)]}
    found = Comparison(book, tail, is_behind=False).compare({1: in_redis(4, {GOLD: 91, ITEM: 8})})
    assert (found.differences, found.lost_versions) == ([], 1)
    assert book.players[1] == player(3, 20, 90, {ITEM: 8, OTHER: 4})


def test_changes_that_do_not_go_on_where_the_book_ends_are_a_difference() -> None:
    book = Book({1: player(2, 5, 93, {ITEM: 9})}, [], 20)
    found = Comparison(book, {1: [Change(4, GOLD, 0, 0)]}, is_behind=False).compare(
        {1: in_redis(4, {GOLD: 93, ITEM: 9})}
    )
    assert found.differences == ["player 1: versions between 2 and 4 are missing"]


def test_players_whose_newest_events_are_lost_are_taken_from_redis() -> None:
    book = Book({1: player(2, 5, 93, {ITEM: 9}), 2: player(2, 15, 93, {ITEM: 9})}, [LOSS], 20, VALUES)
    owned = {GOLD: 50, OTHER: 2}
    found = Comparison(book, {}, is_behind=False).compare(
        {1: in_redis(4, owned), 2: in_redis(3, owned), 3: in_redis(1, owned)}
    )
    assert found.differences == ["player 2 has version 3 in Redis, and 2 by the events"]
    assert (found.adopted, found.lost_versions, found.created) == (2, 3, ["farmer"])
    assert book.players[1] == player(4, 20, 50, {OTHER: 2})
