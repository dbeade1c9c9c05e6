"""The reviewers' desk in the catalog's PostgreSQL, and what Trino shows of it to who asks."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from app.errors import HaggleError
from app.settings import Settings
from jobs.economy.desk import Decision, Desk, Review, open_desk
from jobs.economy.log import Cheat
from jobs.economy.suspect import Suspect
from jobs.lake.cut import Cut
from jobs.lake.trino import Lake
from jobs.local.stack import Stack
from jobs.report.suspects import read_suspects, sql_of

pytestmark = pytest.mark.stack

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def settings(stack: Stack) -> Settings:
    """Those of a realm that nobody else has."""
    return replace(stack.settings(), realm=f"desk-{uuid.uuid4().hex[:8]}")


def last_sequence(desk: Desk) -> int:
    search = desk.last_search()
    assert search
    return search.sequence


def suspect(player_id: int, cheat: Cheat = Cheat.BOTTING, score: float = 0.7) -> Suspect:
    return Suspect(player_id=player_id, cheat=cheat, score=score, since=SINCE, why="even pauses", trades=[3, 5])


def test_suspects_are_kept_with_their_trades_and_sql_can_ask_for_them(settings: Settings) -> None:
    with open_desk(settings) as desk:
        assert desk.last_search() is None
        desk.put([suspect(1), suspect(2, Cheat.WASH_TRADING, 0.9)], Cut(settings.realm, 77))
        assert [(case.player_id, case.cheat, case.trades) for case in desk.cases()] == [
            (2, "wash_trading", [3, 5]),
            (1, "botting", [3, 5]),
        ]
        assert last_sequence(desk) == 77
    rows = Lake(settings).run(
        "select player_id, cheat, trades, sequence from ledger.haggle.suspects where realm = ? order by 1",
        (settings.realm,),
    )
    assert rows.rows == [[1, "botting", [3, 5], 77], [2, "wash_trading", [3, 5], 77]]


def test_a_report_shows_who_is_on_the_desk_and_trino_answers_the_sql_that_stands_beside_it(settings: Settings) -> None:
    assert read_suspects(settings).text == "nobody has looked yet"
    with open_desk(settings) as desk:
        desk.put([suspect(1)], Cut(settings.realm, 77))
        desk.review(1, Review(Cheat.BOTTING, Decision.DISMISSED, "ann", "asleep at night"))
    shown = read_suspects(settings)
    assert (shown.search and shown.search.sequence, [case.verdict for case in shown.cases]) == (77, ["dismissed"])
    (row,) = Lake(settings).run(sql_of(settings.realm)).records()
    assert (row["player_id"], row["trades"], row["reviewer"]) == (1, [3, 5], "ann")


def test_another_search_replaces_whom_nobody_has_decided_about_and_keeps_when_they_were_found(
    settings: Settings,
) -> None:
    with open_desk(settings) as desk:
        desk.put([suspect(1), suspect(2), suspect(3)], Cut(settings.realm, 10))
        found_at = {case.player_id: case.found_at for case in desk.cases()}
        desk.review(3, Review(Cheat.BOTTING, Decision.DISMISSED, "ann", "a shared account"))
        desk.put([suspect(1, score=0.8), suspect(4)], Cut(settings.realm, 20))
        cases = {case.player_id: case for case in desk.cases()}
        assert cases.keys() == {1, 3, 4}
        assert last_sequence(desk) == 20
        assert (cases[1].score, cases[1].found_at) == (0.8, found_at[1])
        assert (cases[3].verdict, cases[3].reviewer, cases[3].reason) == ("dismissed", "ann", "a shared account")


def test_a_search_of_the_newest_days_clears_nobody_of_what_is_older(settings: Settings) -> None:
    with open_desk(settings) as desk:
        newer = [structs.replace(suspect(player), since=SINCE + timedelta(days=9)) for player in (2, 3)]
        desk.put([suspect(1), *newer], Cut(settings.realm, 10))
        desk.put(newer[1:], Cut(settings.realm, 20, since=SINCE + timedelta(days=7)))
        assert [case.player_id for case in desk.cases()] == [1, 3]


def test_the_newest_decision_counts_and_none_is_lost(settings: Settings) -> None:
    with open_desk(settings) as desk:
        desk.put([suspect(1)], Cut(settings.realm, 10))
        desk.review(1, Review(Cheat.BOTTING, Decision.DISMISSED, "ann", "asleep at night"))
        desk.review(1, Review(Cheat.BOTTING, Decision.CONFIRMED, "bob", "saw the script"))
        (case,) = desk.cases()
        assert (case.verdict, case.reviewer) == ("confirmed", "bob")
    asked = "select verdict, reviewer, reason from ledger.haggle.suspect_reviews where realm = ? order by review_id"
    assert Lake(settings).run(asked, (settings.realm,)).rows == [
        ["dismissed", "ann", "asleep at night"],
        ["confirmed", "bob", "saw the script"],
    ]


def test_who_is_not_suspected_of_it_cannot_be_decided_about(settings: Settings) -> None:
    with open_desk(settings) as desk:
        desk.put([suspect(1)], Cut(settings.realm, 10))
        with pytest.raises(HaggleError, match="is suspected only of botting"):
            desk.review(1, Review(Cheat.DUPLICATION, Decision.CONFIRMED, "ann", "a feeling"))
        with pytest.raises(HaggleError, match="is suspected of nothing"):
            desk.review(2, Review(Cheat.BOTTING, Decision.CONFIRMED, "ann", "a feeling"))


@pytest.mark.parametrize(
    "sql",
    [
        "delete from ledger.haggle.suspect_reviews",
        "insert into ledger.haggle.audits (realm) values ('r')",
        "drop table ledger.haggle.suspects",
        "create table ledger.haggle.mine (a integer)",
        "call ledger.system.execute('delete from haggle.suspect_reviews')",
        "select * from table(ledger.system.query(query => 'select 1 as a'))",
    ],
)
def test_who_asks_trino_writes_nothing_and_sends_nothing_past_it(settings: Settings, sql: str) -> None:
    with open_desk(settings):
        pass
    with pytest.raises(HaggleError, match="Access Denied"):
        Lake(settings).run(sql)
