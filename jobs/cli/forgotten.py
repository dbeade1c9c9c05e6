"""Says what is left of players that were forgotten."""

import json
from dataclasses import asdict

import click
from rich.table import Table

from app.settings import Settings
from jobs.cli.group import cli, out, with_settings
from jobs.lake.forgotten import Forgotten, list_forgotten


@cli.command("forgotten")
@click.option("--json", "as_json", is_flag=True, help="For programs: a line for each player.")
@with_settings
def forgotten_command(settings: Settings, *, as_json: bool) -> None:
    """List who was forgotten, when, and what is left of their names where."""
    players = list(list_forgotten(settings))
    if as_json:
        for player in players:
            click.echo(json.dumps(asdict(player), default=str))
    elif players:
        _print(players)
    else:
        out.print("Nobody was forgotten.")


def _print(players: list[Forgotten]) -> None:
    table = Table("player", "forgotten at", "gone by", "Redis' files", "Kafka", "rows", "old snapshots", "", box=None)
    for each in players:
        times = (f"{at:%Y-%m-%d %H:%M}" for at in (each.forgotten_at, each.deadline))
        in_files = "unknown" if each.redis_files is None else "yes" if each.redis_files else "no"
        left = (in_files, "yes" if each.kafka else "no", f"{each.rows:,}", f"{each.snapshots:,}")
        table.add_row(str(each.player_id), *times, *left, "[green]nothing is left[/]" if each.is_gone else "")
    out.print(table)
