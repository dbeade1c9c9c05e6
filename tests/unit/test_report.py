"""The words and pictures of the questions, without any rows and of what Trino may answer; the files of a report."""

import csv
import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from app import lag
from app.contract.economy import reference_economy
from app.contract.metrics import LAG_EVENTS, RELAY_SEQUENCE
from app.errors import HaggleError
from app.lag import Lag, StageLag
from app.settings import load_settings
from jobs.lake import moment
from jobs.lake.cut import Cut, at
from jobs.lake.moment import Moment, Past, await_landing, read_moment, waiting_events
from jobs.lake.trino import SQL, Lake, Result
from jobs.report.questions import QUESTIONS
from jobs.report.questions.question import ACCENT, INK, Question, by_day, some
from jobs.report.reference import NOTES, is_reference
from jobs.report.render import write_index, write_report
from tests.reports import ROWS, STORED, report_of

ECONOMY = reference_economy()
EACH = pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)


def test_every_question_of_the_report_and_every_figure_is_in_sql() -> None:
    assert {question.name for question in QUESTIONS} <= set(STORED)
    assert {each.figure for each in QUESTIONS if each.figure} == {path.stem for path in (SQL / "figures").glob("*.sql")}


@EACH
def test_a_question_has_words_and_a_picture_though_nothing_has_happened(question: Question) -> None:
    assert question.answer([]).startswith(("0", "none"))
    question.draw(Figure().subplots(), [])


@pytest.mark.parametrize("name", NOTES)
def test_a_note_on_the_reference_run_has_words_though_nothing_has_happened(name: str) -> None:
    assert NOTES[name]([])


def test_the_notes_on_the_reference_run_are_for_the_reference_economy_alone() -> None:
    items = [{"item_id": each.item_id, "name": each.name, "value": each.value} for each in ECONOMY.items.values()]
    assert is_reference(items)
    assert not is_reference(items[1:])
    assert not is_reference([{**items[0], "value": 51}, *items[1:]])
    assert not is_reference([])


def test_the_answers_are_said_in_words() -> None:
    said = {question.name: question.answer(ROWS[question.name]) for question in QUESTIONS}
    assert said["q_trades"] == "10,000 trades, and 12 refused"
    assert said["q_most_traded_item"].startswith("by units Milk (item 6) with 900; by trade lines ")
    assert said["q_most_diverse_inventory"] == "13 different items: <b>Zoë</b> (player 7, banker)"
    assert said["q_most_valuable_inventory"].startswith("80,000,000 gold: ")
    ended = "4 accepted, 2 declined, 1 cancelled, 1 expired, 0 account closed"
    assert said["q_offers"].startswith(f"9 made: {ended}, 1 still open; 50 % of those that ended")
    assert said["q_activity"] == "1 day; most trades on 2026-11-01, 7, by 4 players"
    assert said["q_volume"] == "200 gold of value, of which 75% only went back and forth within a day"
    assert said["q_price_index"] == "200.0 on 2026-11-02, where 2026-11-01 is 100"
    assert said["q_lorenz"] == "the poorer half has 25.0% of all wealth, the richest tenth 19.0%"
    assert said["q_class_against_class"] == "most often banker with hunter: 9 trades"
    assert some(list("abcdefg")) == "a, b, c, d, e and 2 more"


def test_a_report_is_html_json_and_csv_with_a_picture_of_each_question_and_names_that_do_no_harm(
    tmp_path: Path,
) -> None:
    html, data = write_report(report_of(ROWS), tmp_path)
    page = html.read_text()
    assert page.count("<svg") == len(QUESTIONS)
    assert "<b>Zo" not in page
    assert "As of event 1,234 of realm main, 2026-11-01 08:30:00 UTC; 5 decided events had not landed." in page
    assert "The last audit, 2026-11-01 08:00:00 UTC, found everything exact up to event 1,200." in page
    said = json.loads(data.read_text())
    assert [question["name"] for question in said["questions"]] == [question.name for question in QUESTIONS]
    assert (said["realm"], said["sequence"], said["as_of"]) == ("main", 1_234, "2026-11-01T08:30:00+00:00")
    assert (said["waiting"], said["audit"]["ok"], said["headlines"]["trades"]) == (5, True, 10_000)
    rows = list(csv.DictReader((tmp_path / "q_trades.csv").read_text().splitlines()))
    assert rows == [{"trades": "10000", "refused": "12"}]


def test_nothing_of_a_page_comes_from_elsewhere_and_its_figures_are_named_and_have_the_colours_of_the_page(
    tmp_path: Path,
) -> None:
    page = write_report(report_of(ROWS), tmp_path)[0].read_text()
    links = set(re.findall(r'(?:href|src)="([^"]*)"', page))
    assert all(link.startswith(("#", "data:")) or (tmp_path / link).exists() for link in links)
    assert "url(http" not in page
    for question in QUESTIONS:
        assert f'role="img" aria-labelledby="{question.name}-title {question.name}-desc"' in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    # text that can be read and searched, in no colour that the page does not choose
    assert ">trades per second</text>" in page
    figures = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert set(re.findall(r"#[0-9a-f]{6}\b", figures)) == set()


def test_what_there_is_nothing_to_draw_of_has_words_and_no_figure(tmp_path: Path) -> None:
    report = report_of(ROWS)
    report.answers[0] = replace(report.answers[0], drawn=[])
    page = write_report(report, tmp_path)[0].read_text()
    assert page.count("<svg") == len(QUESTIONS) - 1
    assert report.answers[0].text in page


@pytest.mark.parametrize(("days", "bars"), [(1, 2), (3, 6), (4, 0)])
def test_few_days_are_bars_that_name_them_and_many_are_a_line(days: int, bars: int) -> None:
    rows = [{"day": date(2026, 11, day + 1), "one": day, "two": 5} for day in range(days)]
    axes = Figure().subplots()
    by_day(axes, rows, {"one": INK, "two": ACCENT})
    assert (len(axes.patches), len(axes.lines)) == (bars, 0 if bars else 2)
    if bars:
        assert [label.get_text() for label in axes.get_xticklabels()] == [str(row["day"]) for row in rows]


def test_the_same_data_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_report(report_of(ROWS), tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(files) == len(QUESTIONS) + 2
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_numbers_stand_beside_those_of_the_report_before_and_an_index_leads_to_all(tmp_path: Path) -> None:
    more = {**ROWS, "q_trades": [{"trades": 10_500, "refused": 12}]}
    first, second = tmp_path / "2026-11-01T000000Z", tmp_path / "2026-11-02T000000Z"
    assert "since the last report" not in write_report(report_of(ROWS), first, tmp_path / "newest")[0].read_text()
    page = write_report(report_of(more), second, first)[0].read_text()
    assert "+500 since the last report" in page
    assert "as in the last report" in page
    write_index(tmp_path, [second, first])
    index = (tmp_path / "index.html").read_text()
    assert index.index("2026-11-02T000000Z/report.html") < index.index("2026-11-01T000000Z/report.html")
    assert 'points="0.0,19.0 100.0,1.0"' in index


@pytest.mark.parametrize(("waiting", "said"), [(None, "had not landed is not known."), (1, "; 1 decided event had")])
def test_a_moment_says_what_had_not_landed_or_that_nobody_knows(waiting: int | None, said: str) -> None:
    assert said in Moment(Cut("main", 1), datetime(2026, 11, 1, tzinfo=UTC), waiting).text


def test_a_moment_of_a_snapshot_says_when_it_was_known() -> None:
    known = Moment(Cut("main", 1, snapshot=7), datetime(2026, 11, 1, tzinfo=UTC), 5, datetime(2026, 11, 2, tzinfo=UTC))
    assert "as it was known at 2026-11-02 00:00:00 UTC" in known.text
    assert known.as_json()["known_at"] == "2026-11-02T00:00:00+00:00"
    assert "from lake.haggle.events for version as of 7\n" in at(known.cut, "select 1 from lake.haggle.trades")


def test_a_snapshot_that_is_not_left_is_said_with_what_there_is_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moment, "read_lag", lambda _: Lag([], None))
    with pytest.raises(HaggleError, match=r"no snapshot of 2001-01-01 00:00:00 UTC or before is left.*--at"):
        read_moment(Answering([]), load_settings({}), Past(known_at=datetime(2001, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("decided", "wait_s", "looks"), [(3, 60, 3), (None, 60, 1), (1, 60, 1), (9, 0, 1)], ids=["3", "unknown", "1", "0 s"]
)
def test_a_report_waits_for_what_was_decided_when_it_was_asked_for_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, decided: int | None, wait_s: float, looks: int
) -> None:
    monkeypatch.setattr(moment, "read_lag", lambda _: Lag([], None, decided))
    monkeypatch.setattr(moment, "_PAUSE_S", 0)
    lake = Answering([[[1]], [[2]], [[3]], [[4]]])
    await_landing(lake, load_settings({}), wait_s)
    assert lake.asked == looks


@pytest.mark.parametrize(("outbox", "decided"), [({"": 3}, None), ({"main": 3}, 103)], ids=["of another realm", "ours"])
def test_what_was_decided_is_what_the_relay_has_published_and_has_still_to_publish(
    monkeypatch: pytest.MonkeyPatch, outbox: dict[str, int], decided: int | None
) -> None:
    samples = {(LAG_EVENTS, "outbox", realm): float(events) for realm, events in outbox.items()}
    monkeypatch.setattr(lag, "_scrape", lambda *_: {**samples, (RELAY_SEQUENCE, "", ""): 100.0})
    assert lag.read_lag(load_settings({})).decided_sequence == decided


class Answering(Lake):
    """A lake that gives these rows, one after the other, and then none."""

    def __init__(self, rows: list[list[list[Any]]]) -> None:
        self._rows = rows
        self.asked = 0

    def run(self, sql: str, parameters: tuple[Any, ...] = ()) -> Result:  # noqa: ARG002 - it always answers the same
        self.asked += 1
        return Result([], self._rows.pop(0) if self._rows else [], 0.0)


def test_what_waits_is_the_sum_of_the_stages_and_unknown_if_one_is() -> None:
    stages = [StageLag("outbox", 2, 0.1), StageLag("kafka", 3, None)]
    assert waiting_events(Lag(stages, 9)) == 5
    assert waiting_events(Lag([*stages, StageLag("lake", None, None)], None)) is None
