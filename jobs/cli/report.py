"""Answers the business questions."""

from collections.abc import Callable
from pathlib import Path

import click
from rich.table import Table

from app.settings import Settings
from jobs import engine
from jobs.cli.group import cli, out, short, with_past, with_settings
from jobs.lake.moment import NOW, Past
from jobs.report.answers import Report, lines_of, make_report
from jobs.report.render import write_index, write_report
from jobs.report.shelf import NEWEST, shelf_name, tidy


@cli.command("report")
@click.option("--folder", type=click.Path(path_type=Path), help="Write it exactly here; no older one is removed.")
@click.option(
    "--wait-s", type=float, default=60.0, help="How long to wait for what was decided by now; then it says what lacks."
)
@with_past
@with_settings
def report_command(settings: Settings, folder: Path | None, wait_s: float, past: Past) -> None:
    """Answer the business questions through Trino; print them, and write them as HTML and JSON.

    The folder REPORT_SHELF keeps the newest REPORT_KEEP reports, and REPORT_KEEP_MIB of them at the most; `newest` in
    it leads to the last. A report of the past goes into a --folder of its own.
    """
    if past != NOW and folder is None:
        raise click.UsageError("a report of the past is not the newest one of the shelf: say where to with --folder")
    publish(settings, folder, wait_s if past == NOW else 0, past)


def publish(settings: Settings, folder: Path | None = None, wait_s: float = 0, past: Past = NOW) -> None:
    """Asks the questions, prints the answers and writes the report, onto the shelf unless a folder is given."""
    with out.status("Asking Trino …"):
        if folder:
            report = make_report(settings, wait_s, past)
            html, data = write_report(report, folder)
        else:
            report, html, data = shelve(settings, wait_s=wait_s)
    table = Table("question", "answer", "took", show_lines=True, title=report.moment.text, title_justify="left")
    for line in lines_of(report):
        table.add_row(*line)
    out.print(table)
    out.print(report.audit_text)
    out.print(f"Report: {short(html)} and {short(data)}")


def shelve(
    settings: Settings, progress: Callable[[int, int], None] = lambda _asked, _number: None, *, wait_s: float = 0
) -> tuple[Report, Path, Path]:
    """Makes a report and puts it onto the shelf; tells the engine. Returns it, and the paths of its HTML and JSON."""
    shelf = Path(settings.report_shelf)
    report = make_report(settings, wait_s, progress=progress)
    html, data = write_report(report, shelf / shelf_name(report.made_at), shelf / NEWEST)
    kept = tidy(shelf, settings.report_keep, settings.report_keep_mib * 2**20, settings.forget_within_days)
    write_index(shelf, kept)
    engine.tell(settings, "report", report.moment.cut.sequence, notes=report.holders)
    return report, html, data
