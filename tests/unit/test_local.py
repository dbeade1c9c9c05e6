"""The local stack's plan: what is started, and what a setting takes out of it."""

import json
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.settings import Settings, load_settings
from jobs.local.java import ABOUT, JavaParts, announcement, read_lock
from jobs.local.servers import MERGE_EDITS, PORTS, Site, local_settings, processes
from jobs.local.stack import Stack, due_now

ALL = {"engine", "relay", "redis", "kafka", "namenode", "secondary", "datanode", "catalog", "streams", "trino"}
ALL |= {"maintenance"}
KEYS = {"service_keys": "a-service-key-of-this-home", "token_keys": "a-token-key-of-this-home"}
ELSEWHERE = {
    "REDIS_URL": ("redis://10.0.0.1:6379/0", {"redis"}),
    "KAFKA_BOOTSTRAP_SERVERS": ("10.0.0.1:9092", {"kafka"}),
    "HDFS_URL": ("hdfs://10.0.0.1:8020", {"namenode", "secondary", "datanode"}),
    "CATALOG_URL": ("postgresql://u:p@10.0.0.1:5432/d", {"catalog"}),
    "TRINO_URL": ("http://10.0.0.1:8080", {"trino"}),
}


def site(given: Settings, home: Path) -> Site:
    ports = {port: 20_000 + number for number, port in enumerate(port for ports in PORTS.values() for port in ports)}
    settings: Settings = replace(given, **local_settings(given, ports, KEYS))  # type: ignore[arg-type]
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


def test_the_processes_get_the_keys_of_the_home_and_the_original_routes_are_open(tmp_path: Path) -> None:
    (engine,) = [process for process in processes(site(Settings(), tmp_path)) if process.name == "engine"]
    assert engine.environment["SERVICE_KEYS"] == KEYS["service_keys"]
    assert engine.environment["TOKEN_KEYS"] == KEYS["token_keys"]
    assert engine.environment["ORIGINAL_ROUTES"] == "open"


def test_keys_and_routes_of_the_environment_come_first(tmp_path: Path) -> None:
    given = {"SERVICE_KEYS": "a-service-key-given", "TOKEN_KEYS": "a-token-key-given", "ORIGINAL_ROUTES": "closed"}
    (engine,) = [process for process in processes(site(load_settings(given), tmp_path)) if process.name == "engine"]
    assert {name: engine.environment[name] for name in given} == given


def test_the_game_can_be_played_before_anything_else_starts(tmp_path: Path) -> None:
    pending = {process.name: process for process in processes(site(Settings(), tmp_path))}
    order = []
    while pending:
        due = [process.name for process in due_now(pending)]
        order.append(set(due))
        for name in due:
            del pending[name]
    assert order[:2] == [{"redis"}, {"engine"}]
    assert order[2] == {"kafka", "namenode", "catalog", "trino"}
    assert set().union(*order) == ALL


def test_what_will_be_fetched_is_said_before_with_what_each_part_is(tmp_path: Path) -> None:
    assert {part.module for part in read_lock()} == {*ABOUT, "metrics"}, "metrics are for images alone"
    parts = JavaParts(tmp_path).parts
    text = announcement(parts, tmp_path)
    assert f"{sum(part.size for part in parts) / 2**20:,.0f} MiB" in text
    assert str(tmp_path) in text
    for words in ABOUT.values():
        assert words in text


def test_the_keys_of_a_home_are_made_once_and_only_its_owner_may_read_them(tmp_path: Path) -> None:
    homes = [tmp_path / "one", tmp_path / "one", tmp_path / "two"]
    for home in homes:
        home.mkdir(exist_ok=True)
        (home / "stack.json").write_text(
            json.dumps({"ports": dict.fromkeys((p for n in PORTS.values() for p in n), 1)})
        )
    one, again, two = [Stack(home, Settings()).settings() for home in homes]
    assert (one.service_keys, one.token_keys) == (again.service_keys, again.token_keys)
    assert len({one.service_keys, one.token_keys, two.service_keys, two.token_keys}) == 4
    assert stat.S_IMODE((tmp_path / "one" / "keys.json").stat().st_mode) == 0o600


def test_every_server_listens_on_loopback_only(tmp_path: Path) -> None:
    for process in processes(site(Settings(), tmp_path)):
        text = " ".join([*process.command, *process.files.values(), *process.environment.values()])
        assert "0.0.0.0" not in text, process.name


# ---------------------------------------------------------------- the script that merges edits


class _NameNode(BaseHTTPRequestHandler):
    """Answers as a NameNode whose newest image lacks 1,034 edits."""

    def do_GET(self) -> None:
        journal = json.dumps({"LastAppliedOrWrittenTxId": "1234", "MostRecentCheckpointTxId": "200"})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"beans": [{"JournalTransactionInfo": journal}]}, indent=2).encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def name_node() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _NameNode)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("most", "code"), [(1_034, 0), (1_033, 1)])
def test_the_script_says_whether_the_edits_are_few(name_node: str, most: int, code: int) -> None:
    assert subprocess.run(["bash", MERGE_EDITS, name_node, str(most), "few"], check=False).returncode == code


def test_the_edits_of_a_name_node_that_does_not_answer_are_not_few() -> None:
    assert subprocess.run(["bash", MERGE_EDITS, "127.0.0.1:1", "1000", "few"], check=False).returncode == 1


@pytest.mark.parametrize(("most", "runs"), [(1_034, 0), (1_033, 2)])
def test_the_script_merges_when_the_edits_are_too_many_again_after_a_failure_and_ends_on_term(
    name_node: str, tmp_path: Path, most: int, runs: int
) -> None:
    script = ["bash", str(MERGE_EDITS), name_node, str(most), "0.2", "sh", "-c", "echo . >> merges; false"]
    with subprocess.Popen(script, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        time.sleep(2)
        process.terminate()
        process.wait(10)
    merges = tmp_path / "merges"
    assert (merges.read_text().count(".") if merges.exists() else 0) >= runs
    assert merges.exists() == bool(runs)
    assert (tmp_path / "looked").exists()


def test_the_chart_has_the_same_script() -> None:
    chart = Path(__file__).parents[2] / "charts" / "haggle" / "charts" / "hdfs"
    assert (chart / "files" / MERGE_EDITS.name).read_text() == MERGE_EDITS.read_text()
