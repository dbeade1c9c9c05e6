"""A release on servers that it did not install: with what is missing or wrong, named in one line, and as it should be.

The servers are those of the release under test, which still runs. The tests run in this order.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from cluster import Release, ready, wait_until
from kubernetes.client import (
    NetworkingV1Api,
    V1LabelSelector,
    V1NetworkPolicy,
    V1NetworkPolicyIngressRule,
    V1NetworkPolicyPeer,
    V1NetworkPolicySpec,
    V1ObjectMeta,
    V1Secret,
)

pytestmark = pytest.mark.timeout(600)

VALUES: Final = Path(__file__).parent / "guest.yaml"
SECRETS: Final = {"redis-login": "redis", "catalog-login": "catalog"}
WITH_STREAMS: Final = "spark.enabled=true"


@pytest.fixture(scope="module", autouse=True)
def _host_lets_guests_in(installation: Release, guest: Release) -> Iterator[None]:
    """What the owner of a namespace adds to the chart's own policies, to share its servers."""
    labels = {"kubernetes.io/metadata.name": guest.namespace}
    peer = V1NetworkPolicyPeer(namespace_selector=V1LabelSelector(match_labels=labels))
    spec = V1NetworkPolicySpec(
        pod_selector=V1LabelSelector(), ingress=[V1NetworkPolicyIngressRule(_from=[peer])], policy_types=["Ingress"]
    )
    policy = V1NetworkPolicy(metadata=V1ObjectMeta(name="guests"), spec=spec)
    NetworkingV1Api().create_namespaced_network_policy(installation.namespace, policy)
    yield
    NetworkingV1Api().delete_namespaced_network_policy("guests", installation.namespace)


def test_a_missing_secret_keeps_its_pods_from_starting_and_is_named_by_an_event(guest: Release) -> None:
    guest.install("--set", WITH_STREAMS, values=VALUES, wait=False)
    for component in ("engine", "relay"):
        wait_until(partial(_waits_for_configuration, guest, component), 60, f"{component} lacks its Secret")
    messages = [event.message for event in guest.core.list_namespaced_event(guest.namespace).items]
    assert any('secret "redis-login" not found' in message for message in messages)


def _waits_for_configuration(guest: Release, component: str) -> bool:
    waiting = [status.state.waiting for status in guest.pod(component).status.container_statuses or []]
    return [state.reason for state in waiting if state] == ["CreateContainerConfigError"]


def test_a_wrong_password_is_one_line_in_the_log_and_nothing_becomes_ready(guest: Release) -> None:
    for name in SECRETS:
        secret = V1Secret(metadata=V1ObjectMeta(name=name), string_data={"password": "wrong"})
        guest.core.create_namespaced_secret(guest.namespace, secret)
    redis = "Redis at haggle-redis.haggle-test.svc:6379 does not accept the password"
    for component, words in {"engine": redis, "relay": redis, "streams": "password authentication failed"}.items():
        _says(guest, component, words)


def test_a_release_on_servers_of_another_one_trades_and_its_realm_is_complete(
    installation: Release, guest: Release
) -> None:
    for name, part in SECRETS.items():
        secret = installation.core.read_namespaced_secret(f"{installation.fullname}-{part}", installation.namespace)
        guest.core.patch_namespaced_secret(name, guest.namespace, {"data": secret.data})
    guest.install(values=VALUES)
    assert "Trino answers with it" in guest.helm_test()
    guest.audit("audit")


@pytest.mark.parametrize(
    ("component", "values", "words"),
    [
        ("engine", "global.redis.existing.host=nowhere", "Redis at nowhere:6379 cannot be reached"),
        ("relay", "global.kafka.existing.bootstrapServers=nowhere:9092", "Kafka at nowhere:9092 cannot be reached"),
        ("streams", "global.hdfs.existing.url=hdfs://nowhere:8020", "HDFS at nowhere:8020 does not answer"),
        ("streams", "global.catalog.existing.host=nowhere", "the catalog at nowhere:5432 lets nobody in"),
        ("streams", "global.kafka.existing.bootstrapServers=nowhere:9092", "Kafka at nowhere:9092 does not answer"),
    ],
)
def test_a_server_that_cannot_be_reached_is_one_line_in_the_log_and_nothing_becomes_ready(
    guest: Release, component: str, values: str, words: str
) -> None:
    guest.install("--set", f"{WITH_STREAMS},{values}", values=VALUES, wait=False)
    _says(guest, component, words)


def test_a_report_without_trino_says_where_it_asked(guest: Release) -> None:
    guest.install("--set", "global.trino.existing.url=http://nowhere:8080", values=VALUES, wait=False)
    guest.start_job("report", "report")
    wait_until(lambda: guest.job_ended("report"), 120, "the report gives up")
    assert "Trino at http://nowhere:8080 does not answer" in guest.job_log("report").splitlines()[-1]


def _says(guest: Release, component: str, words: str) -> None:
    """Waits for a line of the component's newest pod with these words; the pod is not ready."""
    wait_until(lambda: any(words in line for line in guest.log(component).splitlines()), 90, f"{component}: {words}")
    assert not ready(guest.pod(component))
