"""Who may import whom, and who may read the environment."""

import ast
from collections.abc import Iterator
from pathlib import Path

from app.generate import ROOT

JOBS_MAY_IMPORT = ("app.contract", "app.settings", "app.errors", "app.logs", "app.relay.topic.realm_partition")
COMPOSITION_ROOTS = {
    "app/entrypoints/http.py",
    "app/entrypoints/gunicorn_conf.py",
    "jobs/embedded/stack.py",  # hands the environment on to the processes it starts
}
"""Beside every module that is run as a program."""

LAYERS = {"entrypoints": 3, "handlers.py": 2, "adapters": 1}


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


def test_jobs_import_only_contract_settings_errors_and_logs_of_app() -> None:
    offenders = [
        (path, name)
        for path in sources("jobs")
        for name in imports(path)
        if name.startswith("app.") and not name.startswith(JOBS_MAY_IMPORT)
    ]
    assert offenders == []


def test_adapters_and_handlers_never_import_what_is_above_them() -> None:
    def level(name: str) -> int:
        parts = name.split(".")
        return LAYERS.get(parts[1], LAYERS.get(f"{parts[1]}.py", 0)) if len(parts) > 1 else 0

    for path in sources("app"):
        own = LAYERS.get(path.relative_to(ROOT / "app").parts[0])
        if own:
            assert [name for name in imports(path) if name.startswith("app.") and level(name) > own] == [], path


def test_only_composition_roots_read_the_environment() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for package in ("app", "jobs")
        for path in sources(package)
        if "os.environ" in path.read_text() and 'if __name__ == "__main__":' not in path.read_text()
    }
    assert readers == COMPOSITION_ROOTS
