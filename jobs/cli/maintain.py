"""Keeps the lake small."""

import sys
from typing import TYPE_CHECKING

import click
from rich.markup import escape
from rich.table import Table

from app.settings import Settings
from jobs.cli.group import cli, out, with_settings

if TYPE_CHECKING:
    from jobs.lake.maintenance import Step


@cli.command("maintain")
@click.option("--json", "as_json", is_flag=True, help="For programs: a line for each step.")
@with_settings
def maintain_command(settings: Settings, *, as_json: bool) -> None:
    """Merge small files, tag days, expire snapshots, remove what nobody needs. Exit code 1 if a step failed."""
    # Spark takes a second to import, for which other commands need not wait
    from jobs.lake import maintenance  # noqa: PLC0415

    steps: list[maintenance.Step] = []
    if as_json:
        ok = maintenance.maintain(settings, lambda step: click.echo(maintenance.as_json(step)))
    else:
        with out.status("Maintaining the lake …"):
            ok = maintenance.maintain(settings, steps.append)
        _print_steps(steps)
    sys.exit(0 if ok else 1)


def _print_steps(steps: "list[Step]") -> None:
    table = Table("step", "of", "before", "after", "MiB before", "after", "seconds", "", box=None)
    for step in steps:
        counts = (f"{size.count:,}" for size in (step.before, step.after))
        sizes = (f"{size.size_bytes / 2**20:,.1f}" if size.size_bytes else "" for size in (step.before, step.after))
        problem = f"[red]{escape(step.problem)}[/]" if step.problem else ""
        table.add_row(step.name, step.what, *counts, *sizes, f"{step.seconds:.1f}", problem)
    out.print(table)
