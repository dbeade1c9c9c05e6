"""The whole pipeline on real servers: a trade in by HTTP, its row out of Trino; and what survives kill -9."""

import getpass
import json
import os
import re
import subprocess
import sys

import pytest
import requests
from kafka import KafkaProducer, TopicPartition
from pyspark.sql import SparkSession

from app.contract.tables import event_columns
from app.errors import HaggleError
from app.relay.topic import Reader, realm_partition
from app.settings import Settings
from jobs.engine import headers, post
from jobs.lake.audit import audit
from jobs.lake.replay import TABLE, replay
from jobs.lake.trace import trace
from jobs.lake.trino import Lake
from jobs.local.stack import Stack
from jobs.simulate.run import Order
from tests.conftest import wait_until
from tests.playing import exact, failed, kill_9, lake_writer, play

WIDE = {**os.environ, "COLUMNS": "160"}

pytestmark = pytest.mark.stack


def test_a_trade_posted_over_http_comes_out_of_trino_by_its_id(stack: Stack) -> None:
    settings = stack.settings()
    farmer = post(settings, "/v1/players", {"player_class": "farmer"})["player_id"]
    banker = post(settings, "/v1/players", {"player_class": "banker"})["player_id"]
    sides = [{"player_id": farmer, "items": [{"item_id": 5, "quantity": 3}]}, {"player_id": banker, "gold": 18}]
    body = {"trade_id": "end-to-end", "player_1": sides[0], "player_2": sides[1]}
    statuses = [
        requests.post(f"{settings.engine_url}/v1/trades", json=body, headers=key, timeout=5).status_code
        for key in ({}, headers(settings))
    ]
    assert statuses == [401, 201]
    sql = "select status, player_1_item_value, player_2_gold from lake.haggle.trades where trade_id = ?"
    found = wait_until(lambda: Lake(settings).run(sql, ("end-to-end",)).rows, 60)
    assert found == [["accepted", 18, 18]]


def test_a_trade_is_followed_by_its_id_from_its_decision_to_its_row(stack: Stack) -> None:
    settings, lake = stack.settings(), Lake(stack.settings())
    decided, published, landed = trace(settings, lake, "end-to-end", 0)
    (place,) = lake.run(
        "select sequence, kafka_offset from lake.haggle.events where trade_id = ?", ("end-to-end",)
    ).rows
    assert f"trade accepted, players 1 and 2, event {place[0]} of realm {settings.realm}" in decided.words
    assert f"offset {place[1]}" in published.words
    times = [step.at for step in (decided, published, landed) if step.at]
    assert (len(times), times) == (3, sorted(times))
    log = (stack.home / "logs" / "streams.log").read_text().splitlines()
    batches = [json.loads(line) for line in log if '"batch landed"' in line]
    (said,) = re.findall(r"batch (\d+) of the streams: events ([\d,]+) to ([\d,]+)", landed.words)
    batch, first, last = (int(number.replace(",", "")) for number in said)
    assert (batch, [first, last]) in [(each["batch"], each["sequences"].get(settings.realm)) for each in batches]
    assert first <= place[0] <= last
    with pytest.raises(HaggleError, match="no trade nobody in realm"):
        trace(settings, lake, "nobody", 0)


def test_top_shows_processes_the_game_and_the_way_to_the_lake_once_in_a_pipe(stack: Stack) -> None:
    command = [sys.executable, "-m", "jobs.cli", "--home", str(stack.home), "top"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=WIDE)
    assert done.returncode == 0, done.stderr
    for words in ("streams", "yes", "trades a second", "end-to-end", "outbox", "kafka", "lake"):
        assert words.replace("end-to-end", "gave 3 ") in done.stdout, words


def test_sql_from_the_command_line_is_answered_under_the_name_of_who_asks_and_changes_nothing(stack: Stack) -> None:
    command = [sys.executable, "-m", "jobs.cli", "--home", str(stack.home), "query", "--format", "csv"]

    def query(sql: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, sql], capture_output=True, text=True, check=False, timeout=60)

    assert query("select 1 as one, count(*) > 0 as any from events").stdout == '"one","any"\n"1","true"\n'
    refused = query("delete from events")
    assert (refused.returncode, "Access Denied" in refused.stderr) == (1, True)
    url = f"{stack.settings().trino_url}/v1/query"
    asked = requests.get(url, headers={"X-Trino-User": "test"}, timeout=5).json()
    sessions = [each["session"] for each in asked]
    assert (getpass.getuser(), "haggle query") in {(each["user"], each.get("source")) for each in sessions}


def test_a_table_of_an_earlier_version_gets_the_column_that_it_lacks(stack: Stack) -> None:
    """Runs before the first offer: what the column held is gone."""
    settings = stack.settings()
    with lake_writer(settings) as spark:
        spark.sql(f"alter table {TABLE} drop column outcome")
    kill_9(stack, "streams")
    assert play(settings, Order(players=2, trades=0, offers=9)).offers["decline"]
    assert failed(exact(settings)) == []


def test_a_dead_letter_that_is_a_valid_event_by_now_becomes_a_row_once(stack: Stack) -> None:
    settings = stack.settings()
    play(settings, Order(players=4, trades=20, seed=8))
    assert failed(exact(settings)) == []
    with lake_writer(settings) as spark:
        sequence = make_a_dead_letter(spark, settings)
        assert any(str(sequence) in text.replace(",", "") for text in failed(audit(settings, full=True)))
        assert replay(spark).sequences == ((settings.realm, sequence),)
        assert replay(spark).events == 0
    assert failed(audit(settings, full=True)) == []


def make_a_dead_letter(spark: SparkSession, settings: Settings) -> int:
    """Makes the row of a trade what it would be if this version had found it invalid; its sequence number."""
    place = "kafka_partition", "kafka_offset"
    found = spark.sql(
        f"select sequence, {', '.join(place)} from {TABLE} where realm = '{settings.realm}' "
        "and event_type = 'trade_accepted' order by sequence desc limit 1 offset 5"
    ).collect()[0]
    reader = Reader(settings)
    partition = TopicPartition(settings.kafka_topic, found["kafka_partition"])
    (record,) = reader.records(partition, found["kafka_offset"], found["kafka_offset"] + 1)
    reader.close()
    none = ", ".join(f"{column.name} = null" for column in event_columns())
    spark.sql(
        f"update {TABLE} set {none}, dead_letter = 'invalid_fields', kafka_key = X'{record.key.hex()}', "
        f"raw = X'{record.value.hex()}' where realm = '{settings.realm}' and sequence = {found['sequence']}"
    )
    return int(found["sequence"])


def test_a_simulation_is_queryable_and_the_audit_exact(stack: Stack) -> None:
    settings = stack.settings()
    outcome = play(settings, Order(players=50, trades=500, offers=60, seed=3))
    assert (outcome.accepted, outcome.refused.total()) == (500, 0)
    assert set(outcome.offers) == {"accept", "decline", "cancel"}
    farmer = post(settings, "/v1/players", {"player_class": "farmer"})["player_id"]
    sides = {"player_1": {"player_id": farmer, "items": [{"item_id": 5, "quantity": 2}]}, "player_2": {"player_id": 1}}
    post(settings, "/v1/offers", {"offer_id": "left-open", **sides})
    checks = exact(settings)
    assert failed(checks) == []
    assert "0 amounts" not in next(check.seen for check in checks if check.name == "held by offers")


def test_a_record_that_is_not_an_event_is_kept_as_a_dead_letter_and_stops_nothing(stack: Stack) -> None:
    settings = stack.settings()
    send(settings, b"not an event", b"{}")
    play(settings, Order(players=2, trades=5, seed=5))
    assert failed(exact(settings)) == []
    sql = "select reason, value from lake.haggle.dead_letters where topic = ? order by reason"
    expected = {("invalid_json", b"not an event"), ("unknown_event_type", b"{}")}
    wait_until(lambda: {tuple(row) for row in Lake(settings).run(sql, (settings.kafka_topic,)).rows} >= expected, 60)


def send(settings: Settings, *values: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers.split(","))
    partition = realm_partition(settings.realm, settings.kafka_partitions)
    for value in values:
        producer.send(settings.kafka_topic, key=settings.realm.encode(), value=value, partition=partition)
    producer.flush()
    producer.close()


def test_data_survives_down_and_up(stack: Stack) -> None:
    settings = stack.settings()
    assert failed(exact(settings)) == []
    rows = Lake(settings).run("select count(*) from lake.haggle.events").rows
    stack.down()
    assert not stack.is_running
    stack.up(lambda _name, _state: None)
    assert failed(exact(settings)) == []
    assert Lake(settings).run("select count(*) from lake.haggle.events").rows == rows
