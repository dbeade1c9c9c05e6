"""The table and the views of the lake: as the contract has them, there at once, and nobody's to change who asks."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest

from app.contract.tables import EVENTS, TRADES, VIEWS, Table, View
from app.errors import HaggleError
from app.settings import SETTINGS
from jobs.lake.aggregates import KEPT, aggregates
from jobs.lake.components import TRADE_COMPONENTS
from jobs.lake.questions import stored_questions
from jobs.lake.trino import Lake
from jobs.local.stack import Stack
from tests.conftest import wait_until
from tests.kafka import free_port

pytestmark = pytest.mark.stack


@pytest.fixture
def lake(stack: Stack) -> Lake:
    return Lake(stack.settings())


@pytest.mark.parametrize("relation", [EVENTS, *VIEWS], ids=lambda relation: relation.name)
def test_what_the_streams_made_has_exactly_the_contracts_columns_and_types(lake: Lake, relation: Table | View) -> None:
    """Nothing waits here: all of it is there once `up` returns."""
    columns = [(row[0], row[1]) for row in lake.run(f"describe lake.haggle.{relation.name}").rows]
    due = [(column.name, column.type.trino) for column in relation.columns]
    # a table that an earlier version made has its later columns at the end
    assert sorted(columns) == sorted(due) if relation is EVENTS else columns == due


def test_the_lake_holds_the_table_what_is_derived_from_it_and_the_views_and_questions(lake: Lake) -> None:
    sql = "select table_name, table_type from lake.information_schema.tables where table_schema = 'haggle'"
    views = {view.name: "VIEW" for view in VIEWS}
    views |= {question.name: "VIEW" for question in stored_questions()}
    views |= {aggregate.name: "VIEW" for aggregate in aggregates()}
    tables = dict.fromkeys((EVENTS.name, TRADE_COMPONENTS), "BASE TABLE")
    # the questions' views are made beside the query, after the streams are ready
    wait_until(lambda: len(lake.run(sql).rows) >= len(tables) + len(views), 180, pause_s=1)
    there = {name: kind for name, kind in lake.run(sql).rows if not name.startswith(KEPT)}
    assert there == {**tables, **views}


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_view_can_be_asked_for_every_column(lake: Lake, view: View) -> None:
    answer = lake.run(f"select * from lake.haggle.{view.name} limit 10")
    assert answer.columns == [column.name for column in view.columns]


FORBIDDEN = [
    "drop table lake.haggle.events",
    "drop view lake.haggle.trades",
    "drop view lake.haggle.q_price",
    "delete from lake.haggle.trade_components",
    "drop schema lake.haggle cascade",
    "alter table lake.haggle.events rename to lake.haggle.gone",
    "alter view lake.haggle.trades rename to lake.haggle.gone",
    "alter schema lake.haggle rename to gone",
    "alter table lake.haggle.events drop column raw",
    "alter table lake.haggle.events add column more varchar",
    "alter table lake.haggle.events set properties format_version = 2",
    "alter table lake.haggle.events execute optimize",
    "alter table lake.haggle.events execute expire_snapshots(retention_threshold => '8d')",
    "alter table lake.haggle.events execute remove_orphan_files(retention_threshold => '8d')",
    "insert into lake.haggle.events (realm) values ('mine')",
    "update lake.haggle.events set realm = 'mine'",
    "delete from lake.haggle.events",
    "truncate table lake.haggle.events",
    "merge into lake.haggle.events e using (values 1) as v(n) on e.sequence = v.n when matched then delete",
    "create table lake.haggle.more (n integer)",
    "create table lake.haggle.more as select 1 as n",
    "create view lake.haggle.more as select 1 as n",
    "create or replace view lake.haggle.trades as select 1 as n",
    "create schema lake.more",
    "comment on table lake.haggle.events is 'mine'",
    "comment on view lake.haggle.trades is 'mine'",
    "analyze lake.haggle.events",
    "call lake.system.unregister_table('haggle', 'events')",
    "call lake.system.rollback_to_snapshot('haggle', 'events', 1)",
    "call lake.system.register_table('haggle', 'more', 'hdfs://anywhere/events')",
]


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_whoever_asks_can_change_nothing(lake: Lake, sql: str) -> None:
    with pytest.raises(HaggleError, match=r"Access Denied|disabled|not registered|not allowed"):
        lake.run(sql)


UPGRADES = """
import os
import time
from dataclasses import replace
from app.settings import load_settings
from jobs.lake import tables
from jobs.lake.orphans import remove_former_views
from jobs.streams.session import build_session, file_system

settings = load_settings(os.environ)
spark = build_session(settings)
contract = tables.VIEWS
for upgrade in range(1, 5):
    same = f" and {upgrade} = {upgrade}"
    tables.VIEWS = tuple(
        replace(view, branches=tuple(replace(branch, where=f"({branch.where}){same}") for branch in view.branches))
        for view in contract
    )
    tables.prepare_lake(spark)
    print("upgraded", flush=True)
tables.VIEWS = contract
tables.prepare_lake(spark)
print("upgraded", flush=True)
files, hadoop = file_system(spark, settings)
metadata = hadoop.Path("/warehouse/haggle/trades/metadata")
print(files.getContentSummary(metadata).getFileCount(), flush=True)
remove_former_views(spark, settings, int(time.time() * 1_000))
print(files.getContentSummary(metadata).getFileCount(), flush=True)
spark.stop()
"""


@pytest.mark.timeout(600)
def test_views_are_replaced_without_a_gap_when_a_new_version_starts_and_leave_no_file(stack: Stack, lake: Lake) -> None:
    asked = f"show create view lake.haggle.{TRADES.name}"
    before = lake.run(asked).rows
    settings = replace(stack.settings(), spark_master="local[1]", spark_ui_port=free_port())
    own = {item.name.upper(): str(getattr(settings, item.name)) for item in SETTINGS}
    with asking(stack) as counts:
        run = subprocess.run(
            [sys.executable, "-c", UPGRADES],
            env=os.environ | own,
            stdout=subprocess.PIPE,
            check=True,
            timeout=560,
        )
    *upgraded, files, left = run.stdout.decode().split()
    assert upgraded == ["upgraded"] * 5
    assert (int(files) > 5, int(left)) == (True, 1)
    assert sum(counts) > 5
    assert lake.run(asked).rows == before


@contextmanager
def asking(stack: Stack) -> Iterator[list[int]]:
    """Asks the views all the time, and fails afterwards if one question was not answered."""
    ended = threading.Event()
    counts = [0, 0]

    def ask(number: int) -> None:
        lake = Lake(stack.settings())
        while not ended.is_set():
            lake.run("select count(*) from lake.haggle.trades")
            lake.run("select count(*) from lake.haggle.player_states where version = 1")
            counts[number] += 1

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(ask, number) for number in range(2)]
        try:
            yield counts
        finally:
            ended.set()
        for done in asked:
            done.result()
