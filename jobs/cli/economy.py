"""Checks a game's economy before it is played."""

from pathlib import Path

import click

from app.economy import read_economy_file
from app.errors import HaggleError
from app.settings import Settings
from jobs import engine
from jobs.cli.group import cli, out, with_settings


@cli.group("economy")
def economy_group() -> None:
    """The game's items and classes (ECONOMY_FILE)."""


@economy_group.command("check")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--running", is_flag=True, help="Compare it with what the engine plays, too.")
@with_settings
def economy_check(settings: Settings, file: Path, *, running: bool) -> None:
    """Check FILE, and say each mistake with its place."""
    own = read_economy_file(file)
    out.print(f"{file}: version {own.version:,}, {len(own.items):,} items, {len(own.classes):,} classes.")
    if running:
        _compare(settings, own.version, own.digest)


def _compare(settings: Settings, version: int, digest: str) -> None:
    in_force = engine.economy(settings)
    if (version, digest) == (in_force.version, in_force.digest):
        out.print("The engine plays it.")
    elif version <= in_force.version:
        raise HaggleError(f"the engine plays version {in_force.version:,}: what has changed needs a higher one")
    else:
        out.print(f"The engine plays version {in_force.version:,}; it publishes this one when it starts with it.")
