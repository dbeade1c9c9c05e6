"""The release under test is removed, after all other tests."""

import pytest
from cluster import Release, wait_until
from kubernetes.client import ApiClient
from kubernetes.dynamic import DynamicClient

pytestmark = pytest.mark.timeout(600)


def test_uninstalling_leaves_nothing_but_the_volumes(installation: Release) -> None:
    installation.stop_probe()
    installation.remove_jobs(*installation.jobs())
    installation.uninstall()
    wait_until(lambda: _left(installation) <= {"default", "kube-root-ca.crt"}, 90, "everything is gone")
    assert installation.core.list_namespaced_persistent_volume_claim(installation.namespace).items


def _left(installation: Release) -> set[str]:
    """The names of all objects of the namespace that can be listed, but for volumes and what reports on others."""
    cluster = DynamicClient(ApiClient())
    reports = {"Event", "Endpoints", "EndpointSlice", "PersistentVolumeClaim", "ControllerRevision"}
    left = set()
    for resource in cluster.resources.search(namespaced=True):
        if resource.kind not in reports and "list" in (resource.verbs or []) and not resource.kind.endswith("List"):
            left |= {item.metadata.name for item in cluster.get(resource, namespace=installation.namespace).items}
    return left
