"""docs/own-game.md, followed: its file and its commands, on the stack's servers.

The engine and the relay of the game's realm are started here, in place of `haggle up`, so that the suite needs no
second set of servers; all other commands are run as they stand on the page.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from app.settings import SETTINGS
from jobs.lake.trino import Lake
from jobs.local.stack import Stack
from tests import ROOT
from tests.conftest import SERVICE_KEY, wait_until
from tests.kafka import free_port
from tests.serving import served

pytestmark = pytest.mark.stack
PAGE = (ROOT / "docs" / "own-game.md").read_text()
HAGGLE = [sys.executable, "-m", "jobs.cli"]
REALM = "space"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def commands() -> list[str]:
    """The lines of the page's shell blocks that are for one machine, joined where they go on."""
    shell = "\n".join(block for block in blocks("sh") if "helm" not in block)
    return [line for line in re.sub(r"\\\n\s*", "", shell).splitlines() if line]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "space.toml").write_text(*blocks("toml"))
    return tmp_path


@contextmanager
def game(stack: Stack, folder: Path) -> Iterator[dict[str, str]]:
    """Engine and relay of the game; gives the environment of its commands."""
    own = stack.settings()
    economy = {"ECONOMY_FILE": str(folder / "space.toml")}
    environment = {item.name.upper(): str(getattr(own, item.name)) for item in SETTINGS} | {"REALM": REALM}
    with served(replace(own, realm=REALM), **economy) as port:
        relay_port = free_port()
        environment |= {"ENGINE_URL": f"http://127.0.0.1:{port}", "SERVICE_KEYS": SERVICE_KEY}
        environment |= {"RELAY_METRICS_PORT": str(relay_port)}
        relay = subprocess.Popen([sys.executable, "-m", "app.relay"], env=os.environ | environment)
        try:
            yield os.environ | environment
        finally:
            relay.terminate()
            relay.wait(timeout=20)


def run(line: str, folder: Path, environment: dict[str, str]) -> str:
    """A command of the page; `haggle` is the one of this checkout, on the realm's servers."""
    line = line.replace(".venv/bin/haggle --home .space", "haggle").replace(".venv/bin/haggle", "haggle")
    line = line.replace("haggle", shlex.join(HAGGLE), 1) if line.startswith("haggle") else line
    done = subprocess.run(
        ["bash", "-ec", line], cwd=folder, env={**environment, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    return done.stdout


def test_the_page_leads_from_a_file_to_its_report(stack: Stack, folder: Path) -> None:
    names = {item["name"] for item in tomllib.loads((folder / "space.toml").read_text())["items"]}
    assert len(names) == 10
    with game(stack, folder) as environment:
        variables = environment | {"ENGINE": environment["ENGINE_URL"], "KEY": f"Authorization: Bearer {SERVICE_KEY}"}
        said = {
            line: run(line, folder, variables)
            for line in commands()
            if not line.startswith(("ENGINE=", "KEY=")) and not line.endswith(("up", "reset --yes"))
        }
        assert any("10 items, 3 classes" in text for text in said.values())
        report = json.loads((folder / "space-report" / "report.json").read_text())
        (traded,) = (each for each in report["questions"] if each["name"] == "q_most_traded_item")
        assert {row["name"] for row in traded["rows"]} <= names
        assert not any(each["reference"] for each in report["questions"])
        check_player(environment["ENGINE_URL"])
        wait_until(lambda: items_of(stack) == names, 60, pause_s=0.5)


def check_player(engine: str) -> None:
    """Player 51 was created, has crafted, and is forgotten."""
    headers = {"Authorization": f"Bearer {SERVICE_KEY}"}
    player: dict[str, Any] = requests.get(f"{engine}/v1/players/51", headers=headers, timeout=5).json()
    assert (player["username"], player["closed"], player["gold"]) == (None, True, 195)
    assert {item["name"]: item["quantity"] for item in player["inventory"]["items"]} == {
        "Ore": 108, "Ration": 30, "Hull Plate": 1,
    }  # fmt: skip


def items_of(stack: Stack) -> set[str]:
    rows = Lake(stack.settings()).run("select name from lake.haggle.items where realm = ?", (REALM,)).rows
    return {name for (name,) in rows}
