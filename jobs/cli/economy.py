"""Checks a game's economy before it is played, plans play, and judges how well its cheats are found."""

import time
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.table import Table

from app.contract.economy import reference_economy
from app.economy import read_economy_file
from app.errors import HaggleError
from app.settings import Settings
from jobs import engine
from jobs.cli.group import cli, out, with_settings
from jobs.economy.behaviours.folder import write_plan
from jobs.economy.behaviours.plan import Setting
from jobs.economy.detection import detect
from jobs.economy.evaluation import Evaluation, Judged, Verdict, evaluate
from jobs.economy.log import read_log
from jobs.lake.cut import Cut
from jobs.lake.local import LocalLake


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


# ---------------------------------------------------------------- planning


@economy_group.command("plan")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--seed", type=int, default=1, help="The same seed gives the same log.")
@click.option("--players", type=click.IntRange(100), default=2_500, help="Players.")
@click.option("--trades", type=click.IntRange(1), default=70_000, help="Trades, more or less.")
@click.option("--days", type=click.IntRange(2), default=28, help="Days of virtual time.")
@click.option("--prevalence", type=click.FloatRange(0, 0.2), default=0.02, help="Share of the players who cheat.")
def economy_plan(folder: Path, **setting: Any) -> None:
    """Write days of play, with cheats whose truth is known, as a log that `haggle economy evaluate` judges."""
    folder.mkdir(parents=True, exist_ok=True)
    written = write_plan(reference_economy(), Setting(**setting), folder)
    out.print(f"{folder}: {len(written.acts):,} acts, {len(written.labels):,} players to be found.", soft_wrap=True)


# ---------------------------------------------------------------- judging


@economy_group.command("evaluate")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="For programs: with each suspect, its score and its trades.")
def economy_evaluate(folder: Path, *, as_json: bool) -> None:
    """Look for cheats in the log of FOLDER, and say what was found, missed and wrongly flagged.

    FOLDER has events.jsonl, labels.jsonl and perhaps innocent.jsonl, as docs/economy.md has them. No server is needed.
    """
    started = time.perf_counter()
    log = read_log(folder)
    lake = LocalLake()
    lake.load(log.events)
    suspects = detect(lake, Cut(log.realm, log.sequence))
    evaluation = evaluate(Judged(len(log.players), log.labels, log.innocents, suspects))
    if as_json:
        click.echo(msgspec.json.encode(evaluation))
        return
    for table in tables_of(evaluation):
        out.print(table)
    out.print(f"{log.sequence:,} events, judged in {time.perf_counter() - started:.0f} s.")


_COLUMNS: Final = ("labelled", "found", "missed", "wrongly flagged", "precision", "recall", "evasive", "instances")


def tables_of(evaluation: Evaluation) -> list[Table]:
    """An evaluation for people."""
    verdicts = Table("", *_COLUMNS, box=None, title=f"{evaluation.prevalence:.2%} of the players are to be found")
    verdicts.add_row("all", *_cells(evaluation.overall))
    for cheat, verdict in evaluation.cheats.items():
        verdicts.add_row(cheat.replace("_", " "), *_cells(verdict))
    innocent = Table("innocent", "players", "flagged", box=None)
    for kind, each in evaluation.innocent.items():
        innocent.add_row(kind, f"{each.players:,}", f"{each.flagged:,}")
    first = Table("of the first", "are to be found", box=None)
    for k, share in evaluation.precision_at.items():
        first.add_row(str(k), str(share))
    return [verdicts, innocent, first]


def _cells(verdict: Verdict) -> tuple[str, ...]:
    counts = (verdict.labelled, verdict.found, verdict.missed, verdict.wrongly_flagged)
    shares = (verdict.precision, verdict.recall, verdict.evasive_recall)
    instances = f"{verdict.instances_found:,} of {verdict.instances:,}"
    return (*(f"{count:,}" for count in counts), *(str(share) for share in shares), instances)
