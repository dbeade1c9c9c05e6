"""Who may import whom, and who may read the environment."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests import ROOT

JOBS_MAY_IMPORT = (
    # the reports are open to the same keys as the engine
    "app.auth.ServiceKeys",
    "app.contract",
    "app.economy",
    "app.settings",
    "app.errors",
    "app.logs",
    "app.health",
    "app.lag",
    "app.relay.topic.realm_partition",
)
COMPOSITION_ROOTS = {
    "app/http/app.py",
    "app/http/gunicorn.py",
    "jobs/cli/group.py",
    "jobs/report/serve.py",
    "jobs/local/stack.py",  # hands the environment on to the processes it starts
}
"""Beside every module that is run as a program."""

LAYERS = {"http": 3, "relay": 3, "live": 2, "usecases": 2, "store": 1, "domain": 0, "contract": -1}
"""Of app: each may import those that stand lower."""


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def test_app_never_imports_jobs() -> None:
    offenders = [(path, name) for path in sources("app") for name in imports(path) if name.split(".")[0] == "jobs"]
    assert offenders == []


def test_jobs_import_of_app_only_what_does_not_decide_about_trades() -> None:
    offenders = [
        (path, name)
        for path in sources("jobs")
        for name in imports(path)
        if name.startswith("app.") and not name.startswith(JOBS_MAY_IMPORT)
    ]
    assert offenders == []


def test_each_layer_imports_only_those_below_it() -> None:
    for path in sources("app"):
        own = path.relative_to(ROOT / "app").parts[0].removesuffix(".py")
        for name in imports(path):
            other = name.split(".")[1] if name.startswith("app.") else own
            if own in LAYERS and other in LAYERS and other != own:
                assert LAYERS[other] < LAYERS[own], f"{path} imports {name}"


def test_only_the_store_and_the_relay_know_redis_and_only_the_relay_knows_kafka() -> None:
    rooms = {"redis": {"store", "relay"}, "kafka": {"relay"}, "flask": {"http"}}
    for path in sources("app"):
        own = path.relative_to(ROOT / "app").parts[0]
        for name in imports(path):
            assert own in rooms.get(name.split(".")[0], {own}), f"{path} imports {name}"


def test_only_composition_roots_read_the_environment() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for package in ("app", "jobs")
        for path in sources(package)
        if "os.environ" in path.read_text() and 'if __name__ == "__main__":' not in path.read_text()
    }
    assert readers == COMPOSITION_ROOTS
