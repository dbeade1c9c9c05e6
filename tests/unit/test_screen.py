"""The demo's screen: bars on a terminal, a line for each step elsewhere."""

import io
import re

import pytest
from rich.console import Console

from jobs.cli.screen import Screen


def shown(*, is_terminal: bool) -> str:
    text = io.StringIO()
    with Screen(Console(file=text, force_terminal=is_terminal, width=120)) as screen:
        with screen.step("servers", "Java starts slowly") as servers:
            servers.show(1, 2, "waiting for trino")
            with screen.step("game", "players trade") as game:
                game.show(5, 10, "5 trades")
            servers.show(2, 2, "2 servers are ready")
        assert screen.times_s.keys() == {"game", "servers"}
    return text.getvalue()


def test_in_a_pipe_a_step_is_a_line_when_it_begins_and_one_when_it_is_over_without_control_characters() -> None:
    lines = re.sub(r"\d+\.\d s", "N s", shown(is_terminal=False)).splitlines()
    assert lines == [
        "servers: Java starts slowly …",
        "game: players trade …",
        "game: done in N s, 5 trades",
        "servers: done in N s, 2 servers are ready",
    ]


def test_on_a_terminal_both_steps_are_on_one_screen_with_their_times() -> None:
    last = shown(is_terminal=True).split("\x1b[2K")
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", "".join(last[-3:]))
    assert re.search(r"✓ servers .*\d+\.\d s 2 servers are ready", text)
    assert re.search(r"✓ game .*\d+\.\d s 5 trades", text)


def test_a_step_that_fails_has_no_time() -> None:
    screen = Screen(Console(file=io.StringIO()))
    with pytest.raises(KeyError), screen, screen.step("audit", "it compares"):
        raise KeyError
    assert screen.times_s == {}
