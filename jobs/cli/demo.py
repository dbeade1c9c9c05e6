"""Shows everything once, on one screen: the game first, while the servers behind it start."""

import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.table import Table

from app.errors import HaggleError
from app.settings import Settings
from jobs.cli.audit import print_checks
from jobs.cli.group import cli, out, short, stack_of
from jobs.cli.report import shelve
from jobs.cli.screen import Screen
from jobs.cli.simulate import order_options
from jobs.cli.stack import command_of, print_key_use, print_pages, stop
from jobs.lake.audit import Check, audit, wait_until_queryable
from jobs.report.answers import Report, lines_of
from jobs.simulate.run import Order, Outcome, simulate

if TYPE_CHECKING:
    from jobs.local.stack import Stack

DEMO_HOME: Final = Path(".haggle-demo")
_LANDING_TIMEOUT_S: Final = 120
_SQL: Final = "select status, count(*) as trades from trades group by status"


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

    started = time.perf_counter()
    if not keep:
        stack = stack_of(DEMO_HOME)
        stack.reset()  # what a demo that was killed may have left
    stack.fetch()
    screen = Screen(out)
    with PeakMemory(stack) as memory:
        try:
            report, html, checks = _demo(stack, Order(**options), screen)
        finally:
            if not keep:
                _remove(stack)
    _print_answers(report, checks)
    _print_next(stack, html, keep=keep)
    if phases:
        _print_phases({**screen.times_s, "all": time.perf_counter() - started}, memory.peak_mib)
    if not all(check.ok for check in checks):
        raise HaggleError("the audit found something wrong; see above")


def _demo(stack: "Stack", order: Order, screen: Screen) -> tuple[Report, Path, list[Check]]:
    """Starts, plays, and asks; returns what was answered, where the report is, and what the audit found."""
    game = _Game(stack, order, screen)
    with screen:
        _start(stack, screen, game.begin)
        settings = stack.settings()
        game.wait()
        with screen.step("lake", "what was decided goes through Kafka and Spark into the table") as step:
            wait_until_queryable(
                settings,
                _LANDING_TIMEOUT_S,
                lambda arrived, decided: step.show(arrived, decided, "events in the table"),
            )
        with screen.step("audit", "every event and every balance is compared, from Redis to the table") as step:
            checks = audit(settings)
            step.show(1, 1, f"{sum(check.ok for check in checks)} of {len(checks)} checks are exact")
        with screen.step("report", "Trino plans each question for the first time") as step:
            report, html, _ = shelve(
                settings, lambda asked, number: step.show(asked, number, f"{asked} of {number} questions")
            )
    return report, html, checks


class _Game:
    """The simulation, in a thread of its own: it begins as soon as the engine is ready, while slower servers start."""

    def __init__(self, stack: "Stack", order: Order, screen: Screen) -> None:
        self._stack = stack
        self._order = order
        self._screen = screen
        self._error: HaggleError | None = None
        # whoever interrupts the demo need not wait for it
        self._thread = threading.Thread(target=self._run, daemon=True)

    def begin(self) -> None:
        """Begins to play."""
        self._thread.start()

    def wait(self) -> None:
        """Returns when the game is over; raises HaggleError if it could not be played."""
        self._thread.join()
        if self._error:
            raise self._error

    def _run(self) -> None:
        try:
            self._play(self._stack.settings())
        except HaggleError as error:
            self._error = error

    def _play(self, settings: Settings) -> None:
        order, words = self._order, "players are created and trade over HTTP, each trade on disk before its answer"
        with self._screen.step("game", words) as step:

            def show(outcome: Outcome) -> None:
                done = outcome.players + outcome.trades + outcome.offers.total()
                step.show(done, order.players + order.trades + order.offers, _words(outcome))

            simulate(settings, order, show)


def _words(outcome: Outcome) -> str:
    return f"{outcome.players:,} players, {outcome.trades:,} trades, {outcome.refused.total():,} of them refused"


def _start(stack: "Stack", screen: Screen, begin: Callable[[], None]) -> None:
    """Starts all servers; calls `begin` as soon as there is an engine to play against."""
    states: dict[str, str] = {}
    with screen.step("servers", "Redis and the engine, then those in Java: these start slowly") as step:

        def show(name: str, state: str) -> None:
            states[name] = state
            waiting = ", ".join(each for each, its in states.items() if its != "ready")
            number = Counter(states.values())["ready"]
            step.show(number, stack.size, f"waiting for {waiting}" if waiting else f"{number} servers are ready")
            if (name, state) == ("engine", "ready"):
                begin()

        stack.up(show)


def _remove(stack: "Stack") -> None:
    # a second Ctrl-C must not leave processes behind
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    stop(stack)
    shutil.rmtree(stack.home, ignore_errors=True)


# ---------------------------------------------------------------- printing


def _print_answers(report: Report, checks: list[Check]) -> None:
    if not all(check.ok for check in checks):
        print_checks(checks)
    table = Table("question", "answer", title=report.moment.text, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for title, answer, _ in lines_of(report):
        table.add_row(title, answer)
    out.print()
    out.print(table)


def _print_next(stack: "Stack", html: Path, *, keep: bool) -> None:
    """Three things to do now."""
    if keep:
        haggle = command_of(stack)
        things = [
            ("Look at it live, while more is traded", f"{stack.pages()['live']} and: {haggle} simulate --trades 50000"),
            ("Ask in SQL", f"{haggle} query '{_SQL}'"),
            ("Read the report", short(html)),
        ]
    else:
        things = [
            ("Read the report", short(html)),
            ("Leave it running, with a live page and an SQL prompt", "make demo KEEP=1"),
            ("Make a trade by hand, and see its row", "docs/getting-started.md"),
        ]
    out.print("\nWhat to do next:")
    for number, (what, how) in enumerate(things, start=1):
        out.print(f"  {number}. {what}: [bold]{how}[/]", soft_wrap=True)
    if keep:
        out.print("\nIt is left running: `haggle status` shows it, `haggle down` stops it.")
        print_pages(stack)
        print_key_use(stack)


def _print_phases(times_s: dict[str, float], peak_mib: int) -> None:
    table = Table(
        "phase", "seconds", title="Where the time went (servers and game overlap)", title_justify="left", box=None
    )
    for name, seconds in times_s.items():
        table.add_row(name, f"{seconds:.1f}")
    out.print(table)
    out.print(f"Peak memory of all processes together: {peak_mib:,} MiB (proportional set size)")
