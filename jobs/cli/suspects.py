"""Looks for cheats among all that has landed, and keeps what people decide about the suspects."""

import getpass
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import reduce

import click
from rich.table import Table

from app.settings import Settings
from jobs.cli.group import cli, out, with_settings
from jobs.economy.desk import Case, Decision, Review, open_desk
from jobs.economy.detection import detect
from jobs.economy.log import Cheat
from jobs.lake.moment import read_moment
from jobs.lake.trino import Lake


@cli.group("suspects")
def suspects_group() -> None:
    """Players that may cheat, and what was decided about them. No balance is ever changed by it."""


@suspects_group.command("find")
@click.option(
    "--days", default=60, show_default=True, type=click.IntRange(1, 3_650), help="Days up to the newest event."
)
@with_settings
def find_command(settings: Settings, *, days: int) -> None:
    """Look through the newest days that have landed, and replace the list of their suspects by what is found."""
    lake = Lake(settings, "haggle suspects")
    moment = read_moment(lake, settings)
    cut = replace(moment.cut, since=moment.as_of - timedelta(days=days))
    with out.status("Looking for cheats …"):
        suspects = detect(lake, cut)
    with open_desk(settings) as desk:
        desk.put(suspects, cut)
    players = len({suspect.player_id for suspect in suspects})
    out.print(f"{moment.text} {players:,} players are suspected; `haggle suspects list` shows them.", soft_wrap=True)


@suspects_group.command("list")
@click.option("--open", "only_open", is_flag=True, help="Only those that nobody has decided about.")
@click.option("--json", "as_json", is_flag=True, help="For programs: a line for each suspicion, with its trades.")
@with_settings
def list_command(settings: Settings, *, only_open: bool, as_json: bool) -> None:
    """List the suspects, the gravest first, each with what was seen and what was decided."""
    with open_desk(settings) as desk:
        cases = [case for case in desk.cases() if not (only_open and case.verdict)]
    if as_json:
        for case in cases:
            click.echo(json.dumps(case._asdict(), default=str))
    elif cases:
        out.print(_table(cases))
    else:
        out.print("Nobody is suspected; `haggle suspects find` looks again.")


def _decision(command: Callable[..., None]) -> Callable[..., None]:
    """The arguments and options of a decision."""
    parameters = [
        click.argument("player_id", type=click.IntRange(1)),
        click.argument("cheat", type=click.Choice([cheat.value for cheat in Cheat])),
        click.option("--why", required=True, help="What convinced you; kept with the decision."),
        click.option("--by", default=getpass.getuser, show_default="the user that asks", help="Who decides."),
    ]
    return reduce(lambda decorated, parameter: parameter(decorated), reversed(parameters), command)


@suspects_group.command("confirm")
@_decision
@with_settings
def confirm_command(settings: Settings, player_id: int, *, cheat: str, why: str, by: str) -> None:
    """Keep that PLAYER_ID did it."""
    _decide(settings, player_id, Review(Cheat(cheat), Decision.CONFIRMED, by, why))


@suspects_group.command("dismiss")
@_decision
@with_settings
def dismiss_command(settings: Settings, player_id: int, *, cheat: str, why: str, by: str) -> None:
    """Keep that PLAYER_ID did not do it."""
    _decide(settings, player_id, Review(Cheat(cheat), Decision.DISMISSED, by, why))


def _decide(settings: Settings, player_id: int, review: Review) -> None:
    with open_desk(settings) as desk:
        desk.review(player_id, review)
    out.print(f"Player {player_id}, {review.cheat.replace('_', ' ')}: {review.decision} by {review.reviewer}.")


def _table(cases: list[Case]) -> Table:
    table = Table("player", "cheat", "score", "since", "what was seen", "trades", "decided", box=None)
    for case in cases:
        decided = f"{case.verdict} by {case.reviewer}: {case.reason}" if case.verdict else ""
        since = f"{case.since:%Y-%m-%d %H:%M}"
        cheat = case.cheat.replace("_", " ")
        table.add_row(
            str(case.player_id), cheat, f"{case.score:.2f}", since, case.why, f"{len(case.trades):,}", decided
        )
    return table
