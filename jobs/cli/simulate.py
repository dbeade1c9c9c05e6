"""Plays against the engine, and shows how far it is."""

import time
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, Final

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.settings import Settings
from jobs.cli.group import cli, out, with_settings
from jobs.simulate.run import Behaviours, Order, Outcome, simulate
from jobs.simulate.run import Progress as OnProgress

_OF_BEHAVIOURS: Final = ("days", "speed", "prevalence", "truth")
_LOG_INTERVAL_S: Final = 5.0
_BAR_INTERVAL_S: Final = 0.1


def order_options(offers: int) -> Callable[[Any], Any]:
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
@order_options(offers=0)
@click.option("--log", type=click.Path(path_type=Path), help="File that gets a JSON line per trade.")
@click.option("--behaviours", is_flag=True, help="Players that behave, and cheats among them: see docs/economy.md.")
@click.option("--days", type=click.IntRange(2), help="With --behaviours: days of virtual time.  [default: 28]")
@click.option(
    "--speed",
    type=click.FloatRange(0),
    help="With --behaviours: seconds of virtual time in a real one; 0: as fast as it goes.  [default: 0]",
)
@click.option(
    "--prevalence",
    type=click.FloatRange(0, 0.5),
    help="With --behaviours: share of the players that have a part in a cheat.  [default: 0.02]",
)
@click.option(
    "--truth",
    type=click.Path(path_type=Path, file_okay=False),
    help="With --behaviours: folder that gets who cheats (labels.jsonl) and who only looks like it (innocent.jsonl).",
)
@with_settings
def simulate_command(settings: Settings, /, *, behaviours: bool, **options: Any) -> None:
    """Create players, do trades and make offers, as a game would."""
    given = {name: value for name in _OF_BEHAVIOURS if (value := options.pop(name)) is not None}
    if given and not behaviours:
        raise click.UsageError(f"--{next(iter(given))} goes with --behaviours")
    if behaviours and (options["offers"] or options["rate"]):
        raise click.UsageError("with --behaviours, players make offers of their own accord, and --speed says how fast")
    play(settings, Order(**options, behaviours=Behaviours(**given) if behaviours else None))


def play(settings: Settings, order: Order) -> Outcome:
    """Simulates, and shows the progress: as bars on a terminal, as lines elsewhere."""
    if out.is_terminal:
        return _simulate_with_bar(settings, order)

    def print_line(outcome: Outcome) -> None:
        out.print(_progress_line(outcome, order), soft_wrap=True)

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
    return f"{outcome.players:,} of {order.players:,} players, {trades}{refused}{offers}{_more(outcome)}{retries}"


def _more(outcome: Outcome) -> str:
    """What players that behave do beside trading, and what the engine decided otherwise than was planned."""
    adjusted = f", {outcome.adjustments:,} adjustments" if outcome.adjustments else ""
    return adjusted + (f", {outcome.unexpected:,} decided otherwise than planned" if outcome.unexpected else "")


def _simulate_with_bar(settings: Settings, order: Order) -> Outcome:
    note = TextColumn("{task.fields[note]}")
    columns = ("{task.description:<8}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), note)
    with Progress(*columns, console=out) as bar:
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
    if order.behaviours:
        out.print(_progress_line(outcome, order))
    elif outcome.retries:
        out.print(f"{outcome.retries:,} requests were sent again")
    return outcome
