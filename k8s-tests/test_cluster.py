"""The chart on a real cluster: installed, played on, asked, upgraded, and broken in every place.

The tests build on each other and run in this order.
"""

import base64
import gzip
import json
import re
import signal
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from cluster import Release, ready, run, wait_until
from conftest import FIGURES
from kubernetes.client import CoreV1Api, V1Pod

from app.contract.metrics import LAG_EVENTS, LAG_SECONDS, Stage
from app.contract.tables import CATALOG, EVENTS, SCHEMA, VIEWS
from jobs.lake.aggregates import KEPT, aggregates
from jobs.lake.components import TRADE_COMPONENTS
from jobs.lake.questions import stored_questions
from jobs.simulate.plan import plan_players
from tests.economy import CLASSES, ECONOMY, ITEMS

pytestmark = pytest.mark.timeout(1200)

PLAYERS = 1_000
TRADES = 10_000
RECOVERY_S = 400
"""When waiting for a recovery ends; the promise is 90 s, and figures are printed: a slow machine fails none."""
PARTS = ("engine", "relay", "redis", "kafka", "namenode", "datanode", "catalog", "streams", "executor", "trino")


def test_the_chart_installs_and_all_pods_become_ready(installation: Release) -> None:
    started = time.monotonic()
    installation.install()
    FIGURES.append(("install to all ready", f"{time.monotonic() - started:.0f} s"))
    installation.start_probe()
    for part in PARTS:
        assert ready(installation.pod(part)), part


def test_table_and_views_exist_as_soon_as_the_streams_are_ready(installation: Release) -> None:
    for relation in (EVENTS, *VIEWS):
        columns, _ = _ask(installation, f"select * from {CATALOG}.{SCHEMA}.{relation.name} limit 1")
        assert columns == [column.name for column in relation.columns], relation.name


def _ask(installation: Release, sql: str) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows of Trino's answer to the probe."""
    script = (
        "import json, os, sys; from app.settings import load_settings; from jobs.lake.trino import Lake;"
        "answer = Lake(load_settings(os.environ)).run(sys.argv[1]);"
        "print(json.dumps([answer.columns, answer.rows], default=str))"
    )
    columns, rows = json.loads(installation.probe("python", "-c", script, sql))
    return columns, rows


def test_a_simulation_of_ten_thousand_trades_comes_into_the_report(installation: Release) -> None:
    started = time.monotonic()
    installation.start_job("simulation", "play", PLAYERS=PLAYERS, TRADES=TRADES)
    log = installation.finish_job("play", 300)
    assert f"{TRADES:,} of {TRADES:,} trades" in log
    FIGURES.append((f"{TRADES:,} trades by a Job", f"{time.monotonic() - started:.0f} s"))
    wait_until(lambda: _trades_in_a_new_report(installation) == TRADES, 900, "the report has all trades", pause_s=0)
    FIGURES.append(("start of that Job to its answers in the report", f"{time.monotonic() - started:.0f} s"))


def _trades_in_a_new_report(installation: Release) -> int:
    name = f"report-{uuid.uuid4().hex[:8]}"
    installation.start_job("report", name)
    installation.finish_job(name, 600)
    report = json.loads(installation.probe("cat", "/reports/newest/report.json"))
    assert report["waiting"] is not None
    # No row for a realm of which nothing has landed yet.
    return sum(row["trades"] for row in report["questions"][0]["rows"])


def test_the_audit_after_the_simulation_is_exact(installation: Release) -> None:
    installation.audit("audit")


def test_the_report_that_a_browser_gets_has_the_answers_that_the_simulations_log_implies(installation: Release) -> None:
    with installation.port_forward(f"service/{installation.fullname}-report", 8080) as url:
        curl = ["curl", "--silent", "--show-error", "--location"]
        assert run(*curl, "--output", "/dev/null", "--write-out", "%{http_code}", url) == "401"
        with_key = [*curl, "--fail", "--user", f"anybody:{installation.service_key('read')}"]
        assert "<svg" in run(*with_key, url)
        report = json.loads(run(*with_key, f"{url}/newest/report.json"))
    rows = {question["name"]: question["rows"] for question in report["questions"]}
    lines = _simulated(installation, "play")
    assert len(lines) == TRADES
    accepted = [line["answer"] for line in lines if line["status"] == 201]
    assert rows["q_trades"][0]["trades"] == len(accepted)
    assert rows["q_trades"][0]["refused"] == TRADES - len(accepted)
    assert {row["item_id"]: row["units"] for row in rows["q_most_traded_item"]} == _units(accepted)
    for name, column, measure in (
        ("q_most_diverse_inventory", "distinct_items", len),
        ("q_most_valuable_inventory", "item_value", _value),
    ):
        highest, players = _highest(accepted, measure)
        assert {row[column] for row in rows[name]} == {highest}
        assert {row["player_id"] for row in rows[name]} == players


def _simulated(installation: Release, job: str) -> list[dict[str, Any]]:
    """The whole lines of a simulation's own log: request, status and answer of each decided trade."""
    # packed: of twenty megabytes, an exec on a busy machine may not give the last ones
    packed = installation.probe("sh", "-c", f"cat /logs/{job}-*.jsonl | gzip | base64")
    text = gzip.decompress(base64.b64decode(packed)).decode()
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _units(accepted: list[dict[str, Any]]) -> Counter[int]:
    units: Counter[int] = Counter()
    for answer in accepted:
        for side in ("player_1", "player_2"):
            for item in answer["trade"][side]["items"]:
                units[item["item_id"]] += item["quantity"]
    return units


def _value(items: dict[int, int]) -> int:
    return sum(ITEMS[item_id].value * quantity for item_id, quantity in items.items())


def _highest(accepted: list[dict[str, Any]], measure: Any) -> tuple[int, set[int]]:
    """The highest measure of any state after a trade, and who reached it; no state at creation is as high."""
    states = [
        (measure({item["item_id"]: item["quantity"] for item in answer[side]["inventory"]["items"]}), answer[side])
        for answer in accepted
        for side in ("player_1", "player_2")
    ]
    highest: int = max(value for value, _ in states)
    created = max(measure(CLASSES[player.player_class].items) for player in plan_players(ECONOMY, 1, PLAYERS))
    assert highest > created
    return highest, {state["player_id"] for value, state in states if value == highest}


def test_helm_test_makes_a_trade_finds_it_in_trino_and_says_so(installation: Release) -> None:
    assert "Trino answers with it" in installation.helm_test()


def test_a_pod_without_an_edge_to_a_server_is_kept_out(installation: Release) -> None:
    connect = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
    installation.probe("python", "-c", connect, f"{installation.fullname}-trino", "8080")
    for server, port in (("redis", 6379), ("kafka", 9092), ("namenode", 8020), ("catalog", 5432), ("spark-ui", 4040)):
        with pytest.raises(AssertionError, match="timed out"):
            installation.probe("python", "-c", connect, f"{installation.fullname}-{server}", str(port))


def test_suspects_are_looked_for_kept_and_asked_for_in_sql(installation: Release) -> None:
    installation.start_job("suspects", "suspects")
    assert "players are suspected" in installation.finish_job("suspects", 120)
    _, ((suspects,),) = _ask(installation, "select count(*) from ledger.haggle.suspects")
    # players of the simulation trade blindly, and nobody cheats
    assert suspects == 0


@pytest.mark.parametrize("who", ["sql-client", "report"])
def test_who_asks_can_read_the_lake_and_change_nothing_in_it(installation: Release, who: str) -> None:
    labels = {"haggle/sql-client": "true"} if who == "sql-client" else installation.labels("report")
    installation.start_pod(who, labels)
    try:
        said = json.loads(installation.execute(who, "python", "-c", _EACH_STATEMENT, json.dumps(_WRITES)))
    finally:
        CoreV1Api().delete_namespaced_pod(who, installation.namespace)
    assert {sql: words for sql, words in said["writes"].items() if "Access Denied" not in words} == {}
    due = {EVENTS.name, TRADE_COMPONENTS, *(view.name for view in VIEWS)}
    due |= {aggregate.name for aggregate in aggregates()} | {question.name for question in stored_questions()}
    assert {name for name in said["relations"] if not name.startswith(KEPT)} == due
    assert said["trades"] >= TRADES


_WRITES = [
    f"drop table {CATALOG}.{SCHEMA}.events",
    f"drop view {CATALOG}.{SCHEMA}.trades",
    f"drop schema {CATALOG}.{SCHEMA} cascade",
    f"alter table {CATALOG}.{SCHEMA}.events rename to {CATALOG}.{SCHEMA}.mine",
    f"alter view {CATALOG}.{SCHEMA}.trades rename to {CATALOG}.{SCHEMA}.mine",
    f"alter table {CATALOG}.{SCHEMA}.events add column mine bigint",
    f"alter table {CATALOG}.{SCHEMA}.events drop column raw",
    f"alter table {CATALOG}.{SCHEMA}.events set properties format_version = 2",
    f"alter table {CATALOG}.{SCHEMA}.events execute optimize",
    f"alter table {CATALOG}.{SCHEMA}.events execute expire_snapshots(retention_threshold => '7d')",
    f"insert into {CATALOG}.{SCHEMA}.events (realm) values ('mine')",
    f"delete from {CATALOG}.{SCHEMA}.events",
    f"update {CATALOG}.{SCHEMA}.events set realm = 'mine'",
    f"truncate table {CATALOG}.{SCHEMA}.events",
    f"comment on table {CATALOG}.{SCHEMA}.events is 'mine'",
    f"create table {CATALOG}.{SCHEMA}.mine (n bigint)",
    f"create table {CATALOG}.{SCHEMA}.mine as select 1 as n",
    f"create view {CATALOG}.{SCHEMA}.mine as select 1 as n",
    f"create or replace view {CATALOG}.{SCHEMA}.trades as select 1 as n",
    f"create schema {CATALOG}.mine",
    "delete from ledger.haggle.suspects",
    "insert into ledger.haggle.suspect_reviews (realm) values ('mine')",
    "create table ledger.haggle.mine (n bigint)",
]
_EACH_STATEMENT = f"""
import json, os, sys
from app.errors import HaggleError
from app.settings import load_settings
from jobs.lake.trino import Lake

lake = Lake(load_settings(os.environ))
writes = {{}}
for sql in json.loads(sys.argv[1]):
    try:
        lake.run(sql)
        writes[sql] = "done"
    except HaggleError as error:
        writes[sql] = str(error)
relations = [name for (name,) in lake.run("show tables from {CATALOG}.{SCHEMA}").rows]
((trades,),) = lake.run("select count(*) from {CATALOG}.{SCHEMA}.trades").rows
print(json.dumps({{"writes": writes, "relations": relations, "trades": trades}}))
"""


def test_lag_of_every_stage_is_one_metric_family(installation: Release) -> None:
    wanted = {"relay": (9100, {Stage.OUTBOX}), "streams": (9101, {Stage.KAFKA, Stage.LAKE})}
    for part, (port, stages) in wanted.items():
        with installation.port_forward(f"pod/{installation.pod(part).metadata.name}", port) as url:
            metrics = run("curl", "--silent", "--show-error", "--fail", f"{url}/metrics")
        for name in (LAG_EVENTS, LAG_SECONDS):
            assert stages == set(re.findall(rf'^{name}{{.*stage="(\w+)"', metrics, re.MULTILINE)), f"{part}: {name}"


def test_two_simulations_side_by_side_do_not_clash(installation: Release) -> None:
    for seed in (11, 12):
        installation.start_job("simulation", f"side-{seed}", PLAYERS=50, TRADES=300, SEED=seed)
    for seed in (11, 12):
        assert "300 of 300 trades" in installation.finish_job(f"side-{seed}", 120)


def test_an_upgrade_under_running_trades_fails_no_request_and_loses_nothing(
    installation: Release, tmp_path: Path
) -> None:
    """Engines roll out with another economy: one item has another name and value."""
    economy = tmp_path / "economy.toml"
    economy.write_text(_another_economy())
    passwords = _passwords(installation)
    installation.start_job("simulation", "during-upgrade", PLAYERS=100, TRADES=1_500, RATE=25, CONCURRENCY=4, SEED=2)
    wait_until(lambda: installation.job_log("during-upgrade"), 60, "the simulation trades")
    before = {pod.metadata.name for pod in installation.pods("engine")}
    driver = installation.pod("streams").metadata.uid
    own = ("--set-file", f"engine.economy.file={economy}")
    installation.install("--set", "engine.workers=3,spark.maxEventsPerBatch=50000", *own)
    assert not before & {pod.metadata.name for pod in installation.pods("engine")}
    assert installation.pod("streams").metadata.uid != driver
    log = installation.finish_job("during-upgrade", 180)
    assert "1,500 of 1,500 trades" in log
    assert re.search(r"\b0 sent again", log.splitlines()[-1]), log
    assert _passwords(installation) == passwords
    installation.audit("audit-upgrade")
    items = f"select name, value, catalog_version from {CATALOG}.{SCHEMA}.items where item_id = 6"
    assert _ask(installation, items)[1] == [["Oat Milk", 4, 2]]


def _another_economy() -> str:
    text = files("app.contract").joinpath("economy.toml").read_text()
    before = ("version = 1 ", 'name = "Milk"\nlevel = 1\nvalue = 3\n')
    assert all(text.count(each) == 1 for each in before)
    return text.replace(before[0], "version = 2 ").replace(before[1], 'name = "Oat Milk"\nlevel = 1\nvalue = 4\n')


def _passwords(installation: Release) -> dict[str, Any]:
    secrets = installation.core.list_namespaced_secret(
        installation.namespace, label_selector="app.kubernetes.io/name=haggle"
    )
    return {secret.metadata.name: secret.data for secret in secrets.items}


OTHER_COMMANDS = {
    "maintenance dead-letters replay": "0 dead letters became rows",
    "audit dead-letters list": "reason",
    "audit audit --full": "conservation",
}


@pytest.mark.parametrize("words", OTHER_COMMANDS)
def test_any_command_of_haggle_runs_in_the_pod_of_maintenance_or_audit(installation: Release, words: str) -> None:
    part, *command = words.split()
    name = "-".join(command).replace("--", "")
    installation.start_job(part, name, *command)
    assert OTHER_COMMANDS[words] in installation.finish_job(name, 240)


# ---------------------------------------------------------------- losses


def test_of_two_drivers_one_waits_and_nothing_lands_twice(installation: Release) -> None:
    first, second = (f"{installation.fullname}-streams-{number}" for number in (0, 1))
    _start_trades(installation, "during-two-drivers", seed=5)
    wait_until(lambda: ready(installation.pod("streams")), RECOVERY_S, "the first driver is ready")
    with installation.scaled("streams", 2):
        _waits_for_the_lock(installation, second)
        _recovers(installation, "streams: a second driver")
        pods = {pod.metadata.name: pod for pod in installation.pods("streams")}
        assert (ready(pods[first]), ready(pods[second])) == (True, False)
        # the second takes over, while the first comes back and waits in turn
        CoreV1Api().delete_namespaced_pod(first, installation.namespace, grace_period_seconds=0)
        _waits_for_the_lock(installation, first)
        _recovers(installation, "streams: a second driver takes over")
    wait_until(
        lambda: ready(installation.pod("streams")) and len(installation.pods("streams")) == 1, 120, "one is left"
    )
    _recovers(installation, "streams: the second driver goes")
    _end_trades(installation, "during-two-drivers")


def _waits_for_the_lock(installation: Release, driver: str) -> None:
    said = "waiting for the lock: another driver runs"
    wait_until(lambda: said in installation.pod_log(driver, "driver"), RECOVERY_S, f"{driver} waits for the lock")


def test_a_driver_whose_jvm_is_gone_starts_anew(installation: Release) -> None:
    driver = installation.pod("streams")
    kill = (
        "import glob, os, signal; [os.kill(int(name.split('/')[2]), signal.SIGKILL)"
        " for name in glob.glob('/proc/[0-9]*/comm') if open(name).read() == 'java\\n']"
    )
    installation.execute(driver.metadata.name, "python", "-c", kill)
    before = _restarts(driver)
    wait_until(lambda: _restarts(installation.pod("streams")) > before, 60, "the driver is started again")
    _recovers(installation, "streams: kill -9 of the JVM alone")


def _restarts(pod: V1Pod) -> int:
    return sum(status.restart_count for status in pod.status.container_statuses)


@pytest.mark.timeout(2_400)
def test_after_the_loss_of_any_pod_trades_reach_trino_again(installation: Release) -> None:
    _start_trades(installation, "during-lost-pods", seed=3)
    for part in PARTS:
        lost = installation.pod(part)
        CoreV1Api().delete_namespaced_pod(lost.metadata.name, installation.namespace, grace_period_seconds=0)
        # until then, what is gone from the API may go on answering
        wait_until(partial(_has_another_pod, installation, part, lost), 60, f"{part} has another pod")
        _recovers(installation, f"{part}: pod taken away")
    _end_trades(installation, "during-lost-pods")


def _has_another_pod(installation: Release, part: str, lost: V1Pod) -> bool:
    return bool(installation.pod(part).metadata.uid != lost.metadata.uid)


@pytest.mark.timeout(2_400)
def test_after_kill_9_of_any_server_trades_reach_trino_again(installation: Release) -> None:
    installation.share_processes()
    _start_trades(installation, "during-kills", seed=4)
    for part in PARTS:
        victim = installation.pod(part)
        _kill(installation, victim)
        _recovers(installation, f"{part}: kill -9")
    _end_trades(installation, "during-kills")


def _kill(installation: Release, victim: V1Pod) -> None:
    """Ends every process of the pod but its first, which is not the server (see share_processes)."""
    with suppress(AssertionError):  # the shell may go with its container
        installation.execute(victim.metadata.name, "sh", "-c", "kill -9 -1")
    wait_until(lambda: _has_died(installation, victim), 90, f"{victim.metadata.name} was ended by SIGKILL", pause_s=0.2)


def _has_died(installation: Release, victim: V1Pod) -> bool:
    """Whether the pod's server has just ended by SIGKILL; an executor's pod may be gone before it says so."""
    pods = {pod.metadata.name: pod for pod in installation.core.list_namespaced_pod(installation.namespace).items}
    if victim.metadata.name not in pods:
        return "-exec-" in str(victim.metadata.name)
    server = victim.spec.containers[0].name
    statuses = pods[victim.metadata.name].status.container_statuses
    (status,) = [status for status in statuses if status.name == server]
    ends = (status.state.terminated, status.last_state.terminated)
    return 128 + signal.SIGKILL in {end.exit_code for end in ends if end}


def _start_trades(installation: Release, job: str, seed: int) -> None:
    """Trades without an end; every request that gets no answer is sent again."""
    installation.start_job("simulation", job, PLAYERS=200, TRADES=1_000_000, RATE=10, CONCURRENCY=4, SEED=seed)
    wait_until(lambda: _simulated(installation, job), 60, "the simulation trades")


def _recovers(installation: Release, loss: str) -> None:
    took = wait_until(
        lambda: installation.probe("python", "-m", "jobs.smoke"), RECOVERY_S, f"a trade is in Trino after {loss}"
    )
    FIGURES.append((f"{loss}, until a new trade is in Trino", f"{took:.0f} s"))


def _end_trades(installation: Release, job: str) -> None:
    """The simulation went through to the end, and what it knows is what the tables hold after an exact audit."""
    assert not installation.job_ended(job), installation.job_log(job)
    installation.remove_jobs(job)
    installation.audit(f"audit-{job}")
    decided = {line["request"]["trade_id"]: line["status"] for line in _simulated(installation, job)}
    in_tables = _trades_in_tables(installation, decided)
    assert len(decided) > 100
    FIGURES.append((f"trades answered {job.replace('-', ' ')}, each once in Trino", f"{len(decided):,}"))
    assert Counter(in_tables) == Counter((trade_id, status == 201) for trade_id, status in decided.items())


def _trades_in_tables(installation: Release, trade_ids: Iterable[str]) -> list[tuple[str, bool]]:
    """Each row of those trades as Trino has it: trade_id, and whether it was accepted."""
    wanted = set(trade_ids)
    _, rows = _ask(installation, f"select trade_id, status = 'accepted' from {CATALOG}.{SCHEMA}.trades")
    return [(trade_id, accepted) for trade_id, accepted in rows if trade_id in wanted]
