"""One installation for all tests, in a namespace of its own that enforces Pod Security `restricted`."""

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from cluster import ROOT, Installation, run

NAMESPACE = "haggle-test"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Nothing can be tested without a cluster: every test is skipped, and says why."""
    reason = _missing()
    if reason:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))


def _missing() -> str:
    for program in ("kubectl", "helm"):
        if not shutil.which(program):
            return f"{program} is not on PATH"
    alive = subprocess.run(["kubectl", "get", "--raw", "/readyz"], capture_output=True, check=False, timeout=30)
    return "" if alive.returncode == 0 else "no cluster answers: KUBECONFIG names none that runs"


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    """An empty namespace; the first test installs into it, the last uninstalls."""
    run("kubectl", "delete", "namespace", NAMESPACE, "--ignore-not-found", timeout_s=180)
    run("kubectl", "create", "namespace", NAMESPACE)
    run("kubectl", "label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    yield Installation(NAMESPACE)
    run("kubectl", "delete", "namespace", NAMESPACE, timeout_s=180)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """After a failure the namespace's events and logs are kept in build/k8s-tests/."""
    report = yield
    found = getattr(item, "funcargs", {}).get("installation")
    if report.failed and found:
        found.save(ROOT / "build" / "k8s-tests" / item.name)
    return report
