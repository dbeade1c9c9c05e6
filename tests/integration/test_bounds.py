"""What each server writes stays bounded, however long it runs: the server of the plan, with its bound made small."""

import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from pyspark.java_gateway import launch_gateway

from jobs.local.servers import EDITS_MAX, KAFKA_RETENTION_BYTES, Site, edits_of
from tests.conftest import wait_until
from tests.plan import planned, running, site_in

MIB = 2**20


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_in(tmp_path)


def bytes_below(folder: Path) -> int:
    """What the files below a folder take on the disk."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # the server removes files meanwhile
            total += 512 * path.lstat().st_blocks if path.is_file() else 0
    return total


# ---------------------------------------------------------------- NameNode


@pytest.fixture
def hadoop() -> Iterator[Any]:
    """A JVM with Hadoop's client."""
    gateway = launch_gateway()  # type: ignore[no-untyped-call]
    yield gateway.jvm.org.apache.hadoop
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(20)


def file_system(hadoop: Any, site: Site) -> Any:
    configuration = hadoop.conf.Configuration()
    configuration.set("fs.defaultFS", site.settings.hdfs_url)
    return hadoop.fs.FileSystem.newInstance(configuration)


def edit(hadoop: Any, site: Site, folder: str, count: int) -> None:
    """Makes folders, each an edit."""
    files = file_system(hadoop, site)
    for number in range(count):
        files.mkdirs(hadoop.fs.Path(f"/{folder}/{number}"))
    files.close()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def images(site: Site) -> list[int]:
    """The newest transaction in each of the NameNode's images."""
    names = [path.name for path in (site.data("namenode") / "current").iterdir()]
    return sorted(int(match[1]) for name in names if (match := re.fullmatch(r"fsimage_(\d+)", name)))


def kept_edits(site: Site) -> int:
    """Edits in the NameNode's files, but for those of the one that it writes."""
    found = [re.fullmatch(r"edits_(\d+)-(\d+)", path.name) for path in (site.data("namenode") / "current").iterdir()]
    return sum(int(match[2]) - int(match[1]) + 1 for match in found if match)


@pytest.mark.long
def test_the_edits_of_the_name_node_are_merged_and_removed_and_it_starts_from_few(site: Site, hadoop: Any) -> None:
    most, step = 1_000, 700
    alone = "<name>dfs.namenode.safemode.min.datanodes</name><value>{}<"
    namenode = planned(site, "namenode", {str(EDITS_MAX): str(most), alone.format(1): alone.format(0)})
    secondary = planned(site, "secondary", {str(EDITS_MAX): str(most)})
    secondary.command[secondary.command.index("60")] = "1"
    with running(site, namenode, secondary) as (server, merger):
        for number in range(6):
            edit(hadoop, site, f"folder-{number}", step)
            wait_until(lambda: edits_of(site) <= most, 60)
        wait_until(lambda: len(images(site)) == 2 and images(site)[0] > step)
        # between the two images, and since the newer one
        assert kept_edits(site) <= 2 * (most + step)
        # or these would be merged too, now and then
        merger.kill()
        edit(hadoop, site, "folder-6", step)
        server.kill()
        server.start()
        loaded = wait_until(lambda: re.findall(r"total edits (\d+)", server.log.read_text()), 60)
        assert step <= int(loaded[-1]) <= most + step
        # its web server answers before it has loaded what is asked for
        wait_until(lambda: listens(site.ports["namenode"]), 60)
        files = file_system(hadoop, site)
        assert [len(files.listStatus(hadoop.fs.Path(f"/folder-{number}"))) for number in range(7)] == [step] * 7
        files.close()


# ---------------------------------------------------------------- Redis


def test_the_append_only_file_of_redis_is_rewritten_however_much_is_written(site: Site) -> None:
    data_bytes, rounds, least_bytes = 2 * MIB, 40, MIB
    server = planned(site, "redis", {"64mb": str(least_bytes)})
    folder = site.data("redis") / "appendonlydir"
    with running(site, server), redis.Redis.from_url(site.settings.redis_url) as client:
        largest = 0
        for number in range(rounds):
            pipeline = client.pipeline(transaction=False)
            for key in range(100):
                pipeline.set(f"key-{key}", bytes([number]) * (data_bytes // 100))
            pipeline.execute()
            largest = max(largest, bytes_below(folder))
            # the server looks ten times a second whether the file has grown too large
            wait_until(lambda: is_rewritten(client.info("persistence"), least_bytes))
        assert int(client.info("persistence")["aof_rewrites"]) > 5
        # as docs/volumes.md says: an old and a new file, each of the data and as much of what was written since
        assert largest <= 4 * data_bytes


def is_rewritten(persistence: Any, least_bytes: int) -> bool:
    """No rewrite is under way or due."""
    size, base = persistence["aof_current_size"], max(persistence["aof_base_size"], least_bytes)
    return not persistence["aof_rewrite_in_progress"] and size < 2 * base


# ---------------------------------------------------------------- Kafka


@pytest.mark.long
def test_a_partition_of_kafka_keeps_its_bytes_and_little_more(site: Site) -> None:
    kept, segment = 4 * MIB, MIB
    small = {f"log.retention.bytes={KAFKA_RETENTION_BYTES}": f"log.retention.bytes={kept}"}
    small |= {f"log.segment.bytes={64 * MIB}": f"log.segment.bytes={segment}", "interval.ms=10000": "interval.ms=500"}
    small |= {"delay.ms=5000": "delay.ms=100"}
    with running(site, planned(site, "kafka", small)):
        brokers = site.settings.kafka_bootstrap_servers
        admin = KafkaAdminClient(bootstrap_servers=brokers)
        admin.create_topics([NewTopic("events", 1, 1)], wait_for_metadata=True)
        admin.close()
        producer = KafkaProducer(bootstrap_servers=brokers)
        for _ in range(12_000):
            producer.send("events", bytes(1_000), partition=0)
        producer.flush()
        producer.close()
        log = site.data("kafka") / "events-0"
        wait_until(lambda: bytes_below(log) <= kept + 2 * segment, 30)
        assert bytes_below(log) >= kept - segment


# ---------------------------------------------------------------- the catalog


def test_the_catalog_stays_small_however_many_commits_it_takes(site: Site) -> None:
    with (
        running(site, planned(site, "catalog")),
        psycopg.connect(site.settings.catalog_url, autocommit=True) as connection,
    ):
        # as Iceberg makes it, and as each of its commits changes it
        connection.execute(
            "create table iceberg_tables (catalog_name varchar(255), table_namespace varchar(255),"
            " table_name varchar(255), metadata_location varchar(1000), previous_metadata_location varchar(1000),"
            " iceberg_type varchar(5), primary key (catalog_name, table_namespace, table_name))"
        )
        connection.execute("insert into iceberg_tables values ('lake', 'haggle', 'events', '', '', 'TABLE')")
        connection.execute("set synchronous_commit = off")
        for number in range(20_000):
            location = f"hdfs://namenode:8020/warehouse/haggle/events/metadata/{number:064d}.metadata.json"
            connection.execute(
                "update iceberg_tables set previous_metadata_location = metadata_location, metadata_location = %s",
                (location,),
            )
        ((size,),) = connection.execute("select pg_total_relation_size('iceberg_tables')").fetchall()
        assert size < MIB
        assert bytes_below(site.data("catalog") / "pg_wal") <= 128 * MIB
        settings: dict[str, str] = dict(connection.execute("select name, setting from pg_settings").fetchall())
        keepalives = [settings[f"tcp_keepalives_{name}"] for name in ("idle", "interval", "count")]
        assert keepalives == ["5", "2", "3"]
