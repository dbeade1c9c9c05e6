"""One installation for all tests, in a namespace of its own that enforces Pod Security `restricted`."""

import os
import shutil
from collections.abc import Iterator
from typing import Any, Final

import pytest
from cluster import ROOT, Release, namespace
from kubernetes import config
from kubernetes.client import VersionApi
from urllib3.exceptions import HTTPError

SAVED: Final = ROOT / "build" / "k8s-tests"
FIGURES: Final[list[tuple[str, str]]] = []
"""What was measured, as name and value: printed at the end, since a machine's speed fails no test."""


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
    try:
        config.load_kube_config()
        VersionApi().get_code(_request_timeout=30)
    except (config.ConfigException, HTTPError) as error:
        return f"no cluster answers; KUBECONFIG={os.environ.get('KUBECONFIG', '')}: {error}"
    return ""


@pytest.fixture(scope="session")
def installation() -> Iterator[Release]:
    """The release under test in an empty namespace; the first test installs it, the last uninstalls it."""
    with namespace("haggle-test") as name:
        yield Release(name)


@pytest.fixture(scope="session")
def guest() -> Iterator[Release]:
    """Another release in another empty namespace, whose servers are those of the first."""
    with namespace("haggle-test-guest") as name:
        yield Release(name, "guest")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """After a failure the events and logs of the namespaces are kept in build/k8s-tests/."""
    report = yield
    if report.failed:
        for name, release in getattr(item, "funcargs", {}).items():
            if isinstance(release, Release):
                folder = SAVED / item.name / name
                events = release.save(folder)
                report.sections.append((f"all events and logs are in {folder}; the newest events", events))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the figures as a table."""
    if FIGURES:
        terminalreporter.section("figures")
        width = max(len(name) for name, _ in FIGURES)
        for name, value in FIGURES:
            terminalreporter.line(f"{name:{width}}  {value}")
