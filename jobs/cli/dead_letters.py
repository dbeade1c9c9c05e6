"""Lists, shows and replays what was no valid event."""

from typing import Final

import click
from rich.table import Table

from app.contract.reasons import DeadLetter
from app.settings import Settings
from jobs.cli.group import cli, out, with_settings
from jobs.lake import dead_letters
from jobs.lake.trino import Lake

_NAMED: Final = 10


@cli.group("dead-letters")
def dead_letters_group() -> None:
    """Records of the topic that are not valid events: list them, show one, replay those that a fix made valid."""


@dead_letters_group.command("list")
@click.option(
    "--reason", type=click.Choice([str(reason) for reason in DeadLetter]), help="Only those with this reason."
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, help="Most to list, newest first.")
@with_settings
def dead_letters_list(settings: Settings, reason: str | None, limit: int) -> None:
    """List dead letters, newest first."""
    result = dead_letters.list_dead_letters(Lake(settings, "haggle dead-letters"), reason, limit)
    table = Table(*result.columns, box=None)
    for row in result.rows:
        table.add_row(*[str(cell) for cell in row])
    out.print(table)


@dead_letters_group.command("show")
@click.argument("partition", type=int)
@click.argument("offset", type=int)
@with_settings
def dead_letters_show(settings: Settings, partition: int, offset: int) -> None:
    """Show the record at a place in Kafka, as it was."""
    for record in dead_letters.show_dead_letter(Lake(settings, "haggle dead-letters"), partition, offset):
        for name, cell in record.items():
            shown = cell.decode(errors="backslashreplace") if isinstance(cell, bytes) else cell
            out.print(f"{name:<12} {shown}", markup=False, soft_wrap=True)


@dead_letters_group.command("replay")
@with_settings
def dead_letters_replay(settings: Settings) -> None:
    """Make rows of the dead letters that are valid events now, each once; the others stay, with their reasons."""
    # Spark takes a second to import, for which other commands need not wait
    from jobs.lake.maintenance import small_session  # noqa: PLC0415
    from jobs.lake.replay import replay  # noqa: PLC0415

    with small_session(settings) as spark:
        done = replay(spark)
    out.print(f"{done.events:,} dead letters became rows{_named(done.sequences)}")
    for reason, count in sorted(done.left.items()):
        out.print(f"{count:,} stay: {reason} ({DeadLetter(reason).help})")


def _named(sequences: tuple[tuple[str, int], ...]) -> str:
    names = ", ".join(f"{realm} {sequence:,}" for realm, sequence in sequences[:_NAMED])
    more = f" and {len(sequences) - _NAMED:,} more" if len(sequences) > _NAMED else ""
    return f": {names}{more}" if sequences else ""
