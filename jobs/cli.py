"""The `haggle` command: starts and stops the local stack, and runs simulation, report and audit against any stack.

All but those that start and stop the stack use the servers that the environment names, or those of the stack.
Exit codes: 0 all is well, 1 something is off or went wrong, 2 wrong usage.
"""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import reduce
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.contract.reasons import DeadLetter
from app.errors import HaggleError
from app.settings import Settings, load_settings
from jobs.engine import service_key
from jobs.lag import Lag, read_lag
from jobs.lake import dead_letters
from jobs.lake.audit import WAIT_S, Check, accept_loss, audit, wait_until_queryable
from jobs.lake.ledger import Loss
from jobs.lake.trino import Lake
from jobs.report.answers import lines_of, make_report
from jobs.report.render import write_report
from jobs.report.shelf import shelf_name, tidy
from jobs.simulate.run import Order, Outcome, simulate
from jobs.simulate.run import Progress as OnProgress

if TYPE_CHECKING:
    from jobs.lake.maintenance import Step
    from jobs.local.stack import Stack

DEFAULT_HOME: Final = Path(".haggle")
DEMO_HOME: Final = Path(".haggle-demo")
SHELF: Final = Path("reports")
_LOG_INTERVAL_S: Final = 5.0
_NAMED: Final = 10
_BAR_INTERVAL_S: Final = 0.1
_out = Console(highlight=False)


@click.group(context_settings={"max_content_width": 100, "show_default": True})
@click.option("--home", type=click.Path(path_type=Path), default=DEFAULT_HOME, help="Folder of the local stack.")
@click.pass_context
def cli(context: click.Context, home: Path) -> None:
    """Haggle: trades of an online game, exactly once, from HTTP to SQL."""
    settings = load_settings(os.environ)
    context.obj = _stack(home, settings) if find_spec("supervisor") else Elsewhere(settings)


def _stack(home: Path, settings: Settings) -> "Stack":
    # imported only now: the image, whose servers run elsewhere, does not carry what the local stack needs
    from jobs.local.stack import Stack  # noqa: PLC0415

    return Stack(home, settings)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Takes the stack's place where the local servers are not installed: the environment names the servers."""

    given: Settings

    def settings(self) -> Settings:
        """The settings of the environment."""
        return self.given

    def __getattr__(self, _: str) -> Any:
        raise HaggleError(
            "the local servers are not installed here; only simulate, report, audit, accept-loss, dead-letters, "
            "maintain and key run"
        )


def main() -> None:
    """Entry point; an expected error is one message, without a traceback."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        cli()
    except HaggleError as error:
        Console(stderr=True, highlight=False).print(f"haggle: {error}", markup=False, style="red", soft_wrap=True)
        sys.exit(1)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


# ---------------------------------------------------------------- the stack


@cli.command()
@click.pass_obj
def up(stack: "Stack") -> None:
    """Start every server that is not running and wait until all are ready."""
    try:
        _start(stack)
    except HaggleError:
        if stack.is_running:
            _out.print("What did start still runs: mend the rest and go on with `up`, or stop all with `down`.")
        raise
    _print_pages(stack)
    _print_key_use(stack)


@cli.command()
@click.pass_obj
def down(stack: "Stack") -> None:
    """Stop everything; the data stays."""
    _stop(stack)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def status(stack: "Stack", *, as_json: bool) -> None:
    """Show what runs, and how many events wait at each stage. Exit code 1 unless all is ready."""
    if not stack.exists:
        raise HaggleError(f"there is no stack in {stack.home}; start one with `haggle up`")
    statuses = stack.statuses()
    all_ready = all(item.ready for item in statuses)
    lag = read_lag(stack.settings())
    if as_json:
        settings = stack.settings()
        urls = {name: getattr(settings, name) for name in _URLS}
        rows = [{**asdict(item), "log": str(item.log)} for item in statuses]
        answer = {"ready": all_ready, **urls, "pages": stack.pages(), "processes": rows, "lag": asdict(lag)}
        click.echo(json.dumps(answer, indent=2))
    else:
        table = Table("process", "state", "ready", "MiB", "log", box=None)
        for item in statuses:
            ready = "[green]yes[/]" if item.ready else "[red]no[/]"
            table.add_row(item.name, item.state.lower(), ready, f"{item.memory_mib:,}", _short(item.log))
        _out.print(table)
        _print_lag(lag)
        if all_ready:
            _print_pages(stack)
            _print_key_use(stack)
    sys.exit(0 if all_ready else 1)


@cli.command("key")
@click.pass_obj
def key_command(stack: "Stack") -> None:
    """Print the service key, with which callers may do everything."""
    key = service_key(stack.settings())
    if not key:
        raise HaggleError("there is no key; set SERVICE_KEYS, or start a stack with `haggle up`")
    click.echo(key)


@cli.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def reset(stack: "Stack", *, yes: bool) -> None:
    """Stop everything and remove all data, after asking."""
    if not stack.exists:
        raise HaggleError(f"there is no stack in {stack.home}")
    if yes or click.confirm(f"Remove all players, trades and tables in {stack.home}?"):
        stack.reset()
        _out.print(f"Removed {stack.home}.")


# ---------------------------------------------------------------- jobs


def _order_options(offers: int) -> Callable[[Any], Any]:
    """The options of an Order; `offers` is how many are made by default."""
    options = [
        click.option("--players", type=click.IntRange(0), default=1_000, help="Players to create."),
        click.option("--trades", type=click.IntRange(0), default=10_000, help="Trades to do."),
        click.option("--offers", type=click.IntRange(0), default=offers, help="Offers to make and answer after them."),
        click.option("--seed", type=int, default=1, help="The same seed gives the same players and trades."),
        click.option("--concurrency", type=click.IntRange(1, 1_000), default=16, help="Requests under way at once."),
        click.option("--rate", type=click.FloatRange(0), default=0.0, help="Most trades a second; 0: no limit."),
    ]
    return lambda command: reduce(lambda decorated, option: option(decorated), reversed(options), command)


@cli.command("simulate")
@_order_options(offers=0)
@click.option("--log", type=click.Path(path_type=Path), help="File that gets a JSON line per trade.")
@click.pass_obj
def simulate_command(stack: "Stack", /, **options: Any) -> None:
    """Create players, do trades and make offers, as a game would."""
    _simulate(stack.settings(), Order(**options))


@cli.command("report")
@click.option("--shelf", type=click.Path(path_type=Path), default=SHELF, help="Folder that gets a folder per report.")
@click.option("--folder", type=click.Path(path_type=Path), help="Write it exactly here; no older one is removed.")
@click.pass_obj
def report_command(stack: "Stack", shelf: Path, folder: Path | None) -> None:
    """Answer the business questions through Trino; print them, and write them as HTML and JSON.

    The shelf keeps the newest REPORT_KEEP reports, and REPORT_KEEP_MIB of them at the most; `newest` leads to the last.
    """
    _report(stack.settings(), shelf, folder)


@cli.command("audit")
@click.option("--full", is_flag=True, help="Go through all events, not only those since the newest exact audit.")
@click.option("--wait-s", type=click.FloatRange(1), default=WAIT_S, help="Wait so long for events on their way.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def audit_command(stack: "Stack", *, full: bool, wait_s: float, as_json: bool) -> None:
    """Prove that nothing is lost, doubled or wrong, from Redis to the lake; trades may go on.

    Exit code 1 if something is.
    """
    settings = stack.settings()
    checks = audit(settings, full=full, wait_s=wait_s)
    ok = all(check.ok for check in checks)
    if as_json:
        rows = [asdict(check) for check in checks]
        click.echo(json.dumps({"ok": ok, "realm": settings.realm, "checks": rows}, indent=2))
    else:
        _print_checks(checks)
    sys.exit(0 if ok else 1)


@cli.command("accept-loss")
@click.argument("first", type=click.IntRange(1))
@click.argument("last", type=click.IntRange(1))
@click.option("--reason", required=True, help="How they were lost; kept with them.")
@click.pass_obj
def accept_loss_command(stack: "Stack", first: int, last: int, reason: str) -> None:
    """Accept that the events FIRST to LAST are lost for good, so that audits go on without them.

    Refused unless the lake has come past all of them without one.
    """
    settings = stack.settings()
    loss = Loss(first, last, reason)
    accept_loss(settings, loss)
    _out.print(f"The loss of {loss.count:,} events of realm {settings.realm}, {first:,} to {last:,}, is accepted.")


@cli.command("maintain")
@click.option("--json", "as_json", is_flag=True, help="For programs: a line for each step.")
@click.pass_obj
def maintain_command(stack: "Stack", *, as_json: bool) -> None:
    """Merge small files, tag days, expire snapshots, remove what nobody needs. Exit code 1 if a step failed."""
    # Spark takes a second to import, for which other commands need not wait
    from jobs.lake import maintenance  # noqa: PLC0415

    steps: list[maintenance.Step] = []
    settings = stack.settings()
    if as_json:
        ok = maintenance.maintain(settings, lambda step: click.echo(maintenance.as_json(step)))
    else:
        with _out.status("Maintaining the lake …"):
            ok = maintenance.maintain(settings, steps.append)
        _print_steps(steps)
    sys.exit(0 if ok else 1)


@cli.group("dead-letters")
def dead_letters_group() -> None:
    """Records of the topic that are not valid events: list them, show one, replay those that a fix made valid."""


@dead_letters_group.command("list")
@click.option(
    "--reason", type=click.Choice([str(reason) for reason in DeadLetter]), help="Only those with this reason."
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, help="Most to list, newest first.")
@click.pass_obj
def dead_letters_list(stack: "Stack", reason: str | None, limit: int) -> None:
    """List dead letters, newest first."""
    result = dead_letters.list_dead_letters(Lake(stack.settings()), reason, limit)
    table = Table(*result.columns, box=None)
    for row in result.rows:
        table.add_row(*[str(cell) for cell in row])
    _out.print(table)


@dead_letters_group.command("show")
@click.argument("partition", type=int)
@click.argument("offset", type=int)
@click.pass_obj
def dead_letters_show(stack: "Stack", partition: int, offset: int) -> None:
    """Show the record at a place in Kafka, as it was."""
    for record in dead_letters.show_dead_letter(Lake(stack.settings()), partition, offset):
        for name, cell in record.items():
            shown = cell.decode(errors="backslashreplace") if isinstance(cell, bytes) else cell
            _out.print(f"{name:<12} {shown}", markup=False, soft_wrap=True)


@dead_letters_group.command("replay")
@click.pass_obj
def dead_letters_replay(stack: "Stack") -> None:
    """Make rows of the dead letters that are valid events now, each once; the others stay, with their reasons."""
    # Spark takes a second to import, for which other commands need not wait
    from jobs.lake.maintenance import small_session  # noqa: PLC0415
    from jobs.lake.replay import replay  # noqa: PLC0415

    with small_session(stack.settings()) as spark:
        done = replay(spark)
    _out.print(f"{done.events:,} dead letters became rows{_named(done.sequences)}")
    for reason, count in sorted(done.left.items()):
        _out.print(f"{count:,} stay: {reason} ({DeadLetter(reason).help})")


def _named(sequences: tuple[tuple[str, int], ...]) -> str:
    names = ", ".join(f"{realm} {sequence:,}" for realm, sequence in sequences[:_NAMED])
    more = f" and {len(sequences) - _NAMED:,} more" if len(sequences) > _NAMED else ""
    return f": {names}{more}" if sequences else ""


# ---------------------------------------------------------------- demo


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
        _out.print(table)
        _out.print(f"Peak memory of all processes together: {peak_mib:,} MiB (proportional set size)")


@cli.command()
@_order_options(offers=100)
@click.option("--keep", is_flag=True, help="Use the stack in --home and leave it running.")
@click.option("--phases", is_flag=True, help="Print how long each phase took, and the peak memory.")
@click.pass_obj
def demo(stack: "Stack", /, *, keep: bool, phases: bool, **options: Any) -> None:
    """Show everything once: start, trade, audit, ask, report, stop.

    Without --keep it runs in a folder of its own that is removed at the end; the report stays.
    """
    from jobs.local.memory import PeakMemory  # noqa: PLC0415

    if not keep:
        stack = _stack(DEMO_HOME, load_settings(os.environ))
        stack.reset()  # what a demo that was killed may have left
    timing = Phases()
    with PeakMemory(stack.home) as memory:
        try:
            _demo(stack, Order(**options), timing)
        finally:
            if not keep:
                with timing.timed("stop"):
                    _remove(stack)
    if keep:
        _out.print("\nIt is left running: `haggle status` shows it, `haggle down` stops it.")
        _print_pages(stack)
        _print_key_use(stack)
    if phases:
        timing.print(memory.peak_mib)


def _demo(stack: "Stack", order: Order, timing: Phases) -> None:
    with timing.timed("start servers"):
        _start(stack)
    _print_pages(stack)
    settings = stack.settings()
    outcome = _simulate(settings, order)
    timing.times |= {"create players": outcome.players_s, "trade": outcome.trades_s}
    with timing.timed("until queryable"):
        _wait(settings)
    with timing.timed("audit"):
        checks = audit(settings)
    _print_checks(checks)
    with timing.timed("questions and report"):
        _report(settings, SHELF)
    if not all(check.ok for check in checks):
        raise HaggleError("the audit found something wrong; see above")


def _remove(stack: "Stack") -> None:
    # a second Ctrl-C must not leave processes behind
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _stop(stack)
    shutil.rmtree(stack.home, ignore_errors=True)


# ---------------------------------------------------------------- printing

_URLS: Final = ("engine_url", "redis_url", "kafka_bootstrap_servers", "hdfs_url", "catalog_url", "trino_url")


def _start(stack: "Stack") -> None:
    started = time.perf_counter()
    with _out.status("Looking around …") as line:
        waiting: list[str] = []

        def report(name: str, state: str) -> None:
            if state == "starting":
                waiting.append(name)
            else:
                _out.print(f"  [green]✓[/] {name:<11} ready after {time.perf_counter() - started:4.1f} s")
                if name in waiting:
                    waiting.remove(name)
            line.update(f"Waiting for {', '.join(waiting) or 'the next'} …")

        stack.up(report)


def _stop(stack: "Stack") -> None:
    started = time.perf_counter()
    with _out.status("Stopping everything …"):
        stack.down()
    _out.print(f"Stopped everything in {time.perf_counter() - started:.1f} s.")


def _simulate(settings: Settings, order: Order) -> Outcome:
    if _out.is_terminal:
        return _simulate_with_bar(settings, order)

    def print_line(outcome: Outcome) -> None:
        _out.print(_progress_line(outcome, order), soft_wrap=True)

    outcome = simulate(settings, order, _every(_LOG_INTERVAL_S, print_line))
    print_line(outcome)
    return outcome


def _every(interval_s: float, show: OnProgress) -> OnProgress:
    """Shows the progress no more often than that: thousands of answers a second come in."""
    shown_at = time.monotonic()

    def progress(outcome: Outcome) -> None:
        nonlocal shown_at
        if time.monotonic() >= shown_at + interval_s:
            shown_at = time.monotonic()
            show(outcome)

    return progress


def _progress_line(outcome: Outcome, order: Order) -> str:
    trades = f"{outcome.trades:,} of {order.trades:,} trades, {outcome.accepted:,} accepted"
    refused = "".join(f", {count:,} {reason}" for reason, count in outcome.refused.most_common())
    offers = f", {outcome.offers.total():,} of {order.offers:,} offers" if order.offers else ""
    retries = f", {outcome.retries:,} sent again"
    return f"{outcome.players:,} of {order.players:,} players, {trades}{refused}{offers}{retries}"


def _simulate_with_bar(settings: Settings, order: Order) -> Outcome:
    note = TextColumn("{task.fields[note]}")
    columns = ("{task.description:<8}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), note)
    with Progress(*columns, console=_out) as bar:
        players = bar.add_task("players", total=order.players, note="")
        trades = bar.add_task("trades", total=order.trades, note="", start=False)
        offers = bar.add_task("offers", total=order.offers, note="", start=False, visible=bool(order.offers))
        first_trade_at = 0.0

        def show(outcome: Outcome) -> None:
            nonlocal first_trade_at
            bar.update(players, completed=outcome.players)
            if outcome.trades:
                first_trade_at = first_trade_at or time.perf_counter()
                bar.start_task(trades)
                rate = outcome.trades / (outcome.trades_s or max(time.perf_counter() - first_trade_at, 1e-3))
                note = f"{rate:,.0f}/s, {outcome.accepted:,} accepted, {outcome.refused.total():,} refused"
                bar.update(trades, completed=outcome.trades, note=note)
            if outcome.offers:
                bar.start_task(offers)
                bar.update(offers, completed=outcome.offers.total())

        outcome = simulate(settings, order, _every(_BAR_INTERVAL_S, show))
        show(outcome)
    if outcome.retries:
        _out.print(f"{outcome.retries:,} requests were sent again")
    return outcome


def _wait(settings: Settings) -> None:
    with Progress("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=_out) as bar:
        task = bar.add_task("events in the tables", total=None)
        wait_until_queryable(settings, 120, lambda arrived, decided: bar.update(task, completed=arrived, total=decided))


def _print_lag(lag: Lag) -> None:
    table = Table("events wait in", "events", "seconds", box=None)
    for stage in lag.stages:
        events = "unknown" if stage.events is None else f"{stage.events:,}"
        table.add_row(stage.stage, events, "unknown" if stage.seconds is None else f"{stage.seconds:,.1f}")
    _out.print(table)
    newest = "an unknown event" if lag.lake_sequence is None else f"event {lag.lake_sequence:,}"
    _out.print(f"The lake has come to {newest}.")


def _print_checks(checks: list[Check]) -> None:
    table = Table("audit", "", "seen", box=None)
    for check in checks:
        table.add_row(check.name, "[green]✓[/]" if check.ok else "[red]✗[/]", check.seen)
    _out.print(table)


def _print_steps(steps: "list[Step]") -> None:
    table = Table("step", "of", "before", "after", "MiB before", "after", "seconds", "", box=None)
    for step in steps:
        counts = (f"{size.count:,}" for size in (step.before, step.after))
        sizes = (f"{size.size_bytes / 2**20:,.1f}" if size.size_bytes else "" for size in (step.before, step.after))
        problem = f"[red]{escape(step.problem)}[/]" if step.problem else ""
        table.add_row(step.name, step.what, *counts, *sizes, f"{step.seconds:.1f}", problem)
    _out.print(table)


def _report(settings: Settings, shelf: Path, folder: Path | None = None) -> None:
    with _out.status("Asking Trino …"):
        report = make_report(settings)
        html, data = write_report(report, folder or shelf / shelf_name(report.made_at))
        if not folder:
            tidy(shelf, settings.report_keep, settings.report_keep_mib * 2**20)
    table = Table("question", "answer", "took", show_lines=True)
    for line in lines_of(report):
        table.add_row(*line)
    _out.print(table)
    _out.print(f"Report: {_short(html)} and {_short(data)}")


def _print_pages(stack: "Stack") -> None:
    for name, url in stack.pages().items():
        _out.print(f"  {name:<12} {url}")


def _print_key_use(stack: "Stack") -> None:
    settings = stack.settings()
    if settings.authentication == "off":
        _out.print("  Every caller may do everything (AUTHENTICATION=off).")
        return
    home = "" if stack.home == DEFAULT_HOME.absolute() else f" --home {_short(stack.home)}"
    key = f"$({_short(Path(sys.argv[0]))}{home} key)"
    curl = f'curl -H "Authorization: Bearer {key}" {settings.engine_url}/v1/players'
    _out.print(f"  The engine wants its key: {curl}", soft_wrap=True, markup=False)
    if settings.original_routes == "open":
        _out.print("  PUT /create_player and POST /trade want none (ORIGINAL_ROUTES=open).")


def _short(path: Path) -> str:
    absolute = path.absolute()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)


if __name__ == "__main__":
    main()
