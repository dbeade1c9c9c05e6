"""Entry point of `haggle`. Exit codes: 0 all is well, 1 something is off or went wrong, 2 wrong usage."""

import signal
import sys

from rich.console import Console

from app.errors import HaggleError
from jobs.cli import (
    audit,
    dead_letters,
    demo,
    economy,
    forgotten,
    maintain,
    query,
    questions,
    report,
    simulate,
    stack,
    suspects,
    top,
    trace,
)
from jobs.cli.group import cli

__all__ = [
    "audit", "cli", "dead_letters", "demo", "economy", "forgotten", "maintain", "query", "questions", "report",
    "simulate", "stack", "suspects", "top", "trace",
]  # fmt: skip


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


if __name__ == "__main__":
    main()
