"""The embedded stack's plan: what is started, and what a setting takes out of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.settings import Settings, load_settings
from jobs.embedded.java import JavaParts
from jobs.embedded.servers import PORTS, Site, embedded_settings, processes

ALL = {"engine", "relay", "redis", "kafka", "namenode", "datanode", "catalog", "streams", "trino"}
ELSEWHERE = {
    "REDIS_URL": ("redis://10.0.0.1:6379/0", {"redis"}),
    "KAFKA_BOOTSTRAP_SERVERS": ("10.0.0.1:9092", {"kafka"}),
    "HDFS_URL": ("hdfs://10.0.0.1:8020", {"namenode", "datanode"}),
    "CATALOG_URL": ("postgresql://u:p@10.0.0.1:5432/d", {"catalog"}),
    "TRINO_URL": ("http://10.0.0.1:8080", {"trino"}),
}


def site(given: Settings, home: Path) -> Site:
    ports = {port: 20_000 + number for number, port in enumerate(port for ports in PORTS.values() for port in ports)}
    settings: Settings = replace(given, **embedded_settings(given, ports))  # type: ignore[arg-type]
    return Site(home, ports, settings, JavaParts(home))


def test_everything_is_started_when_nothing_is_pointed_elsewhere(tmp_path: Path) -> None:
    assert {process.name for process in processes(site(Settings(), tmp_path))} == ALL


@pytest.mark.parametrize("variable", ELSEWHERE)
def test_a_server_pointed_elsewhere_is_not_started_and_the_others_use_it(tmp_path: Path, variable: str) -> None:
    url, gone = ELSEWHERE[variable]
    plan = {process.name: process for process in processes(site(load_settings({variable: url}), tmp_path))}
    assert set(plan) == ALL - gone
    assert plan["engine"].environment[variable] == url
    assert plan["streams"].environment[variable] == url


def test_every_server_listens_on_loopback_only(tmp_path: Path) -> None:
    for process in processes(site(Settings(), tmp_path)):
        text = " ".join([*process.command, *process.files.values(), *process.environment.values()])
        assert "0.0.0.0" not in text, process.name
