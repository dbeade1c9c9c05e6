"""The questions on real Trino, over logs that the streams have landed, beside the independent ones in plain Python."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from app.contract.events import Event, decode_event
from app.contract.tables import EVENTS
from app.relay.topic import realm_partition
from app.settings import SETTINGS, Settings
from jobs.cli.questions import question_named
from jobs.economy.behaviours.folder import write_plan
from jobs.economy.behaviours.plan import Setting
from jobs.economy.log import EVENTS_FILE
from jobs.lake.aggregates import KEPT_PROPERTY, Kept, aggregates, parse_kept
from jobs.lake.cut import Cut, at
from jobs.lake.moment import Past, read_moment
from jobs.lake.questions import StoredQuestion, stored_questions
from jobs.lake.trino import Lake
from jobs.local.stack import Stack
from tests import questions
from tests.conftest import wait_until
from tests.economy import ECONOMY
from tests.unit.test_questions import assert_alike, assert_sums

# a maintenance keeps fifteen aggregates, which takes minutes on a slow machine
pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
SEEDS = (11, 12, 13)
EACH = pytest.mark.parametrize("question", stored_questions(), ids=lambda question: question.name)
COMPONENTS = ("components", "largest_component", "largest_component_share", "components_sequence")


class Landed:
    """Realms of the shared lake, each with a log of its own."""

    def __init__(self, lake: Lake, logs: dict[str, list[Event]]) -> None:
        self.lake = lake
        self.logs = logs


@pytest.fixture(scope="module")
def landed(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Landed:
    settings = stack.settings()
    lake = Lake(settings)
    logs = {}
    for seed in SEEDS:
        folder = tmp_path_factory.mktemp("log")
        write_plan(ECONOMY, Setting(players=120, trades=1_500, days=20, seed=seed), folder)
        lines = (folder / EVENTS_FILE).read_bytes().splitlines()
        events = [decode_event(line) for line in lines]
        logs[events[0].realm] = events
        publish(settings, events[0].realm, lines)
    for realm, events in logs.items():
        wait_until(partial(is_landed, lake, realm, len(events)), 120, pause_s=1)
    return Landed(lake, logs)


def is_landed(lake: Lake, realm: str, events: int) -> bool:
    return lake.run(f"select count(*) from lake.haggle.events where realm = '{realm}'").rows == [[events]]


def publish(settings: Settings, realm: str, lines: list[bytes]) -> None:
    """As the relay does, but without its transactions."""
    producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers.split(","))
    partition = realm_partition(realm, len(producer.partitions_for(settings.kafka_topic)))
    for line in lines:
        producer.send(settings.kafka_topic, key=realm.encode(), value=line, partition=partition)
    producer.flush()
    producer.close()


@pytest.fixture(scope="module")
def kept(stack: Stack, landed: Landed) -> Kept:
    """The same, after a maintenance: the days of the logs are over long since."""
    environment = {item.name.upper(): str(getattr(stack.settings(), item.name)) for item in SETTINGS}
    command = [sys.executable, "-m", "jobs.lake.maintenance"]

    def is_done() -> bool:
        # the stack's own one may be at work
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or "another maintenance" in done.stderr, done.stderr
        return done.returncode == 0

    wait_until(is_done, 800, pause_s=2)
    kept = parse_kept(landed.lake.property(KEPT_PROPERTY))
    assert kept is not None
    return kept


@EACH
def test_trino_and_plain_python_answer_alike(landed: Landed, question: StoredQuestion) -> None:
    for realm in landed.logs:
        assert_alike(*asked_and_due(landed, question, realm, None))


def asked_and_due(
    landed: Landed, question: StoredQuestion, realm: str, kept_until: date | None
) -> tuple[list[list[Any]], list[list[Any]]]:
    events = landed.logs[realm]
    result = landed.lake.run(at(Cut(realm, len(events), kept_until=kept_until), question.text))
    assert result.columns == [column.name for column in question.columns]
    due = questions.answer(question.name, events)
    assert due
    # what maintenance adds it may not have added yet
    places = [place for place, name in enumerate(result.columns) if name not in COMPONENTS]
    asked, known = ([[row[place] for place in places] for row in rows] for rows in (result.rows, due))
    return asked, known


@EACH
def test_a_view_has_the_columns_of_the_header_and_the_rows_of_the_file(
    landed: Landed, question: StoredQuestion
) -> None:
    described = [row[:2] for row in landed.lake.run(f"describe lake.haggle.{question.name}").rows]
    assert described == [[column.name, column.type.trino] for column in question.columns]
    realms = ", ".join(f"'{realm}'" for realm in landed.logs)
    asked = landed.lake.run(f"select * from lake.haggle.{question.name} where realm in ({realms})")
    assert asked.columns == [column.name for column in question.columns]
    rows = [row for row in landed.lake.run(question.text).rows if row[0] in landed.logs]
    assert {row[0] for row in rows} == set(landed.logs)
    # a view does not keep an order
    assert_alike(sorted(asked.rows, key=without_fractions), sorted(rows, key=without_fractions))


def without_fractions(row: Sequence[Any]) -> list[str]:
    return [str(value) for value in row if not isinstance(value, float)]


def test_families_asked_of_one_moment_add_up(landed: Landed) -> None:
    for realm, events in landed.logs.items():
        cut = Cut(realm, len(events) - 7)
        asked = {each.name: landed.lake.run(at(cut, each.text)).records() for each in stored_questions()}
        assert_sums(asked)


def test_what_had_landed_by_a_moment_is_answered_while_a_snapshot_is_left(
    stack: Stack, landed: Landed, tmp_path: Path
) -> None:
    write_plan(ECONOMY, Setting(players=30, trades=200, days=2, seed=99), tmp_path)
    lines = (tmp_path / EVENTS_FILE).read_bytes().splitlines()
    events = [decode_event(line) for line in lines]
    settings = replace(stack.settings(), realm=events[0].realm)
    half = len(lines) // 2
    publish(settings, settings.realm, lines[:half])
    wait_until(lambda: is_landed(landed.lake, settings.realm, half), 60, pause_s=1)
    known_at = datetime.now(UTC)
    publish(settings, settings.realm, lines[half:])
    wait_until(lambda: is_landed(landed.lake, settings.realm, len(lines)), 60, pause_s=1)
    moment = read_moment(landed.lake, settings, Past(known_at=known_at))
    assert moment.cut.sequence == half
    for name in ("q_trades", "q_wealth"):
        rows = landed.lake.run(at(moment.cut, question_named(name).text)).rows
        assert_alike(rows, questions.answer(name, events[:half]))


def test_of_what_maintenance_keeps_trino_and_plain_python_answer_alike(landed: Landed, kept: Kept) -> None:
    for realm, events in landed.logs.items():
        assert events[-1].occurred_at.date() < kept.until
        for question in stored_questions():
            assert_alike(*asked_and_due(landed, question, realm, kept.until))


def test_what_is_kept_stands_in_the_views_and_the_events_of_its_days_are_not_read(landed: Landed, kept: Kept) -> None:
    for aggregate in aggregates():
        shown = landed.lake.run(f"show create view lake.haggle.{aggregate.name}").rows[0][0]
        assert f"date '{kept.until}'" in shown.lower()
    plan = landed.lake.run("explain (type io, format json) select * from lake.haggle.q_volume").rows[0][0]
    tables = json.loads(plan)["inputTableColumnInfos"]
    readings = [each for each in tables if each["table"]["schemaTable"]["table"] == EVENTS.name]
    assert readings
    for reading in readings:
        limits = {each["columnName"]: each["domain"]["ranges"] for each in reading["constraint"]["columnConstraints"]}
        assert limits[EVENTS.day_of][0]["low"]["value"].startswith(str(kept.until))
