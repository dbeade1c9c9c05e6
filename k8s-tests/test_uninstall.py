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
    wait_until(lambda: _nothing_left(installation), 90, "everything is gone")
    assert installation.core.list_namespaced_persistent_volume_claim(installation.namespace).items


def _nothing_left(installation: Release) -> bool:
    """Whether every namespaced kind has only what is in each namespace, volumes and what reports on others."""
    cluster = DynamicClient(ApiClient())
    kept = {"Event", "Endpoints", "EndpointSlice", "PersistentVolumeClaim", "ControllerRevision"}
    left = {
        (resource.kind, item.metadata.name)
        for resource in cluster.resources.search(namespaced=True)
        if resource.kind not in kept and not resource.kind.endswith("List") and "list" in (resource.verbs or [])
        for item in cluster.get(resource, namespace=installation.namespace).items
    }
    left -= {("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")}
    assert not left, left
    return True
