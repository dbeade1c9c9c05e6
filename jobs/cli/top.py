"""Shows what the stack does now, over and over: its processes, the game, and the way to the lake."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from app.errors import HaggleError
from jobs import engine
from jobs.cli.group import cli, out

if TYPE_CHECKING:
    from jobs.local.stack import ProcessStatus, Stack

_RATE_OVER_S: Final = 10
_TRADES: Final = 5


@cli.command("top")
@click.option("--every-s", type=click.FloatRange(0.5, 60), default=2.0, help="Seconds between two looks.")
@click.pass_obj
def top_command(stack: "Stack", every_s: float) -> None:
    """Show processes, the game and the way to the lake, and go on until Ctrl-C; in a pipe, once."""
    if not stack.exists:
        raise HaggleError(f"there is no stack in {stack.home}; start one with `haggle up`")
    usage = _Usage()
    if not out.is_terminal:
        out.print(_page(stack, usage))
        return
    try:
        with Live(_page(stack, usage), console=out, screen=True, auto_refresh=False) as screen:
            while True:
                time.sleep(every_s)
                screen.update(_page(stack, usage), refresh=True)
    except KeyboardInterrupt:
        return


class _Usage:
    """Processor time of the processes since the look before."""

    def __init__(self) -> None:
        self._before: dict[str, float] = {}
        self._at = time.monotonic()

    def percents(self, cpu_s: Mapping[str, float]) -> dict[str, float]:
        """Of one core, by name; nothing of what was not there at the look before, or started anew since."""
        now = time.monotonic()
        passed_s, before = now - self._at, self._before
        self._at, self._before = now, dict(cpu_s)
        return {
            name: 100 * (used_s - before[name]) / passed_s
            for name, used_s in cpu_s.items()
            if name in before and used_s >= before[name]
        }


def _page(stack: "Stack", usage: _Usage) -> RenderableType:
    statuses = stack.statuses()
    head = Text(f"haggle in {stack.home}, {time.strftime('%H:%M:%S')}", style="bold")
    percents = usage.percents({status.name: status.cpu_s for status in statuses})
    parts: list[RenderableType] = [head, "", _processes(stack.home, statuses, percents), ""]
    try:
        live = engine.get(stack.settings(), "/v1/live")
    except HaggleError as error:
        return Group(*parts, Text(str(error), style="red"))
    return Group(
        *parts, _game(live), "", _way(live), *(Text(f"{part}: {why}") for part, why in live["missing"].items())
    )


def _processes(home: Path, statuses: "list[ProcessStatus]", percents: Mapping[str, float]) -> Table:
    table = Table("process", "state", "ready", box=None)
    for name in ("% of a core", "MiB of memory", "MiB of data"):
        table.add_column(name, justify="right")
    for status in statuses:
        ready = "[green]yes[/]" if status.ready else "[red]no[/]"
        used = f"{percents[status.name]:,.0f}" if status.name in percents else ""
        data = home / "data" / status.name
        held = f"{_bytes_below(data) / 2**20:,.0f}" if data.exists() else ""
        table.add_row(status.name, status.state.lower(), ready, used, f"{status.memory_mib:,}", held)
    return table


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # it was removed meanwhile
            continue
    return total


def _game(live: dict[str, Any]) -> Table:
    newest = live["seconds"][-_RATE_OVER_S:]
    accepted, refused = (sum(second[name] for second in newest) / _RATE_OVER_S for name in ("accepted", "refused"))
    table = Table(box=None, show_header=False)
    table.add_row("realm", f"{live['realm']}, event {live['sequence']:,}")
    table.add_row("trades a second", f"{accepted:,.1f}, and {refused:,.1f} refused")
    for trade in live["trades"][:_TRADES]:
        words = f"player {trade['player_1']} gave {trade['gave_1']}, player {trade['player_2']} gave {trade['gave_2']}"
        table.add_row(f"event {trade['sequence']:,}", words + (f": {trade['reason']}" if trade["reason"] else ""))
    return table


def _way(live: dict[str, Any]) -> Table:
    table = Table("events wait in", box=None)
    for name in ("events", "seconds", "most it bears"):
        table.add_column(name, justify="right")
    for stage in live["stages"]:
        events = "unknown" if stage["events"] is None else f"{stage['events']:,}"
        seconds = "unknown" if stage["seconds"] is None else f"{stage['seconds']:,.1f}"
        table.add_row(stage["stage"], events, seconds, _bound(stage))
    for name in ("audit", "report"):
        if found := live[name]:
            table.add_row(
                f"last {name}", "all right" if found["ok"] else "not right", "", found["at"][:19].replace("T", " ")
            )
    return table


def _bound(stage: dict[str, Any]) -> str:
    if stage["bound_events"] is not None:
        return f"{stage['bound_events']:,} events"
    return "" if stage["bound_seconds"] is None else f"{stage['bound_seconds'] / 3600:,.0f} h"
