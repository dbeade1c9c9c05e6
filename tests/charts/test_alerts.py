"""Each alert fires for its cause, alone, and ends with it: promtool plays what Prometheus would see."""

import math
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.charts.conftest import Rendered

RULES: Final = "global.monitoring.rules.enabled=true,global.monitoring.from[0].podSelector.matchLabels.app=prometheus"
INTERVAL_S: Final = 15
BEGIN_S: Final = 600
"""When the cause begins."""
SOON_S: Final = 120
"""By when what stops the game or its lake must be known."""
END_S: Final = 1_500
LONG: Final = ("HaggleSkippedSequences", "HaggleDeadLetters")
"""They go on for an hour after their cause; all others end within ten minutes."""

Name = tuple[str, str]
"""A series: the component that serves it, and the metric with its own labels."""
Value = Callable[[float], float | None]
"""What it is at a second; None: it is not served."""


def steady(value: float | None) -> Value:
    return lambda _: value


def growing(each_s: float) -> Value:
    return lambda at_s: each_s * at_s


def behind(lag_s: float) -> Value:
    """A moment that lies so far back."""
    return lambda at_s: at_s - lag_s


TRADES: Final = 'route="/v1/trades",method="POST"'
VOLUME: Final = 'persistentvolumeclaim="data-haggle-kafka-0"'
OTHERS_VOLUME: Final = 'persistentvolumeclaim="data-theirs-0"'
OUTBOX, KAFKA, LAKE = (
    ("relay", 'haggle_lag_seconds{stage="outbox"}'),
    ("streams", 'haggle_lag_seconds{stage="kafka"}'),
    ("streams", 'haggle_lag_seconds{stage="lake"}'),
)
FAILED: Final = ("engine", f'haggle_http_request_seconds_count{{{TRADES},status="503"}}')
FAST: Final = ("engine", f'haggle_http_request_seconds_bucket{{{TRADES},status="201",le="0.01"}}')
SKIPPED: Final = ("streams", 'haggle_lake_skipped_sequences_total{realm="main"}')
COMPONENTS: Final = ("redis", "engine", "relay", "kafka", "streams", "namenode", "datanode", "catalog", "trino")
HEALTHY: Final[dict[Name, Value]] = {
    **{(component, "up"): steady(1) for component in COMPONENTS},
    ("redis", "redis_up"): steady(1),
    ("catalog", "pg_up"): steady(1),
    ("engine", f'haggle_http_request_seconds_count{{{TRADES},status="201"}}'): growing(20),
    ("engine", f'haggle_http_request_seconds_count{{{TRADES},status="409"}}'): growing(2),
    FAILED: steady(0),
    FAST: growing(20),
    ("engine", f'haggle_http_request_seconds_bucket{{{TRADES},status="201",le="1.0"}}'): growing(20),
    ("engine", f'haggle_http_request_seconds_bucket{{{TRADES},status="201",le="+Inf"}}'): growing(20),
    # not ready while Redis was down a minute ago, or while it starts: no caller's command
    ("engine", 'haggle_http_request_seconds_count{route="/readyz",method="GET",status="503"}'): growing(1),
    ("engine", 'haggle_finding_ok{finding="audit"}'): steady(1),
    ("engine", 'haggle_finding_timestamp_seconds{finding="audit"}'): behind(60),
    ("engine", 'haggle_finding_timestamp_seconds{finding="report"}'): behind(60),
    OUTBOX: steady(0.1),
    ("relay", "haggle_redis_full_in_seconds"): steady(float("nan")),
    ("relay", "haggle_redis_memory_used_bytes"): steady(50),
    ("relay", "haggle_redis_memory_max_bytes"): steady(100),
    KAFKA: steady(0.5),
    LAKE: steady(0.5),
    SKIPPED: steady(0),
    ("streams", "haggle_lake_dead_letters_total"): steady(0),
    ("kafka", "kafka_underreplicatedpartitions"): steady(0),
    ("namenode", "fs_namesystem_capacity_total"): steady(100),
    ("namenode", "fs_namesystem_capacity_remaining"): steady(50),
    ("namenode", "fs_namesystem_missing_blocks"): steady(0),
    ("kubelet", f"kubelet_volume_stats_capacity_bytes{{{VOLUME}}}"): steady(100),
    ("kubelet", f"kubelet_volume_stats_available_bytes{{{VOLUME}}}"): steady(50),
    ("kubelet", f"kubelet_volume_stats_capacity_bytes{{{OTHERS_VOLUME}}}"): steady(100),
    ("kubelet", f"kubelet_volume_stats_available_bytes{{{OTHERS_VOLUME}}}"): steady(1),
}


def gone(component: str) -> dict[Name, Value]:
    """Nothing of a component is served, as if its pod had been deleted."""
    return {name: steady(None) for name in HEALTHY if name[0] == component}


WAIT: Final = steady(500)
DOWN: Final[dict[str, dict[Name, Value]]] = {
    "HaggleRedisDown": {**gone("redis"), FAILED: growing(20), OUTBOX: WAIT},
    "HaggleEngineDown": gone("engine"),
    "HaggleRelayDown": gone("relay"),
    "HaggleKafkaDown": {**gone("kafka"), OUTBOX: WAIT, KAFKA: WAIT},
    "HaggleStreamsDown": gone("streams"),
    "HaggleNameNodeDown": {**gone("namenode"), ("streams", "up"): steady(0), LAKE: WAIT},
    "HaggleDataNodeDown": {
        **gone("datanode"),
        ("namenode", "fs_namesystem_missing_blocks"): steady(7),
        KAFKA: WAIT,
        LAKE: WAIT,
    },
    "HaggleCatalogDown": {**gone("catalog"), ("streams", "up"): steady(0)},
    "HaggleTrinoDown": gone("trino"),
}
"""The causes that a pod's end is, each with what follows from it."""
CAUSES: Final[dict[str, dict[Name, Value]]] = {
    **DOWN,
    "HaggleCommandsRefused": {FAILED: growing(1)},
    "HaggleTradesSlow": {FAST: steady(0)},
    "HaggleOutboxLag": {OUTBOX: WAIT},
    "HaggleKafkaLag": {KAFKA: WAIT},
    "HaggleLakeLag": {LAKE: WAIT},
    "HaggleAuditFailed": {("engine", 'haggle_finding_ok{finding="audit"}'): steady(0)},
    "HaggleAuditLate": {("engine", 'haggle_finding_timestamp_seconds{finding="audit"}'): behind(2 * 86_400 + 60)},
    "HaggleReportLate": {("engine", 'haggle_finding_timestamp_seconds{finding="report"}'): behind(7_260)},
    "HaggleSkippedSequences": {SKIPPED: steady(3)},
    "HaggleDeadLetters": {("streams", "haggle_lake_dead_letters_total"): steady(3)},
    "HaggleRedisFilling": {("relay", "haggle_redis_full_in_seconds"): steady(3_600)},
    "HaggleHdfsFilling": {("namenode", "fs_namesystem_capacity_remaining"): steady(5)},
    "HaggleHdfsBlocksMissing": {("namenode", "fs_namesystem_missing_blocks"): steady(7)},
    "HaggleKafkaUnderReplicated": {("kafka", "kafka_underreplicatedpartitions"): steady(3)},
    "HaggleVolumeFilling": {("kubelet", f"kubelet_volume_stats_available_bytes{{{VOLUME}}}"): steady(5)},
}
OTHER_WAYS: Final = [
    ("HaggleRedisDown", {("redis", "redis_up"): steady(0)}),
    ("HaggleCatalogDown", {("catalog", "pg_up"): steady(0)}),
    ("HaggleTrinoDown", {("trino", "up"): steady(0)}),
    ("HaggleRedisFilling", {("relay", "haggle_redis_memory_used_bytes"): steady(95)}),
]
"""Of the same alerts."""


@pytest.fixture(scope="session")
def rules(render: Callable[..., Rendered], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The groups of the PrometheusRule, as a file of Prometheus."""
    rendered = render("--set", RULES)
    (rule,) = rendered.of_kind("PrometheusRule").values()
    path: Path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(yaml.safe_dump(rule["spec"]))
    return path


def promtool(*arguments: str | Path) -> None:
    found = shutil.which("promtool")
    if not found:
        pytest.skip("promtool is not on PATH")
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def alerts(rules: Path) -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(rules.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def full_name(name: Name) -> str:
    """The series as Prometheus has it: with the labels of the pod, or those of the kubelet."""
    component, metric = name
    metric, _, own = metric.rstrip("}").partition("{")
    labels = ['namespace="games"', *([own] if own else [])]
    if component != "kubelet":
        labels += ['app_kubernetes_io_instance="haggle"', f'app_kubernetes_io_component="{component}"']
    return f"{metric}{{{','.join(labels)}}}"


def values(name: Name, cause: Mapping[Name, Value], until_s: int) -> str:
    """Its samples in promtool's words; as Prometheus marks it when a series is no longer served."""
    samples = []
    for at_s in range(0, until_s + 1, INTERVAL_S):
        value = cause.get(name, HEALTHY[name]) if BEGIN_S <= at_s < END_S else HEALTHY[name]
        number = value(at_s)
        samples.append("stale" if number is None else "NaN" if math.isnan(number) else f"{number:g}")
    return " ".join(samples)


def firing(at_s: int, *names: str) -> dict[str, Any]:
    """At that second these alerts fire, and no others."""
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in names]
    return {"expr": 'max by (alertname) (ALERTS{alertstate="firing"})', "eval_time": f"{at_s}s", "exp_samples": samples}


def play(rules: Path, alert: str, cause: Mapping[Name, Value], by_s: int, *, ends: bool = True) -> None:
    until_s = END_S + (3_900 if alert in LONG else 600)
    test = {
        "interval": f"{INTERVAL_S}s",
        "input_series": [{"series": full_name(name), "values": values(name, cause, until_s)} for name in HEALTHY],
        "promql_expr_test": [
            firing(BEGIN_S - 1),
            firing(BEGIN_S + by_s, alert),
            *([firing(until_s)] if ends else []),
        ],
    }
    path = rules.parent / f"{alert}.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "15s", "tests": [test]}))
    promtool("test", "rules", path)


def test_every_alert_has_a_cause_that_is_played_here(rules: Path) -> None:
    promtool("check", "rules", rules)
    assert set(CAUSES) == set(alerts(rules))


@pytest.mark.parametrize(("alert", "cause"), [*CAUSES.items(), *OTHER_WAYS])
def test_an_alert_fires_for_its_cause_alone_and_ends_with_it(
    rules: Path, alert: str, cause: Mapping[Name, Value]
) -> None:
    waits_s = {"0m": 0, "1m": 60, "5m": 300}[alerts(rules)[alert]["for"]]
    play(rules, alert, cause, SOON_S if alert in DOWN else max(SOON_S, waits_s + 180))


def test_hdfs_that_would_be_full_within_a_day_is_known_while_it_is_half_empty(rules: Path) -> None:
    shrinking = {("namenode", "fs_namesystem_capacity_remaining"): lambda at_s: 50 - (at_s - BEGIN_S) / 100}
    play(rules, "HaggleHdfsFilling", shrinking, 600, ends=False)


def test_an_alert_of_a_part_that_is_not_installed_is_not_made(render: Callable[..., Rendered]) -> None:
    existing = str(Path(__file__).parent / "existing-services.yaml")
    rendered = render("--values", existing, "--set", RULES)
    (rule,) = rendered.of_kind("PrometheusRule").values()
    made = {each["alert"] for group in rule["spec"]["groups"] for each in group["rules"] if "alert" in each}
    assert "HaggleEngineDown" in made
    assert not {"HaggleRedisDown", "HaggleKafkaDown", "HaggleTrinoDown", "HaggleHdfsFilling"} & made
