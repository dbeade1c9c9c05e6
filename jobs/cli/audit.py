"""Proves that nothing is lost, doubled or wrong."""

import json
import sys
from dataclasses import asdict

import click
from rich.table import Table

from app.settings import Settings
from jobs.cli.group import cli, out, with_settings
from jobs.lake.audit import WAIT_S, Check, accept_loss, audit
from jobs.lake.ledger import Loss


@cli.command("audit")
@click.option("--full", is_flag=True, help="Go through all events, not only those since the newest exact audit.")
@click.option("--wait-s", type=click.FloatRange(1), default=WAIT_S, help="Wait so long for events on their way.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@with_settings
def audit_command(settings: Settings, *, full: bool, wait_s: float, as_json: bool) -> None:
    """Prove that nothing is lost, doubled or wrong, from Redis to the lake; trades may go on.

    Exit code 1 if something is.
    """
    checks = audit(settings, full=full, wait_s=wait_s)
    ok = all(check.ok for check in checks)
    if as_json:
        rows = [asdict(check) for check in checks]
        click.echo(json.dumps({"ok": ok, "realm": settings.realm, "checks": rows}, indent=2))
    else:
        print_checks(checks)
    sys.exit(0 if ok else 1)


@cli.command("accept-loss")
@click.argument("first", type=click.IntRange(1))
@click.argument("last", type=click.IntRange(1))
@click.option("--reason", required=True, help="How they were lost; kept with them.")
@with_settings
def accept_loss_command(settings: Settings, first: int, last: int, reason: str) -> None:
    """Accept that the events FIRST to LAST are lost for good, so that audits go on without them.

    Refused unless the lake has come past all of them without one.
    """
    loss = Loss(first, last, reason)
    accept_loss(settings, loss)
    out.print(f"The loss of {loss.count:,} events of realm {settings.realm}, {first:,} to {last:,}, is accepted.")


def print_checks(checks: list[Check]) -> None:
    """Prints what an audit found."""
    table = Table("audit", "", "seen", box=None)
    for check in checks:
        table.add_row(check.name, "[green]✓[/]" if check.ok else "[red]✗[/]", check.seen)
    out.print(table)
