"""A player that asks to be forgotten is: after the deadline no byte of Redis' files, Kafka's log and HDFS names it.

Data files are written without compression here, and others are unpacked, so that names can be searched for; that they
are found before shows that the search finds them.
"""

import gzip
import json
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from kafka.admin import AlterConfigOp, ConfigResource, ConfigResourceType, KafkaAdminClient

from app.settings import Settings
from jobs import engine
from jobs.lake.forgotten import Forgotten, list_forgotten
from jobs.local.stack import Stack
from jobs.simulate.run import Order, simulate
from tests.conftest import wait_until
from tests.faults.test_maintenance import maintained
from tests.playing import assert_exact, lake_writer, wait_until_landed

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900), pytest.mark.usefixtures("without_the_timer")]
NAMES = ("Ariadne-of-Quillfeather-77", "Bartholomew-Nightjar-78", "account-q7x-9911")
SERVERS = ("redis", "kafka", "datanode", "namenode", "catalog")


def test_no_byte_names_a_forgotten_player_after_the_deadline(stack: Stack, settings: Settings, tmp_path: Path) -> None:
    with lake_writer(settings) as spark:
        spark.sql("alter table lake.haggle.events set tblproperties ('write.parquet.compression-codec'='uncompressed')")
    player_id = play(settings)
    before = naming(stack)
    assert {server for server, _ in before} >= {"redis", "kafka", "datanode"}, before
    maintained(stack, tmp_path)  # a tag or a merged file may hold the names too

    forget(settings, player_id)
    wait_until_landed(settings, engine.get(settings, "/readyz")["sequence"])
    (left,) = of(settings, player_id)
    assert (left.rows, left.kafka, left.is_gone) == (2, True, False)
    assert left.deadline - left.forgotten_at == timedelta(days=settings.forget_within_days)

    steps = maintained(stack, tmp_path)
    assert (steps["forget players"]["before"]["count"], steps["forget players"]["after"]["count"]) == (2, 0)
    (left,) = of(settings, player_id)
    assert (left.rows, left.snapshots > 0) == (0, True)

    # the deadline comes: Kafka's retention is over, and maintenance is of a day just before it
    let_kafka_forget(settings)
    deadline = datetime.now(UTC) + timedelta(days=settings.forget_within_days, seconds=-60)
    simulate(settings, Order(players=10, trades=20, seed=1_972), lambda _: None)
    wait_until_landed(settings, engine.get(settings, "/readyz")["sequence"])
    maintained(stack, tmp_path, now=deadline)
    wait_until(lambda: of(settings, player_id)[0].is_gone, 120, pause_s=2)
    # HDFS removes blocks some seconds after their files
    wait_until(lambda: not naming(stack), 60, pause_s=2)
    assert_exact(settings, full=True)


def play(settings: Settings) -> int:
    """A player with names, that trades and is renamed, among others."""
    body = {"username": NAMES[0], "external_id": NAMES[2], "player_class": "trader"}
    player_id = int(engine.post(settings, "/v1/players", body)["player_id"])
    simulate(settings, Order(players=10, trades=50, seed=1_971), lambda _: None)
    other = int(engine.post(settings, "/v1/players", {"player_class": "farmer"})["player_id"])
    sides = {"player_1": {"player_id": player_id, "gold": 1}, "player_2": {"player_id": other, "gold": 2}}
    engine.post(settings, "/v1/trades", sides)
    call(settings, "PATCH", player_id, {"username": NAMES[1]})
    wait_until_landed(settings, engine.get(settings, "/readyz")["sequence"])
    return player_id


def forget(settings: Settings, player_id: int) -> None:
    call(settings, "DELETE", player_id)


def call(settings: Settings, method: str, player_id: int, body: object = None) -> None:
    url = f"{settings.engine_url}/v1/players/{player_id}"
    requests.request(method, url, json=body, headers=engine.headers(settings), timeout=10).raise_for_status()


def of(settings: Settings, player_id: int) -> list[Forgotten]:
    return [each for each in list_forgotten(settings) if each.player_id == player_id]


def let_kafka_forget(settings: Settings) -> None:
    """Makes the topic's retention so short that all that is there now is over, and long again."""
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers.split(","))
    try:
        for values in ({"retention.ms": "1000", "segment.ms": "1000"}, None):
            due = {name: (AlterConfigOp.SET, (values or LASTING)[name]) for name in ("retention.ms", "segment.ms")}
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.kafka_topic, due)])
            if values:
                # looked at every 10 s, and a removed segment's file stays for 5 s
                time.sleep(25)
    finally:
        admin.close()


LASTING = {"retention.ms": str(168 * 3_600_000), "segment.ms": str(24 * 3_600_000)}


# ---------------------------------------------------------------- searching


def naming(stack: Stack) -> set[tuple[str, str]]:
    """The servers and files that hold one of the names."""
    return {
        (server, str(path.relative_to(stack.home)))
        for server in SERVERS
        for path in (stack.home / "data" / server).rglob("*")
        if path.is_file() and any(name.encode() in content for content in contents(path) for name in NAMES)
    }


def contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and what they are unpacked."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return
    yield raw
    if raw.startswith(b"\x1f\x8b"):
        yield gzip.decompress(raw)
    if raw.startswith(b"Obj\x01"):
        yield from avro_blocks(raw)


def avro_blocks(raw: bytes) -> Iterator[bytes]:
    """The blocks of an Avro file (https://avro.apache.org/docs/1.12.0/specification/#object-container-files)."""
    start = raw.index(b"avro.schema")
    # what follows the header's map is the marker that also ends the file
    marker = raw[-16:]
    place = raw.index(marker, start) + 16
    while place < len(raw):
        _, place = long_at(raw, place)
        size, place = long_at(raw, place)
        yield zlib.decompress(raw[place : place + size], -zlib.MAX_WBITS)
        place += size + 16


def long_at(raw: bytes, place: int) -> tuple[int, int]:
    """A zigzag number of variable length, and where it ends."""
    value = shift = 0
    while True:
        byte = raw[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if not byte & 0x80:
            return (value >> 1) ^ -(value & 1), place


def test_the_search_unpacks_what_is_packed(tmp_path: Path) -> None:
    path = tmp_path / "v1.metadata.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"name": NAMES[0]}).encode()))
    assert any(NAMES[0].encode() in content for content in contents(path))
