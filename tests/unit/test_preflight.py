"""What is missing is said in one sentence with the Debian command that helps."""

import os
import socket
from pathlib import Path

import pytest

from jobs.local import preflight


def fake_java(folder: Path, version: str) -> None:
    program = folder / "java"
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)


def test_no_java_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (problem,) = preflight.check_java()
    assert "no java on the PATH" in problem
    assert "apt-get install openjdk-17" in problem


@pytest.mark.parametrize("version", ["11.0.2", "1.8.0_392", "25.0.1"])
def test_another_java_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str) -> None:
    fake_java(tmp_path, version)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (problem,) = preflight.check_java()
    assert "Java 17 or 21 is needed" in problem


def test_a_right_java_is_no_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_java(tmp_path, "21.0.4")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert list(preflight.check_java()) == []


def test_maven_is_asked_for_only_when_something_must_be_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list(preflight.check_maven(needed=False)) == []
    (problem,) = preflight.check_maven(needed=True)
    assert "apt-get install maven" in problem


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    (problem,) = preflight.check_disk(tmp_path / "not" / "there", 1e9, "The data")
    assert "GiB free" in problem


def test_a_taken_port_is_named_with_who_wants_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (problem,) = preflight.check_ports({"kafka (kafka)": port})
    assert f"port {port}, which kafka (kafka) wants, is taken" in problem
