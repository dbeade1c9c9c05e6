"""Follows one trade from its decision to its row."""

import click
from rich.table import Table

from app.settings import Settings
from jobs.cli.group import cli, out, with_settings
from jobs.lake.trace import Step, trace
from jobs.lake.trino import Lake


@cli.command("trace")
@click.argument("trade_id")
@click.option("--wait-s", type=click.FloatRange(0, 600), default=10.0, help="Longest wait for its row.")
@with_settings
def trace_command(settings: Settings, trade_id: str, wait_s: float) -> None:
    """Follow the trade TRADE_ID from its decision to its row: where it is seen, and when it came there."""
    steps = trace(settings, Lake(settings, "haggle trace"), trade_id, wait_s)
    table = Table("step", "at (UTC)", "after ms", "where", box=None)
    for step in steps:
        at = f"{step.at:%Y-%m-%d %H:%M:%S.%f}"[:-3] if step.at else ""
        table.add_row(step.name, at, _after(steps[0], step), step.words)
    out.print(table, soft_wrap=True)


def _after(first: Step, step: Step) -> str:
    """Milliseconds from the first step; two servers' clocks may differ."""
    if not (first.at and step.at):
        return ""
    return f"{(step.at - first.at).total_seconds() * 1000:,.0f}"
