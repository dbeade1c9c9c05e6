"""The words and pictures of the questions, without any rows and of what Trino may answer; the files of a report."""

import csv
import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from matplotlib.colors import to_hex
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
from jobs.report.suspects import MEASURED, Suspects, read_suspects
from tests.reports import CASE, DRAWN, ROWS, SEARCH, STORED, report_of

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
    dear, cheap = "Milk (item 6) at 1.00 times its value", "Food Package (item 5) at 0.40 times its value"
    assert said["q_price"] == f"dearest {dear}, cheapest {cheap}"
    flows = "given 900 gold and 77 units of items, taken back 40 and 30"
    assert said["q_faucets_and_sinks"] == f"{flows}; players hold exactly the rest"
    assert said["q_trade_graph"] == (
        "5 players in 3 pairs, each with 1.2 partners in the mean; 33% of the pairs traded more than once, and in 67% "
        "value went both ways; 60% of the players are connected with each other"
    )
    assert said["q_lorenz"] == "the poorer half has 25.0% of all wealth, the richest tenth 19.0%"
    assert said["q_class_against_class"] == "most often banker with hunter: 9 trades"
    assert said["q_item_flows"] == (
        "the greatest flow is that of Food Package (item 5): farmer players gave 40 more than they got, and banker "
        "players got 30 more than they gave"
    )
    assert some(list("abcdefg")) == "a, b, c, d, e and 2 more"


def test_an_answer_says_what_it_does_not_know() -> None:
    said = {question.name: question.answer for question in QUESTIONS}
    milk = [row for row in ROWS["q_price"] if row["item_id"] == 6]
    assert said["q_price"](milk) == "Milk (item 6) at 1.00 times its value"
    assert said["q_price"](ROWS["q_price"][-2:]) == "none: no item that has a value had five sales on a day"
    graph = {**ROWS["q_trade_graph"][0], "largest_component_share": None}
    assert said["q_trade_graph"]([graph]).endswith("value went both ways")
    lost = [{**row, "residual": 1} for row in ROWS["q_faucets_and_sinks"]]
    assert said["q_faucets_and_sinks"](lost).endswith("of 3 things players hold ANOTHER amount")


def test_the_network_has_a_line_for_each_pair_whose_colour_says_whether_value_went_both_ways() -> None:
    (question,) = (each for each in QUESTIONS if each.name == "q_trade_graph")
    axes = Figure().subplots()
    question.draw(axes, DRAWN["f05_strongest_pairs"])
    assert [to_hex(patch.get_edgecolor()) for patch in axes.patches] == [ACCENT, INK]
    assert {text.get_text() for text in axes.texts} == {"1", "2", "7"}
    assert axes.get_xlabel().startswith("players by id; the 2 of 3 pairs with most trades")


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


def test_suspects_stand_with_their_evidence_and_what_was_decided_and_that_a_suspicion_is_no_proof(
    tmp_path: Path,
) -> None:
    html, data = write_report(report_of(ROWS), tmp_path)
    page = html.read_text()
    section = page[page.index('<section id="suspects">') : page.index('<section id="q_trades">')]
    assert (
        "2 players are suspected; 1 of 2 still to be decided; last looked 2026-11-02 06:00 UTC, up to event 1,200"
        in section
    )
    assert section.index("Player 7: wash trading, 0.97") < section.index("Player 9: botting, 0.60")
    assert "&lt;b&gt;9 lots&lt;/b&gt; came straight back" in section
    trades = "6 trades: 1,003, 1,005, 1,007, 1,009, 1,011 and 1 more"
    assert f"Since 2026-11-01 08:00 UTC; {trades}; not decided yet." in section
    assert "1 trade: 4; dismissed by ann: asleep at night." in section
    assert "A suspicion is no proof" in section
    assert "where s.realm = &#39;main&#39;" in section
    first, second = csv.DictReader((tmp_path / "suspects.csv").read_text().splitlines())
    assert (first["player_id"], first["trades"], first["verdict"]) == ("7", "6", "")
    assert first["trade_sequences"] == "1003 1005 1007 1009 1011 1013"
    assert (first["since"], second["reason"]) == ("2026-11-01 08:00:00+00:00", "asleep at night")
    said = json.loads(data.read_text())["suspects"]
    assert [case["player_id"] for case in said["cases"]] == [7, 9]
    assert (said["cases"][0]["trades"], said["search"]["sequence"]) == (CASE.trades, 1_200)


def test_the_gravest_suspicions_stand_openly_and_the_page_is_bounded(tmp_path: Path) -> None:
    many = Suspects([CASE._replace(player_id=number) for number in range(1, 61)], search=SEARCH)
    page = write_report(report_of(ROWS, suspects=many), tmp_path)[0].read_text()
    assert "<summary>55 more, up to 50 shown</summary>" in page
    assert page.index("Player 5: ") < page.index("55 more") < page.index("Player 6: ") < page.index("Player 50: ")
    assert "Player 51: " not in page
    assert len((tmp_path / "suspects.csv").read_text().splitlines()) == 61


@pytest.mark.parametrize(
    ("suspects", "said", "is_known"),
    [
        (Suspects(), "nobody has looked yet", True),
        (Suspects(search=SEARCH), "nobody is suspected; last looked 2026-11-02 06:00 UTC, up to event 1,200", True),
        (Suspects(unknown="the catalog does not serve"), "not known: the catalog does not serve", False),
    ],
)
def test_that_nobody_is_suspected_or_looked_or_that_it_is_not_known_is_said_plainly(
    tmp_path: Path, suspects: Suspects, said: str, is_known: bool
) -> None:
    html, data = write_report(report_of(ROWS, suspects=suspects), tmp_path)
    assert f'<p class="answer">{said}</p>' in html.read_text()
    assert json.loads(data.read_text())["suspects"]["cases"] == ([] if is_known else None)


def test_what_the_page_says_of_how_well_suspects_are_found_is_what_was_measured() -> None:
    measured = (Path(__file__).parents[2] / "docs/economy.md").read_text()
    shares = re.findall(r"\*\*(\S+) of the players are to be found\*\*", measured)
    rows = re.findall(r"\| all \|(?:[^|]+\|){4} (\d\.\d+)[^|]+\| (\d\.\d+)", measured)
    found = [(share, *(f"{float(part):.0%}" for part in row)) for share, row in zip(shares, rows, strict=True)]
    assert found == list(MEASURED)


def test_a_report_is_made_though_the_desk_cannot_be_reached_and_one_of_the_past_does_not_ask_it() -> None:
    settings = load_settings({"CATALOG_URL": "postgresql://haggle@127.0.0.1:1/catalog"})
    assert "the catalog's PostgreSQL at 127.0.0.1 does not serve" in read_suspects(settings).text
    past = read_suspects(settings, Past(occurred_by=datetime(2026, 11, 1, tzinfo=UTC)))
    assert past.text == "not known: this is a report of the past, and only today's suspects are kept"


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
    assert len(files) == len(QUESTIONS) + 3
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
