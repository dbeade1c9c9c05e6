"""A real Prometheus beside the release: it sees every part, dashboards have lines, and what is down has an alert."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import yaml
from cluster import CHART, HELM_OPTIONS, VALUES, Release, ready, run, wait_until
from conftest import FIGURES
from kubernetes.client import V1ConfigMap, V1ObjectMeta

pytestmark = pytest.mark.timeout(1200)

COMPONENTS: Final = {
    "redis": "StatefulSet", "engine": "Deployment", "relay": "Deployment", "kafka": "StatefulSet",
    "streams": "StatefulSet", "namenode": "StatefulSet", "datanode": "StatefulSet", "catalog": "StatefulSet",
    "trino": "Deployment",
}  # fmt: skip
TITLES: Final = {"namenode": "NameNode", "datanode": "DataNode"}
LOST: Final = os.environ.get("K8S_ALERTS", "trino kafka").split()
"""Whose loss is tried: each takes up to four minutes; K8S_ALERTS names others."""
FIRES_S: Final = 120
RESOLVES_S: Final = 300


@pytest.fixture(scope="module")
def prometheus(installation: Release) -> Iterator["Prometheus"]:
    """A Prometheus in the release's namespace, with the release's rules."""
    rules = manifest(installation, "PrometheusRule")["spec"]
    body = V1ConfigMap(metadata=V1ObjectMeta(name="prometheus-rules"), data={"rules.yaml": json.dumps(rules)})
    installation.core.create_namespaced_config_map(installation.namespace, body)
    kubectl, file = ("kubectl", "--namespace", installation.namespace), str(Path(__file__).parent / "prometheus.yaml")
    run(*kubectl, "apply", "-f", file)
    pod = ("prometheus", installation.namespace)
    wait_until(lambda: ready(installation.core.read_namespaced_pod(*pod)), 60, "Prometheus is ready")
    with installation.port_forward("pod/prometheus", 9090) as url:
        yield Prometheus(url, installation)
    run(*kubectl, "delete", "-f", file)
    installation.core.delete_namespaced_config_map("prometheus-rules", installation.namespace)


def manifest(installation: Release, kind: str) -> dict[str, Any]:
    """The object of a kind that the chart makes for Prometheus or Grafana."""
    command = ["helm", "template", installation.name, str(CHART), "--namespace", installation.namespace]
    command += ["--kube-version", "1.34.0", "--values", str(VALUES), *HELM_OPTIONS]
    wanted = "global.monitoring.rules.enabled=true,global.monitoring.dashboards.enabled=true"
    found = yaml.safe_load_all(run(*command, "--set", wanted))
    (item,) = [
        each for each in found if each and each["kind"] == kind and {"groups", "haggle-game.json"} & set(_content(each))
    ]
    return dict(item)


def _content(item: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = item.get("spec") or item.get("data") or {}
    return content


class Prometheus:
    """Questions to it."""

    def __init__(self, url: str, installation: Release) -> None:
        self._url = url
        self._installation = installation

    def ask(self, expression: str) -> list[dict[str, Any]]:
        answer = requests.get(f"{self._url}/api/v1/query", params={"query": expression}, timeout=10).json()
        assert answer["status"] == "success", answer
        return list(answer["data"]["result"])

    def firing(self) -> set[str]:
        return {each["metric"]["alertname"] for each in self.ask('ALERTS{alertstate="firing"}')}

    def up(self) -> set[str]:
        return {each["metric"]["app_kubernetes_io_component"] for each in self.ask("up == 1")}


def test_prometheus_reads_the_metrics_of_every_part(installation: Release, prometheus: Prometheus) -> None:
    wait_until(lambda: prometheus.up() == set(COMPONENTS), 120, "every part is up")
    assert not prometheus.firing()


def test_no_panel_of_a_dashboard_is_empty(installation: Release, prometheus: Prometheus) -> None:
    installation.start_job("simulation", "for-dashboards", PLAYERS=20, TRADES=600, RATE=10, SEED=8)
    installation.audit("audit-for-dashboards")
    installation.start_job("report", "report-for-dashboards")
    installation.finish_job("report-for-dashboards", 240)
    dashboards = manifest(installation, "ConfigMap")["data"]
    assert len(dashboards) == 3
    queries = [
        target["expr"].replace("$namespace", installation.namespace).replace("$release", installation.name)
        for text in dashboards.values()
        for panel in json.loads(text)["panels"]
        for target in panel["targets"]
    ]

    def empty() -> list[str]:
        return [query for query in queries if not prometheus.ask(query)]

    def none_is_empty() -> bool:
        assert not empty(), empty()
        return True

    wait_until(none_is_empty, 120, "every query has an answer", pause_s=5)


@pytest.mark.parametrize("component", LOST)
def test_the_alert_of_a_part_that_is_down_fires_alone_and_ends_when_it_is_back(
    installation: Release, prometheus: Prometheus, component: str
) -> None:
    wait_until(lambda: not prometheus.firing(), RESOLVES_S, "no alert fires before")
    alert = f"Haggle{TITLES.get(component, component.title())}Down"
    with taken_away(installation, component):
        took = wait_until(prometheus.firing, FIRES_S, f"{alert} fires")
        assert prometheus.firing() == {alert}
        FIGURES.append((f"{component} taken away, until its alert", f"{took:.0f} s"))
    took = wait_until(lambda: not prometheus.firing(), RESOLVES_S, f"{alert} ends")
    FIGURES.append((f"{component} back, until its alert has ended", f"{took:.0f} s"))


@contextmanager
def taken_away(installation: Release, component: str) -> Iterator[None]:
    """A part has no pod meanwhile, as after `kubectl scale --replicas 0`."""
    name = f"{COMPONENTS[component].lower()}/{installation.fullname}-{component}"
    command = ["kubectl", "--namespace", installation.namespace, "scale", name]
    run(*command, "--replicas", "0")
    try:
        wait_until(lambda: not installation.pods(component), 60, f"{component} has no pod")
        yield
    finally:
        run(*command, "--replicas", "1")
        wait_until(lambda: ready(installation.pod(component)), 240, f"{component} is back")
