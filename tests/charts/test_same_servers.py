"""The servers of the chart are configured as those of the local stack, but for where they are."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

from app.settings import Settings
from jobs.local.java import JavaParts
from jobs.local.servers import PORTS, Process, Site, local_settings, processes
from tests.charts.conftest import Rendered

PLACES = ("connection-url", "connection-user", "connection-password", "warehouse-dir", "resources")
"""Ends of the names of what says where a server is, or how to get in."""

OF_HDFS: tuple[str, ...] = (
    "dfs.datanode.synconclose",
    "dfs.namenode.checkpoint.txns",
    "dfs.namenode.num.checkpoints.retained",
)
OF_HDFS += ("dfs.namenode.num.extra.edits.retained", "dfs.namenode.safemode.min.datanodes")


def local_process(name: str) -> Process:
    ports = {port: 20_000 + number for number, port in enumerate(port for ports in PORTS.values() for port in ports)}
    settings: Settings = replace(Settings(), **local_settings(Settings(), ports, {}))  # type: ignore[arg-type]
    home = Path("/nowhere")
    (found,) = [each for each in processes(Site(home, ports, settings, JavaParts(home))) if each.name == name]
    return found


def local_file(name: str, process: str) -> str:
    (text,) = [text for path, text in local_process(process).files.items() if path.name == name]
    return text


def properties(text: str) -> dict[str, str]:
    lines = [line.partition("=") for line in text.splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in lines if not name.endswith(PLACES)}


def test_trino_reads_the_lake_in_the_same_way(render: Callable[..., Rendered]) -> None:
    chart = render().of_kind("ConfigMap")["haggle-trino-catalogs"]["data"]["lake.properties"]
    assert properties(chart) == properties(local_file("lake.properties", "trino"))


def test_trino_lets_who_asks_read_the_ledger_and_write_nothing_in_the_same_way(
    render: Callable[..., Rendered],
) -> None:
    maps = render().of_kind("ConfigMap")
    chart = maps["haggle-trino-catalogs"]["data"]["ledger.properties"]
    local = local_file("ledger.properties", "trino")
    assert properties(chart) == properties(local)
    assert all("?options=-c%20default_transaction_read_only=on" in text for text in (chart, local))
    assert json.loads(maps["haggle-trino"]["data"]["rules.json"]) == json.loads(local_file("rules.json", "trino"))


def test_hdfs_keeps_blocks_and_edits_in_the_same_way(render: Callable[..., Rendered]) -> None:
    def values(text: str) -> dict[str, str]:
        found = {each.findtext("name", ""): each.findtext("value", "") for each in ET.fromstring(text)}
        return {name: found[name] for name in OF_HDFS}

    chart = render().of_kind("ConfigMap")["haggle-hdfs"]["data"]["hdfs-site.xml"]
    assert values(chart) == values(local_file("hdfs-site.xml", "namenode"))


def test_redis_has_every_command_on_disk_and_never_evicts_in_the_same_way(render: Callable[..., Rendered]) -> None:
    conf = render().of_kind("ConfigMap")["haggle-redis"]["data"]["redis.conf"]
    chart = {line.split()[0]: line.split()[1].strip('"') for line in conf.splitlines() if line and line[0] != "#"}
    words = local_process("redis").command
    local = {word.removeprefix("--"): words[place + 1] for place, word in enumerate(words) if word.startswith("--")}
    places = {"bind", "port", "dir", "maxmemory"}
    assert {name: value for name, value in chart.items() if name not in places} == {
        name: value for name, value in local.items() if name not in places
    }
    assert (chart["appendonly"], chart["appendfsync"], chart["maxmemory-policy"]) == ("yes", "always", "noeviction")
