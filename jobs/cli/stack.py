"""Starts, stops and shows the local stack."""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.table import Table

from app.errors import HaggleError
from app.lag import Lag, read_lag
from jobs.cli.group import DEFAULT_HOME, cli, out, short
from jobs.engine import service_key

if TYPE_CHECKING:
    from jobs.local.stack import Stack

_URLS: Final = ("engine_url", "redis_url", "kafka_bootstrap_servers", "hdfs_url", "catalog_url", "trino_url")


@cli.command()
@click.pass_obj
def up(stack: "Stack") -> None:
    """Start every server that is not running and wait until all are ready."""
    try:
        start(stack)
    except HaggleError:
        if stack.is_running:
            out.print("What did start still runs: mend the rest and go on with `up`, or stop all with `down`.")
        raise
    print_pages(stack)
    print_key_use(stack)


@cli.command()
@click.pass_obj
def down(stack: "Stack") -> None:
    """Stop everything; the data stays."""
    stop(stack)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def status(stack: "Stack", *, as_json: bool) -> None:
    """Show what runs, and how many events wait at each stage. Exit code 1 unless all is ready."""
    if not stack.exists:
        raise HaggleError(f"there is no stack in {stack.home}; start one with `haggle up`")
    statuses = stack.statuses()
    all_ready = all(item.ready for item in statuses)
    lag = read_lag(stack.settings())
    if as_json:
        settings = stack.settings()
        urls = {name: getattr(settings, name) for name in _URLS}
        rows = [{**asdict(item), "log": str(item.log)} for item in statuses]
        answer = {"ready": all_ready, **urls, "pages": stack.pages(), "processes": rows, "lag": asdict(lag)}
        click.echo(json.dumps(answer, indent=2))
    else:
        table = Table("process", "state", "ready", "MiB", "log", box=None)
        for item in statuses:
            ready = "[green]yes[/]" if item.ready else "[red]no[/]"
            table.add_row(item.name, item.state.lower(), ready, f"{item.memory_mib:,}", short(item.log))
        out.print(table)
        _print_lag(lag)
        if all_ready:
            print_pages(stack)
            print_key_use(stack)
    sys.exit(0 if all_ready else 1)


@cli.command("key")
@click.pass_obj
def key_command(stack: "Stack") -> None:
    """Print the service key, with which callers may do everything."""
    key = service_key(stack.settings())
    if not key:
        raise HaggleError("there is no key; set SERVICE_KEYS, or start a stack with `haggle up`")
    click.echo(key)


@cli.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def reset(stack: "Stack", *, yes: bool) -> None:
    """Stop everything and remove all data, after asking."""
    if not stack.exists:
        raise HaggleError(f"there is no stack in {stack.home}")
    if yes or click.confirm(f"Remove all players, trades and tables in {stack.home}?"):
        stack.reset()
        out.print(f"Removed {stack.home}.")


# ---------------------------------------------------------------- printing


def start(stack: "Stack") -> None:
    """Starts all servers, and says of each when it is ready."""
    started = time.perf_counter()
    with out.status("Looking around …") as line:
        waiting: list[str] = []

        def report(name: str, state: str) -> None:
            if state == "starting":
                waiting.append(name)
            else:
                out.print(f"  [green]✓[/] {name:<11} ready after {time.perf_counter() - started:4.1f} s")
                if name in waiting:
                    waiting.remove(name)
            line.update(f"Waiting for {', '.join(waiting) or 'the next'} …")

        stack.up(report)


def stop(stack: "Stack") -> None:
    """Stops all servers."""
    started = time.perf_counter()
    with out.status("Stopping everything …"):
        stack.down()
    out.print(f"Stopped everything in {time.perf_counter() - started:.1f} s.")


def _print_lag(lag: Lag) -> None:
    table = Table("events wait in", "events", "seconds", box=None)
    for stage in lag.stages:
        events = "unknown" if stage.events is None else f"{stage.events:,}"
        table.add_row(stage.stage, events, "unknown" if stage.seconds is None else f"{stage.seconds:,.1f}")
    out.print(table)
    newest = "an unknown event" if lag.lake_sequence is None else f"event {lag.lake_sequence:,}"
    out.print(f"The lake has come to {newest}.")


def print_pages(stack: "Stack") -> None:
    """Prints where the servers' pages are."""
    for name, url in stack.pages().items():
        out.print(f"  {name:<12} {url}")


def command_of(stack: "Stack") -> str:
    """How to call `haggle` from here for that stack."""
    home = "" if stack.home == DEFAULT_HOME.absolute() else f" --home {short(stack.home)}"
    return f"{short(Path(sys.argv[0]))}{home}"


def print_key_use(stack: "Stack") -> None:
    """Prints how to call the engine."""
    settings = stack.settings()
    if settings.authentication == "off":
        out.print("  Every caller may do everything (AUTHENTICATION=off).")
        return
    key = f"$({command_of(stack)} key)"
    curl = f'curl -H "Authorization: Bearer {key}" {settings.engine_url}/v1/players'
    out.print(f"  The engine wants its key: {curl}", soft_wrap=True, markup=False)
    if settings.original_routes == "open":
        out.print("  PUT /create_player and POST /trade want none (ORIGINAL_ROUTES=open).")
