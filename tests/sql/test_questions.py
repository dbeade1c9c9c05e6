"""Golden answers of every question and figure, on real Trino: empty, refused, ties, one player in several states."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from app.contract.tables import CATALOG, SCHEMA, TABLES
from jobs.embedded.stack import Stack
from jobs.lake import SQL, Lake, parameters_of

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


def trade(sequence: int, status: str = "accepted", realm: str = "r") -> str:
    reason = "null" if status == "accepted" else "'empty_trade'"
    at = AT.format(sequence % 10)
    return f"('{realm}', {sequence}, {at}, 't{sequence}', '{status}', {reason}, 1, 0, 0, 1, 2, 0, 0, 1)"


def line(sequence: int, side: int, item: int, units: int, status: str = "accepted", realm: str = "r") -> str:
    at = AT.format(sequence % 10)
    return f"('{realm}', {sequence}, {at}, 't{sequence}', '{status}', {side}, {side}, {item}, {units}, 1)"


def state(player: int, version: int, sequence: int, distinct: int, value: int, realm: str = "r") -> str:
    named = f"'u{player}', 'farmer'" if version == 1 else "null, null"
    at = AT.format(sequence % 10)
    return f"('{realm}', {player}, {version}, {sequence}, {at}, {named}, 0, 1, {distinct}, {value}, array[])"


@pytest.mark.parametrize("path", sorted((SQL / "questions").glob("*.sql")), ids=lambda path: path.stem)
def test_a_realm_without_events_has_no_answer_rows_but_zero_trades(tables: Tables, path: Any) -> None:
    expected = [[0, 0, None, None]] if path.stem == "q01_trades" else []
    assert tables.ask(f"questions/{path.stem}") == expected


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
    assert tables.ask("audit/lines_and_states") == [[2, 2, 2, 4, 4, 4, 4]]
    tables.insert("trade_lines", line(3, 1, 5, 1))
    tables.insert("trades", trade(3), trade(5))
    assert tables.ask("audit/sequences") == [[5, 4, 1, 5]]
    assert tables.ask("audit/lines_and_states")[0][:3] == [3, 2, 6]
