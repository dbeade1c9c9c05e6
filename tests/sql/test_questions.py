"""Golden answers of every question and figure, on real Trino: empty, refused, ties, one player in several states."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from app.contract.tables import CATALOG, SCHEMA, TABLES
from jobs.embedded.stack import Stack
from jobs.lake.trino import SQL, Lake, parameters_of

pytestmark = pytest.mark.stack
AT = "timestamp '2026-01-01 00:00:0{} UTC'"


class Tables:
    """The tables of the contract in a schema of their own, made by sql/ddl/."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._schema = f"{CATALOG}.golden_{uuid.uuid4().hex[:12]}"
        lake.run(f"create schema {self._schema}")
        for table in TABLES:
            lake.run(self._here((SQL / "ddl" / f"{table.name}.sql").read_text()))

    def _here(self, sql: str) -> str:
        return sql.replace(f"{CATALOG}.{SCHEMA}.", f"{self._schema}.")

    def insert(self, table: str, *rows: str) -> None:
        self._lake.run(f"insert into {self._schema}.{table} values {', '.join(rows)}")

    def ask(self, name: str, realm: str = "r") -> list[list[Any]]:
        return self._lake.run(self._here((SQL / f"{name}.sql").read_text()), parameters_of(name, realm)).rows

    def drop(self) -> None:
        self._lake.run(f"drop schema {self._schema} cascade")


@pytest.fixture
def tables(stack: Stack) -> Iterator[Tables]:
    made = Tables(Lake(stack.settings()))
    yield made
    made.drop()


def trade(sequence: int, status: str = "accepted", realm: str = "r", offer_id: str = "") -> str:
    reason = "null" if status == "accepted" else "'empty_trade'"
    at = AT.format(sequence % 10)
    offer = f"'{offer_id}'" if offer_id else "null"
    return f"('{realm}', {sequence}, {at}, 't{sequence}', '{status}', {reason}, 1, 0, 0, 1, 2, 0, 0, 1, {offer})"


def line(sequence: int, side: int, item: int, units: int, status: str = "accepted", realm: str = "r") -> str:
    at = AT.format(sequence % 10)
    return f"('{realm}', {sequence}, {at}, 't{sequence}', '{status}', {side}, {side}, {item}, {units}, 1)"


def offer(
    sequence: int, offer_id: str, status: str, items: str = "", *, player: int = 1, gold: int = 0, realm: str = "r"
) -> str:
    at = AT.format(sequence % 10)
    reason = "'same_player'" if status == "rejected" else "null"
    sides = f"{player}, {gold}, 0, array[{items}], 2, 0, 0, array[]"
    return f"('{realm}', {sequence}, {at}, '{offer_id}', '{status}', {reason}, {at}, {sides})"


def state(player: int, version: int, sequence: int, distinct: int, value: int, realm: str = "r") -> str:
    named = f"'u{player}', 'farmer'" if version == 1 else "null, null"
    at = AT.format(sequence % 10)
    return f"('{realm}', {player}, {version}, {sequence}, {at}, {named}, 0, 1, {distinct}, {value}, array[])"


@pytest.mark.parametrize("path", sorted((SQL / "questions").glob("*.sql")), ids=lambda path: path.stem)
def test_a_realm_without_events_has_no_answer_rows_but_zero_trades_and_offers(tables: Tables, path: Any) -> None:
    counts = {"q01_trades": [[0, 0, None, None]], "q05_offers": [[0] * 8]}
    assert tables.ask(f"questions/{path.stem}") == counts.get(path.stem, [])


def test_trades_are_the_accepted_ones_and_refused_ones_stand_beside_them(tables: Tables) -> None:
    tables.insert("trades", trade(1), trade(2, "rejected"), trade(3), trade(4, realm="other"))
    assert tables.ask("questions/q01_trades")[0][:2] == [2, 1]


def test_most_traded_counts_units_and_lines_of_accepted_trades_with_ties(tables: Tables) -> None:
    rows = [line(1, 1, 5, 10), line(1, 2, 6, 1), line(2, 1, 6, 9), line(3, 1, 7, 1)]
    tables.insert("trade_lines", *rows, line(4, 1, 8, 99, "rejected"), line(5, 1, 9, 99, realm="other"))
    assert tables.ask("questions/q02_most_traded_item") == [[6, 10, 2, 1, 1], [5, 10, 1, 1, 2], [7, 1, 1, 3, 2]]


@pytest.mark.parametrize("name", ["q03_most_diverse_inventory", "q04_most_valuable_inventory"])
def test_the_extreme_inventory_is_over_all_states_with_ties_in_the_order_they_were_reached(
    tables: Tables, name: str
) -> None:
    rows = [state(1, 1, 1, 2, 2), state(2, 1, 2, 5, 5), state(3, 1, 3, 1, 1)]
    rows += [state(1, 2, 4, 5, 5), state(2, 2, 4, 3, 3), state(2, 3, 5, 5, 5), state(4, 1, 6, 9, 9, "other")]
    tables.insert("player_states", *rows)
    found = tables.ask(f"questions/{name}")
    assert [row[:5] for row in found] == [[2, "u2", "farmer", 5, 1], [1, "u1", "farmer", 5, 2]]


def test_offers_are_counted_by_how_they_ended_and_the_accepted_share_is_of_those_that_ended(tables: Tables) -> None:
    made = [offer(number, f"o{number}", "made") for number in range(1, 7)]
    ended = [offer(7, "o1", "accepted"), offer(8, "o2", "declined"), offer(9, "o3", "cancelled")]
    ended += [offer(10, "o4", "expired"), offer(11, "o5", "expired")]
    refused = [offer(12, "o7", "rejected"), offer(13, "o8", "rejected"), offer(14, "o9", "rejected")]
    tables.insert("offers", *made, *ended, *refused, offer(15, "o10", "made", realm="other"))
    assert tables.ask("questions/q05_offers") == [[6, 1, 1, 1, 2, 3, 1, 20.0]]


def test_only_offers_whose_newest_status_is_made_hold_anything(tables: Tables) -> None:
    rows = [offer(1, "o1", "made", "row(5, 2), row(6, 1)", gold=3), offer(2, "o2", "made", "row(5, 1)", gold=4)]
    rows += [offer(3, "o3", "made", gold=9), offer(4, "o3", "accepted", gold=9)]
    rows += [offer(5, "o4", "made", "row(7, 1)"), offer(6, "o4", "expired", "row(7, 1)")]
    rows += [offer(7, "again", "made", gold=1, player=3), offer(8, "again", "declined", gold=1, player=3)]
    rows += [offer(9, "again", "made", gold=5, player=3), offer(10, "o5", "rejected", gold=9)]
    tables.insert("offers", *rows, offer(11, "o6", "made", gold=9, realm="other"), offer(12, "o2", "rejected", gold=9))
    assert tables.ask("audit/holds") == [[1, 0, 7], [1, 5, 3], [1, 6, 1], [3, 0, 5]]


def test_figures_count_by_second_by_diversity_and_by_class(tables: Tables) -> None:
    tables.insert("trades", trade(1), trade(2), trade(2, "rejected"))
    tables.insert("player_states", state(1, 1, 1, 2, 20), state(1, 2, 2, 4, 10), state(2, 1, 3, 4, 5))
    assert [row[1:] for row in tables.ask("figures/f01_trades_over_time")] == [[1, 0], [1, 1]]
    assert tables.ask("figures/f03_diversity") == [[4, 2]]
    assert tables.ask("figures/f04_value_by_class") == [["farmer", 20]]


def test_the_audit_sees_rows_that_are_missing_and_rows_that_are_there_twice(tables: Tables) -> None:
    tables.insert(
        "player_states", state(1, 1, 1, 1, 1), state(2, 1, 2, 1, 1), state(1, 2, 3, 1, 1), state(2, 2, 3, 1, 1)
    )
    tables.insert("trades", trade(3))
    tables.insert("trade_lines", line(3, 1, 5, 1), line(3, 2, 6, 1))
    assert tables.ask("audit/sequences") == [[3, 3, 1, 3]]
    assert tables.ask("audit/lines_and_states") == [[2, 2, 2, 4, 4, 4, 0, 0, 0, 4]]
    tables.insert("trade_lines", line(3, 1, 5, 1))
    tables.insert("trades", trade(3), trade(5))
    assert tables.ask("audit/sequences") == [[5, 4, 1, 5]]
    assert tables.ask("audit/lines_and_states")[0][:3] == [3, 2, 6]


def test_the_audit_counts_an_accepted_offer_as_its_trade_and_the_others_as_events_with_a_state(tables: Tables) -> None:
    tables.insert("player_states", state(1, 1, 1, 1, 1), state(2, 1, 2, 1, 1), state(1, 2, 3, 1, 1))
    tables.insert("offers", offer(3, "o1", "made"), offer(4, "o2", "rejected"))
    assert tables.ask("audit/sequences") == [[4, 4, 1, 4]]
    assert tables.ask("audit/lines_and_states")[0][3:] == [3, 3, 3, 0, 0, 0, 3]
    tables.insert("trades", trade(5, offer_id="o1"), trade(6, "rejected", offer_id="o3"))
    assert tables.ask("audit/sequences") == [[6, 6, 1, 6]]
    assert tables.ask("audit/lines_and_states")[0][6:] == [0, 0, 1, 5]
    tables.insert("offers", offer(5, "o1", "accepted"), offer(5, "o1", "accepted"), offer(7, "o3", "declined"))
    assert tables.ask("audit/sequences") == [[7, 7, 1, 7]]
    assert tables.ask("audit/lines_and_states")[0][6:] == [2, 1, 1, 6]
