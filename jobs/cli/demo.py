"""Shows everything once."""

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from app.errors import HaggleError
from app.settings import Settings
from jobs.cli.audit import print_checks
from jobs.cli.group import cli, out, stack_of
from jobs.cli.report import publish
from jobs.cli.simulate import order_options, play
from jobs.cli.stack import print_key_use, print_pages, start, stop
from jobs.lake.audit import audit, wait_until_queryable
from jobs.simulate.run import Order

if TYPE_CHECKING:
    from jobs.local.stack import Stack

DEMO_HOME: Final = Path(".haggle-demo")


@dataclass(slots=True)
class Phases:
    """How long each phase of the demo took."""

    times: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Times what happens inside."""
        started = time.perf_counter()
        yield
        self.times[name] = time.perf_counter() - started

    def print(self, peak_mib: int) -> None:
        """Prints the phases as a table."""
        table = Table("phase", "seconds", title="Where the time went", title_justify="left", box=None)
        for name, seconds in [*self.times.items(), ("all", sum(self.times.values()))]:
            table.add_row(name, f"{seconds:.1f}")
        out.print(table)
        out.print(f"Peak memory of all processes together: {peak_mib:,} MiB (proportional set size)")


@cli.command()
@order_options(offers=100)
@click.option("--keep", is_flag=True, help="Use the stack in --home and leave it running.")
@click.option("--phases", is_flag=True, help="Print how long each phase took, and the peak memory.")
@click.pass_obj
def demo(stack: "Stack", /, *, keep: bool, phases: bool, **options: Any) -> None:
    """Show everything once: start, trade, audit, ask, report, stop.

    Without --keep it runs in a folder of its own that is removed at the end; the report stays.
    """
    from jobs.local.memory import PeakMemory  # noqa: PLC0415

    if not keep:
        stack = stack_of(DEMO_HOME)
        stack.reset()  # what a demo that was killed may have left
    timing = Phases()
    with PeakMemory(stack) as memory:
        try:
            _demo(stack, Order(**options), timing)
        finally:
            if not keep:
                with timing.timed("stop"):
                    _remove(stack)
    if keep:
        out.print("\nIt is left running: `haggle status` shows it, `haggle down` stops it.")
        print_pages(stack)
        print_key_use(stack)
    if phases:
        timing.print(memory.peak_mib)


def _demo(stack: "Stack", order: Order, timing: Phases) -> None:
    with timing.timed("start servers"):
        start(stack)
    print_pages(stack)
    settings = stack.settings()
    outcome = play(settings, order)
    timing.times |= {"create players": outcome.players_s, "trade": outcome.trades_s}
    with timing.timed("until queryable"):
        _wait(settings)
    with timing.timed("audit"):
        checks = audit(settings)
    print_checks(checks)
    with timing.timed("questions and report"):
        publish(settings)
    if not all(check.ok for check in checks):
        raise HaggleError("the audit found something wrong; see above")


def _remove(stack: "Stack") -> None:
    # a second Ctrl-C must not leave processes behind
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    stop(stack)
    shutil.rmtree(stack.home, ignore_errors=True)


def _wait(settings: Settings) -> None:
    with Progress("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=out) as bar:
        task = bar.add_task("events in the tables", total=None)
        wait_until_queryable(settings, 120, lambda arrived, decided: bar.update(task, completed=arrived, total=decided))
