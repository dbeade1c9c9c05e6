"""The SQL of the detection means the same to Trino, which asks the lake, and to DuckDB, which asks a log."""

from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from app.contract.events import decode_event
from jobs.economy.detection import detect
from jobs.economy.log import GameLog, read_log
from jobs.lake.cut import Cut, at
from jobs.lake.local import LocalLake
from jobs.lake.trino import SQL, Result
from tests.game import DAY_S, GOLD, Game
from tests.sql.events import Events

pytestmark = pytest.mark.stack

NOON_S = 43_200
QUERIES = sorted(path.stem for path in (SQL / "detection").glob("*.sql"))


class Here:
    """The golden table, asked as the lake."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def run(self, sql: str) -> Result:
        return self._events.lake.run(self._events.here(sql))


def tell(folder: Path) -> GameLog:
    """A game with a little of everything that the queries look for."""
    game = Game()
    rich = {GOLD: 50_000, 1: 200, 15: 60}
    one, other, third, victim, thief, fence = game.players(6, rich)
    for n in range(5):
        game.trade(NOON_S + 0.25 * n, one, {1: 2}, other, {GOLD: 20})
    for turn in range(15):
        seller, buyer = ((one, other), (other, third), (third, one))[turn % 3]
        game.trade(NOON_S + 600 * (turn + 1), seller, {1: 4}, buyer, {GOLD: 400})
    game.trade(DAY_S + NOON_S, victim, {GOLD: 49_000, 15: 60}, thief)
    game.trade(DAY_S + NOON_S + 600, thief, {GOLD: 49_000, 15: 60}, fence)
    for turn in range(14):
        game.trade(NOON_S + 700 * turn, one, {15: 1}, third, {GOLD: 520})
        game.trade(2 * DAY_S + NOON_S + 700 * turn, third, {15: 1}, other, {GOLD: 900})
    for n in range(40):
        game.trade(3 * DAY_S + 300 * n, other, {GOLD: 51}, one, {1: 1})
    for n in range(22):
        game.offer(4 * DAY_S + 500 * n, 0.5 + n / 100, third, {GOLD: 50}, one, {1: 1})
    game.crowd(days=3, players=20)
    return read_log(game.write(folder))


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> GameLog:
    return tell(tmp_path_factory.mktemp("game"))


@pytest.fixture(scope="module")
def local(log: GameLog) -> LocalLake:
    lake = LocalLake()
    lake.load(log.events)
    return lake


@pytest.fixture(scope="module")
def landed(log: GameLog, golden: Events) -> Here:
    golden.clear()
    with log.events.open("rb") as file:
        while lines := list(islice(file, 150)):
            golden.insert(*(decode_event(line) for line in lines))
    return Here(golden)


def comparable(result: Result) -> list[list[Any]]:
    """Rows in which times are seconds, and what was reckoned is rounded."""
    return [[_comparable(value) for value in row] for row in result.rows]


def _comparable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    return f"{value:.9g}" if isinstance(value, float) else value


@pytest.mark.parametrize("name", QUERIES)
def test_each_query_answers_in_trino_as_in_duckdb(name: str, log: GameLog, local: LocalLake, landed: Here) -> None:
    sql = at(Cut(log.realm, log.sequence), (SQL / "detection" / f"{name}.sql").read_text())
    here, there = local.run(sql), landed.run(sql)
    assert here.rows
    assert here.columns == there.columns
    assert comparable(here) == comparable(there)


def test_the_suspects_of_the_lake_are_those_of_the_log(log: GameLog, local: LocalLake, landed: Here) -> None:
    cut = Cut(log.realm, log.sequence)
    suspects = detect(local, cut)
    assert {suspect.cheat for suspect in suspects} >= {"duplication", "wash_trading", "account_theft"}
    assert [(s.player_id, s.cheat, s.score, s.trades) for s in suspects] == [
        (s.player_id, s.cheat, s.score, s.trades) for s in detect(landed, cut)
    ]


def test_a_cut_leaves_out_what_came_after_it(log: GameLog, landed: Here, local: LocalLake) -> None:
    sql = at(Cut(log.realm, 100), "select max(sequence) as newest, count(*) as events from lake.haggle.events")
    assert landed.run(sql).rows == local.run(sql).rows == [[100, 100]]
