"""Lists the business questions, and asks one of a moment."""

import csv
import difflib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import groupby
from typing import Any, Final

import click
from rich.table import Table

from app.errors import HaggleError
from app.settings import Settings
from jobs.cli.group import cli, out, with_past, with_settings
from jobs.lake.moment import Moment, Past, read_moment
from jobs.lake.questions import StoredQuestion, stored_questions
from jobs.lake.trino import Lake, Result
from jobs.report.answers import ask

_SIMILAR: Final = 0.5
"""How alike a name must be to be named to who mistyped one, 0 to 1."""


@cli.command("questions")
def questions_command() -> None:
    """List the business questions; `haggle ask NAME` answers one, and so does the view lake.haggle.NAME."""
    table = Table("", "", box=None, show_header=False)
    for family, questions in groupby(stored_questions(), lambda question: question.family):
        table.add_row(f"[bold]{family}[/]")
        for question in questions:
            table.add_row(f"  {question.name}", question.title)
    out.print(table)


@cli.command("ask")
@click.argument("name")
@click.option("--realm", help="Of another realm than that of REALM.")
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", help="How it is printed."
)
@with_past
@with_settings
def ask_command(settings: Settings, name: str, past: Past, realm: str | None, form: str) -> None:
    """Answer the business question NAME through Trino, of what has landed; `haggle questions` lists them."""
    question = question_named(name)
    lake = Lake(settings, "haggle ask")
    moment = read_moment(lake, replace(settings, realm=realm or settings.realm), past)
    result = ask(lake, moment.cut, question)
    _FORMS[form](question, moment, result)


def question_named(name: str) -> StoredQuestion:
    """The question of this name. Raises HaggleError, which names similar ones."""
    questions = {question.name: question for question in stored_questions()}
    if name in questions:
        return questions[name]
    wanted = name if name.startswith("q_") else f"q_{name}"
    similar = difflib.get_close_matches(wanted, questions, cutoff=_SIMILAR)
    hint = f"did you mean {' or '.join(similar)}? " if similar else ""
    raise HaggleError(f"there is no question {name!r}: {hint}`haggle questions` lists all")


# ---------------------------------------------------------------- ways to print


def _print_table(question: StoredQuestion, moment: Moment, result: Result) -> None:
    out.print(question.title, style="bold", soft_wrap=True)
    out.print(moment.text, markup=False, soft_wrap=True)
    table = Table(box=None)
    for column in question.columns:
        is_number = column.type.trino in ("bigint", "integer", "double")
        table.add_column(column.name, justify="right" if is_number else "left", overflow="fold")
    for row in result.rows:
        table.add_row(*map(_cell, row))
    out.print(table if result.rows else "There is nothing to answer it with: no row.")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1_000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _print_csv(_: StoredQuestion, moment: Moment, result: Result) -> None:
    click.echo(moment.text, err=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(result.columns)
    writer.writerows(result.rows)
    click.echo(text.getvalue(), nl=False)


def _print_json(question: StoredQuestion, moment: Moment, result: Result) -> None:
    answer = {"question": question.name, "title": question.title, **moment.as_json(), "rows": result.records()}
    click.echo(json.dumps(answer, indent=2, default=str))


_FORMS: Final[dict[str, Callable[[StoredQuestion, Moment, Result], None]]] = {
    "table": _print_table,
    "csv": _print_csv,
    "json": _print_json,
}
