"""The business questions: their headers, and their answers beside an independent second implementation.

The logs are small plans of the economy's behaviours, with what such a plan lacks beside it; DuckDB answers in-process.
"""

import csv
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner

from app.contract.events import Event, TradeAccepted, TradeRejected, decode_event
from app.contract.tables import EVENTS, VIEWS
from app.errors import HaggleError
from app.lag import Lag, StageLag
from app.settings import load_settings
from jobs.cli import questions as command
from jobs.cli.group import Elsewhere
from jobs.economy.behaviours.folder import write_plan
from jobs.economy.behaviours.plan import Setting
from jobs.economy.log import EVENTS_FILE
from jobs.lake import moment
from jobs.lake.aggregates import Aggregate, Kept, aggregates, form, parse_aggregate, parse_kept
from jobs.lake.components import TRADE_COMPONENTS, components_of, ddl, is_due
from jobs.lake.cut import Cut, at
from jobs.lake.local import LocalLake
from jobs.lake.questions import FAMILIES, StoredQuestion, parse_question, stored_questions
from jobs.lake.trino import SQL
from tests import questions
from tests.economy import ECONOMY
from tests.kafka import free_port

SEEDS: Final = (1, 2, 3)
EACH = pytest.mark.parametrize("question", stored_questions(), ids=lambda question: question.name)
NAMES: Final = {
    EVENTS.name, TRADE_COMPONENTS, *(view.name for view in VIEWS), *(aggregate.name for aggregate in aggregates())
}  # fmt: skip


# ---------------------------------------------------------------- headers


@EACH
def test_a_header_says_all_and_the_realm_comes_first(question: StoredQuestion) -> None:
    assert question.family in FAMILIES
    assert question.title.endswith("?")
    assert question.order.startswith("realm")
    assert question.columns[0].name == "realm"
    assert question.name.startswith("q_")


@EACH
def test_names_within_a_question_are_not_those_of_the_lake(question: StoredQuestion) -> None:
    """Asked of a moment, the views stand in the statement under their own names."""
    own = re.findall(r"^(?:with )?(\w+) as \($", question.sql, re.MULTILINE)
    assert NAMES.isdisjoint(own)
    assert ("with " in question.sql) == bool(own)


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        ("-- family: trades\n", ""),
        ("-- parameters: none\n", "-- parameters: the realm\n"),
        ("-- column day date:", "-- column day tuesday:"),
        ("-- order:", "-- ordered:"),
    ],
)
def test_a_header_that_lacks_something_is_refused(was: str, is_now: str) -> None:
    (text,) = (question.text for question in stored_questions() if question.name == "q_activity")
    assert was in text
    with pytest.raises((ValueError, KeyError, TypeError)):
        parse_question("q_activity", text.replace(was, is_now))


# ---------------------------------------------------------------- two implementations


class Played:
    """A log, decoded and in a lake, with the derived tables of all of it."""

    def __init__(self, path: Path) -> None:
        self.events = [decode_event(line) for line in path.read_bytes().splitlines()]
        self.lake = LocalLake()
        self.lake.run(ddl("duckdb"))
        self.lake.load(path)
        for row in components_of(pairs_of(self.events)):
            self.lake.run(f"insert into lake.haggle.{TRADE_COMPONENTS} values {row}")

    @property
    def realm(self) -> str:
        return self.events[0].realm


def pairs_of(events: Iterable[Event]) -> list[tuple[str, int, int, int]]:
    trades = [event for event in events if isinstance(event, TradeAccepted)]
    newest = trades[-1].sequence
    return [(trade.realm, trade.player_1.player_id, trade.player_2.player_id, newest) for trade in trades]


@pytest.fixture(scope="session", params=SEEDS)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("log")
    write_plan(ECONOMY, Setting(players=150, trades=2_500, days=20, seed=request.param), folder)
    return Played(folder / EVENTS_FILE)


@EACH
def test_sql_and_plain_python_answer_alike(played: Played, question: StoredQuestion) -> None:
    result = played.lake.run(question.text)
    assert result.columns == [column.name for column in question.columns]
    due = questions.answer(question.name, played.events)
    assert due
    assert_alike(result.rows, due)


@pytest.mark.parametrize(("days", "unit"), [(1 / 150, "second"), (1 / 4, "minute"), (9, "hour")])
def test_trades_over_time_are_counted_by_a_unit_that_leaves_few_hundred_rows(
    played: Played, days: float, unit: str
) -> None:
    trades = [event for event in played.events if isinstance(event, TradeAccepted | TradeRejected)]
    since = trades[0].occurred_at
    until = since + timedelta(days=days)
    cut = Cut(played.realm, played.events[-1].sequence, until)
    rows = played.lake.run(at(cut, (SQL / "figures" / "f01_trades_over_time.sql").read_text())).records()
    assert 0 < len(rows) <= 600
    assert sum(row["accepted"] + row["refused"] for row in rows) == sum(each.occurred_at <= until for each in trades)
    assert {row["unit"] for row in rows} == {unit}


def test_asked_of_a_moment_both_know_nothing_of_what_came_later(played: Played) -> None:
    """Half of the events, and of them those of half the time: what follows is not there, though the tables have it."""
    half = played.events[: len(played.events) // 2]
    until = half[len(half) // 2].occurred_at
    known = [event for event in half if event.occurred_at <= until]
    for question in stored_questions():
        rows = played.lake.run(at(Cut(played.realm, half[-1].sequence, until), question.text)).rows
        due = questions.answer(question.name, known)
        if question.name == "q_trade_graph":
            # maintenance has come further
            assert rows[0][-4:] == [None] * 4
            rows, due = [rows[0][:-4]], [due[0][:-4]]
        assert_alike(rows, due)


def test_families_asked_of_one_moment_add_up(played: Played) -> None:
    lake, cut = played.lake, Cut(played.realm, played.events[-1].sequence - 7)
    rows = {question.name: lake.run(at(cut, question.text)).records() for question in stored_questions()}
    assert_sums(rows)


# ---------------------------------------------------------------- what is kept


@pytest.fixture(scope="session")
def keeping(played: Played) -> Iterator[tuple[Played, list[date]]]:
    """The log, with aggregates kept in two steps: of its first days, and of some more."""
    first = played.events[0].occurred_at.date()
    steps = [first + timedelta(days=5), first + timedelta(days=12)]
    for aggregate in aggregates():
        played.lake.run(aggregate.ddl("duckdb"))
        for kept_until, until in ((None, steps[0]), (steps[0], steps[1])):
            keep(played.lake, aggregate, kept_until, until)
    yield played, steps
    for aggregate in aggregates():
        played.lake.run(f"drop table lake.haggle.{aggregate.kept}")


def keep(lake: LocalLake, aggregate: Aggregate, kept_until: date | None, until: date) -> None:
    """As maintenance does."""
    table = f"lake.haggle.{aggregate.kept}"
    names = ", ".join(column.name for column in aggregate.columns)
    more = "" if aggregate.is_by_day else f", date '{until}' as until"
    lake.run(
        f"create table lake.haggle.extended as select {names}{more} from ({aggregate.extended(kept_until, until)})"
    )
    if aggregate.is_by_day:
        month = "date_trunc('month', day)"
        lake.run(f"delete from {table} where {month} in (select {month} from lake.haggle.extended)")
    lake.run(f"insert into {table} select * from lake.haggle.extended")
    lake.run("drop table lake.haggle.extended")


@EACH
def test_of_what_is_kept_and_what_came_since_an_answer_is_that_of_all_events(
    keeping: tuple[Played, list[date]], question: StoredQuestion
) -> None:
    played, steps = keeping
    newest = played.events[-1].sequence
    due = played.lake.run(at(Cut(played.realm, newest), question.text)).rows
    for kept_until in steps:
        assert_alike(played.lake.run(at(Cut(played.realm, newest, kept_until=kept_until), question.text)).rows, due)
        assert_alike(played.lake.run(at(Cut("nobody", newest, kept_until=kept_until), question.text)).rows, [])


def test_days_that_are_kept_are_not_read_again(keeping: tuple[Played, list[date]]) -> None:
    """The events are gone, and what was kept of them is still known."""
    played, (_, kept_until) = keeping
    (due,) = (q for q in stored_questions() if q.name == "q_volume")
    cut = Cut(played.realm, played.events[-1].sequence, kept_until=kept_until)
    before = played.lake.run(at(cut, due.text)).rows
    played.lake.run("begin")
    played.lake.run(f"delete from lake.haggle.events where occurred_at < timestamp '{kept_until} 00:00:00 UTC'")
    assert played.lake.run(at(cut, due.text)).rows == before
    played.lake.run("rollback")


def test_what_happens_exactly_at_midnight_belongs_to_the_day_that_begins(keeping: tuple[Played, list[date]]) -> None:
    played, (_, kept_until) = keeping
    (volume,) = (q for q in stored_questions() if q.name == "q_volume")
    midnight = f"timestamp '{kept_until} 00:00:00 UTC'"
    cut = Cut(played.realm, played.events[-1].sequence)
    first = f"event_type = 'trade_accepted' and occurred_at >= {midnight}"
    played.lake.run("begin")
    played.lake.run(
        f"update lake.haggle.events set occurred_at = {midnight} "
        f"where sequence = (select min(sequence) from lake.haggle.events where {first})"
    )
    due = played.lake.run(at(cut, volume.text)).rows
    assert played.lake.run(at(replace(cut, kept_until=kept_until), volume.text)).rows == due
    played.lake.run("rollback")


def test_what_other_aggregates_have_kept_is_of_no_use() -> None:
    assert parse_kept(None) is None
    assert parse_kept("") is None
    assert parse_kept("2026-01-06 17 another-form") is None
    kept = Kept(date(2026, 1, 6), 17, form())
    assert parse_kept(kept.text) == kept


@pytest.mark.parametrize(
    ("was", "is_now"),
    [("-- grain: ", "-- grown: "), ("varchar, key:", "varchar:"), ("bigint, max:", "number, max:")],
)
def test_a_header_of_an_aggregate_that_lacks_something_is_refused(was: str, is_now: str) -> None:
    text = (SQL / "aggregates" / "pair_edges.sql").read_text()
    assert was in text
    with pytest.raises((ValueError, KeyError)):
        parse_aggregate("pair_edges", text.replace(was, is_now, 1))


Answers = Mapping[str, Sequence[Mapping[str, Any]]]


def assert_sums(rows: Answers) -> None:
    (trades,) = rows["q_trades"]
    (offers,) = rows["q_offers"]
    (graph,) = rows["q_trade_graph"]
    (everybody,) = (row for row in rows["q_wealth"] if row["player_class"] is None)
    refused = Counter[str]()
    for row in rows["q_refusals"]:
        refused[row["kind"]] += row["refused"]
    players = total(rows, "q_activity", "new_players")
    volume = total(rows, "q_volume", "gross_value")
    pairs = [row for row in rows["q_class_against_class"] if row["player_class"] <= row["partner_class"]]
    gold = [row for row in rows["q_faucets_and_sinks"] if row["item_id"] is None]

    assert trades["trades"] == total(rows, "q_activity", "trades") == total(rows, "q_volume", "trades")
    assert trades["trades"] == graph["trades"] == sum(row["trades"] for row in pairs)
    assert trades["refused"] == total(rows, "q_activity", "refused") == refused["trade"]
    assert offers["made"] == total(rows, "q_activity", "offers_made")
    assert offers["refused"] == refused["offer"]
    assert volume == total(rows, "q_class_against_class", "given_value")
    assert volume == total(rows, "q_class_against_class", "received_value")
    assert total(rows, "q_newcomers", "newcomers") == players == everybody["players"]
    assert total(rows, "q_newcomers", "trades") == 2 * trades["trades"]
    assert total(rows, "q_dormant_wealth", "players") == players
    assert total(rows, "q_dormant_wealth", "wealth") == everybody["wealth"]
    assert sum({row["cohort_week"]: row["players"] for row in rows["q_retention"]}.values()) <= players
    assert {row["residual"] for row in rows["q_faucets_and_sinks"]} == {0}
    assert sum(row["given"] - row["taken"] for row in gold) == gold[0]["held"] == rows["q_money_supply"][-1]["gold"]
    assert_items_add_up(rows)


def assert_items_add_up(rows: Answers) -> None:
    held = {row["item_id"]: row["held"] for row in rows["q_faucets_and_sinks"] if row["item_id"] is not None}
    assert {row["item_id"]: row["units_held"] for row in rows["q_item_velocity"]} == held
    traded = {row["item_id"]: row["units_traded"] for row in rows["q_item_velocity"] if row["units_traded"]}
    assert {row["item_id"]: row["units"] for row in rows["q_most_traded_item"]} == traded
    flows, given, net = Counter[Any](), Counter[Any](), Counter[Any]()
    for row in rows["q_item_flows"]:
        flows[row["item_id"]] += row["remaining"]
        given[row["item_id"]] += row["given"]
        net[row["item_id"]] += row["net_traded"]
    assert flows == held
    assert set(net.values()) == {0}
    made = Counter[Any]()
    for row in rows["q_faucets_and_sinks"]:
        made[row["item_id"]] += row["given"]
    assert given == {item: units for item, units in made.items() if item is not None}
    priced = Counter[Any](row["day"] for row in rows["q_price"] if not row["thin"])
    assert {row["day"]: row["items_priced"] for row in rows["q_price_index"]} == priced


def total(rows: Answers, question: str, column: str) -> int:
    return sum(row[column] for row in rows[question])


def assert_alike(rows: Sequence[Sequence[Any]], due: Sequence[Sequence[Any]]) -> None:
    assert len(rows) == len(due)
    for row, other in zip(rows, due, strict=True):
        assert len(row) == len(other)
        assert all(alike(*pair) for pair in zip(row, other, strict=True)), (row, other)


def alike(one: Any, other: Any) -> bool:
    """Whole numbers, texts and times are the same; sums of fractions depend on their order."""
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other) and isinstance(one, int) == isinstance(other, int)


# ---------------------------------------------------------------- components


def test_components_are_named_after_their_lowest_player_and_stay_within_their_realm() -> None:
    pairs = [("r", 5, 4, 9), ("r", 7, 8, 9), ("r", 4, 3, 9), ("r", 8, 5, 9), ("r", 1, 2, 9), ("s", 2, 3, 4)]
    found = [("r", 1, 1, 9), ("r", 2, 1, 9), *(("r", player, 3, 9) for player in (3, 4, 5, 7, 8))]
    assert list(components_of(pairs)) == [*found, ("s", 2, 2, 4), ("s", 3, 2, 4)]
    assert list(components_of([])) == []


@pytest.mark.parametrize(
    ("rows", "known", "age_s", "due"),
    [
        (10, 0, 9e9, True),
        (0, 0, 9e9, False),
        (109, 100, 60, False),
        (110, 100, 60, True),
        (101, 100, 90_000, True),
        (100, 100, 90_000, False),
        (3, 100, 90_000, True),
    ],
)
def test_derived_tables_are_made_anew_after_a_tenth_more_events_or_a_day(
    rows: int, known: int, age_s: float, *, due: bool
) -> None:
    assert is_due(rows, known, age_s) == due


# ---------------------------------------------------------------- the command


@pytest.fixture
def ask(played: Played, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setattr(command, "Lake", lambda *_: played.lake)
    monkeypatch.setattr(moment, "read_lag", lambda _: Lag([StageLag("outbox", 3, 0.1)], None))

    def run(*arguments: str) -> Any:
        settings = Elsewhere(load_settings({"REALM": played.realm}))
        return CliRunner().invoke(command.ask_command, arguments, obj=settings)

    return run


def test_a_question_is_printed_as_a_table_as_csv_and_as_json_with_its_moment(
    ask: Callable[..., Any], played: Played
) -> None:
    newest = played.events[-1].sequence
    said = f"As of event {newest:,} of realm {played.realm}"
    assert all(text in ask("q_trades").stdout for text in ("How many trades", said, "3 decided events had not landed"))
    printed = ask("q_price", "--format", "csv")
    rows = list(csv.DictReader(printed.stdout.splitlines()))
    assert said in printed.stderr
    due = questions.answer("q_price", played.events)
    assert [(row["item_id"], row["day"]) for row in rows] == [(str(row[1]), str(row[3])) for row in due]
    answer = json.loads(ask("q_trades", "--format", "json").stdout)
    assert (answer["sequence"], answer["waiting"], answer["realm"]) == (newest, 3, played.realm)
    assert answer["rows"][0]["trades"] == questions.answer("q_trades", played.events)[0][1]


def test_a_question_may_be_asked_of_a_moment_of_the_past(ask: Callable[..., Any], played: Played) -> None:
    day = played.events[0].occurred_at.date() + timedelta(days=4)
    answer = json.loads(ask("q_trades", "--at", f"{day}T12:00", "--format", "json").stdout)
    known = [event for event in played.events if event.occurred_at <= datetime.fromisoformat(f"{day}T12:00Z")]
    assert answer["rows"][0]["trades"] == questions.answer("q_trades", known)[0][1]
    assert (answer["sequence"], answer["at"]) == (known[-1].sequence, f"{day}T12:00:00+00:00")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["q_pric"], "there is no question 'q_pric': did you mean q_price or q_price_index"),
        (["refusal"], "did you mean q_refusals"),
        (["zzzz"], "there is no question 'zzzz': `haggle questions` lists all"),
        (["q_trades", "--at", "2026-13-01"], "'2026-13-01' is no moment: write it as 2026-11-01T12:00"),
        (["q_trades", "--at", "2001-01-01"], "has no event up to 2001-01-01 00:00:00 UTC: its first is of "),
        (["q_trades", "--realm", "nowhere"], "the lake holds no event of realm nowhere yet: play first"),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_sentence_and_nothing_is_printed(
    ask: Callable[..., Any], arguments: list[str], said: str
) -> None:
    done = ask(*arguments)
    assert isinstance(done.exception, HaggleError)
    assert said in str(done.exception)
    assert done.stdout == ""


def test_trino_that_is_away_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moment, "read_lag", lambda _: Lag([], None))
    settings = load_settings({"TRINO_URL": f"http://127.0.0.1:{free_port()}"})
    done = CliRunner().invoke(command.ask_command, ["q_trades"], obj=Elsewhere(settings))
    assert isinstance(done.exception, HaggleError)
    assert "does not answer" in str(done.exception)


def test_questions_are_listed_by_family() -> None:
    said = CliRunner().invoke(command.questions_command).stdout
    places = [said.index(f"\n {word}" if n else f" {word}") for n, word in enumerate(FAMILIES)]
    assert places == sorted(places)
    assert all(question.name in said for question in stored_questions())
