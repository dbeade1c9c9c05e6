"""The chart on a real cluster: installed, played on, asked, upgraded, broken in every place, and removed.

The tests build on each other and run in this order.
"""

import json
import re
import time
from collections import Counter
from typing import Any

import pytest
from cluster import RELEASE, Installation, run, wait_until

from app.contract.economy import CLASSES, ITEMS
from jobs.simulate.plan import plan_players

pytestmark = pytest.mark.timeout(600)

PLAYERS = 1_000
TRADES = 10_000
RECOVERY_S = 90
PARTS = ("engine", "relay", "redis", "kafka", "namenode", "datanode", "catalog", "streams", "executor", "trino")


def test_the_chart_installs_and_all_pods_become_ready_within_three_minutes(installation: Installation) -> None:
    started = time.monotonic()
    installation.install()
    print(f"installed in {time.monotonic() - started:.0f} s")
    assert time.monotonic() - started < 180
    installation.start_probe()
    for part in PARTS:
        pods = installation.pods(part)
        assert pods, f"no pod of {part}"


def test_a_simulation_of_ten_thousand_trades_is_in_the_report_within_ninety_seconds(installation: Installation) -> None:
    started = time.monotonic()
    installation.start_job("simulation", "play", PLAYERS=PLAYERS, TRADES=TRADES)
    log = installation.finish_job("play", 240)
    print(log, f"simulated in {time.monotonic() - started:.0f} s")
    assert f"{TRADES:,} of {TRADES:,} trades" in log
    for attempt in range(10):
        installation.start_job("report", f"report-{attempt}")
        installation.finish_job(f"report-{attempt}", 120)
        report = json.loads(installation.probe("cat", "/reports/newest/report.json"))
        if report["questions"][0]["rows"][0]["trades"] == TRADES:
            break
    print(f"answers in the report after {time.monotonic() - started:.0f} s")
    assert time.monotonic() - started <= 90


def test_the_audit_after_the_simulation_is_exact(installation: Installation) -> None:
    print(installation.audit("audit"))


def test_the_report_that_a_browser_gets_has_the_answers_that_the_simulations_log_implies(
    installation: Installation,
) -> None:
    installation.start_job("report", "report-of-all")
    installation.finish_job("report-of-all", 120)
    with installation.port_forward(f"service/{RELEASE}-report", 8080) as url:
        assert "<svg" in run("curl", "--silent", "--show-error", "--fail", "--location", url)
        report = json.loads(run("curl", "--silent", "--show-error", "--fail", f"{url}/newest/report.json"))
    rows = {question["name"]: question["rows"] for question in report["questions"]}
    lines = [json.loads(line) for line in installation.probe("sh", "-c", "cat /logs/play-*.jsonl").splitlines()]
    assert len(lines) == TRADES
    accepted = [line["answer"] for line in lines if line["status"] == 201]
    assert rows["q01_trades"][0]["trades"] == len(accepted)
    assert rows["q01_trades"][0]["refused"] == TRADES - len(accepted)
    assert {row["item_id"]: row["units"] for row in rows["q02_most_traded_item"]} == _units(accepted)
    for name, column, measure in (
        ("q03_most_diverse_inventory", "distinct_items", len),
        ("q04_most_valuable_inventory", "item_value", _value),
    ):
        highest, players = _highest(accepted, measure)
        assert {row[column] for row in rows[name]} == {highest}
        assert {row["player_id"] for row in rows[name]} == players


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
    created = max(measure(CLASSES[player.player_class].items) for player in plan_players(1, PLAYERS))
    assert highest > created
    return highest, {state["player_id"] for value, state in states if value == highest}


def test_helm_test_makes_a_trade_and_finds_it_in_trino(installation: Installation) -> None:
    run("helm", "test", RELEASE, "--namespace", installation.namespace, "--timeout", "3m", timeout_s=200)


def test_a_pod_without_an_edge_to_a_server_is_kept_out(installation: Installation) -> None:
    connect = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
    installation.probe("python", "-c", connect, f"{RELEASE}-trino", "8080")
    for server, port in (("redis", 6379), ("kafka", 9092), ("namenode", 8020), ("catalog", 5432), ("spark-ui", 4040)):
        with pytest.raises(AssertionError, match="timed out"):
            installation.probe("python", "-c", connect, f"{RELEASE}-{server}", str(port))


def test_two_simulations_side_by_side_do_not_clash(installation: Installation) -> None:
    for seed in (11, 12):
        installation.start_job("simulation", f"side-{seed}", PLAYERS=50, TRADES=300, SEED=seed)
    for seed in (11, 12):
        assert "300 of 300 trades" in installation.finish_job(f"side-{seed}", 120)


def test_an_upgrade_under_running_trades_fails_no_request_and_loses_nothing(installation: Installation) -> None:
    passwords = _passwords(installation)
    installation.start_job("simulation", "during-upgrade", PLAYERS=100, TRADES=1_500, RATE=25, CONCURRENCY=4, SEED=2)
    wait_until(lambda: installation.kubectl("logs", "job/during-upgrade"), 60, "the simulation trades")
    before = {pod["metadata"]["name"] for pod in installation.pods("engine")}
    installation.install("--set", "engine.workers=3")
    wait_until(
        lambda: not before & {pod["metadata"]["name"] for pod in installation.pods("engine")},
        60,
        "the old pod has drained",
    )
    log = installation.finish_job("during-upgrade", 180)
    assert "1,500 of 1,500 trades" in log
    assert re.search(r"\b0 sent again", log.splitlines()[-1]), log
    assert _passwords(installation) == passwords
    installation.audit("audit-upgrade")


def _passwords(installation: Installation) -> dict[str, Any]:
    return {
        secret["metadata"]["name"]: secret["data"]
        for secret in installation.objects("secrets", "--selector", "app.kubernetes.io/name=haggle")
    }


@pytest.mark.timeout(1_500)
def test_after_the_loss_of_any_pod_trades_reach_trino_again_within_ninety_seconds(installation: Installation) -> None:
    installation.start_job("simulation", "during-losses", PLAYERS=200, TRADES=1_000_000, RATE=10, CONCURRENCY=4, SEED=3)
    took: dict[str, float] = {}
    for part in PARTS:
        (lost, *_) = installation.pods(part)
        installation.kubectl("delete", "pod", lost["metadata"]["name"], "--grace-period=0", "--force")
        took[part] = wait_until(
            lambda: installation.probe("python", "-m", "jobs.smoke"),
            RECOVERY_S,
            f"trades in Trino after {part} was lost",
        )
        print(f"{part}: {took[part]:.0f} s", flush=True)
    status = json.loads(installation.kubectl("get", "job", "during-losses", "--output", "json"))["status"]
    assert status.get("active"), installation.kubectl("logs", "job/during-losses")
    print(installation.kubectl("logs", "job/during-losses").splitlines()[-1])
    installation.kubectl("delete", "job", "during-losses", "--wait")
    assert max(took.values()) <= RECOVERY_S


def test_the_audit_after_all_losses_is_exact(installation: Installation) -> None:
    installation.audit("audit-losses")


def test_uninstalling_leaves_nothing_but_the_volumes(installation: Installation) -> None:
    installation.kubectl("delete", "pod", "probe", "--wait")
    installation.kubectl("delete", "jobs", "--all", "--wait")
    run("helm", "uninstall", RELEASE, "--namespace", installation.namespace, "--wait", timeout_s=200)
    kinds = "pods,services,deployments,statefulsets,jobs,cronjobs,configmaps,secrets,serviceaccounts"
    kinds += ",roles,rolebindings,networkpolicies,poddisruptionbudgets"

    def nothing_left() -> bool:
        left = {item["metadata"]["name"] for item in installation.objects(kinds)}
        return left <= {"default", "kube-root-ca.crt"}

    wait_until(nothing_left, 90, "everything is gone")
    assert installation.objects("persistentvolumeclaims")
