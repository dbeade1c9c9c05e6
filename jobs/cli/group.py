"""The command itself, and what its commands share: the stack or servers that they are for, and how they print.

All but those that start and stop the stack use the servers that the environment names, or those of the stack.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console

from app.errors import HaggleError
from app.settings import Settings, load_settings
from jobs.lake.moment import Past, parse_moment

if TYPE_CHECKING:
    from jobs.local.stack import Stack

DEFAULT_HOME: Final = Path(".haggle")
out = Console(highlight=False)


@click.group(context_settings={"max_content_width": 100, "show_default": True})
@click.version_option(package_name="haggle", message="%(version)s")
@click.option("--home", type=click.Path(path_type=Path), default=DEFAULT_HOME, help="Folder of the local stack.")
@click.pass_context
def cli(context: click.Context, home: Path) -> None:
    """Haggle: trades of an online game, exactly once, from HTTP to SQL."""
    context.obj = stack_of(home) if find_spec("supervisor") else Elsewhere(load_settings(os.environ))


def stack_of(home: Path) -> "Stack":
    """The local stack in a folder."""
    # imported only now: the image, whose servers run elsewhere, does not carry what the local stack needs
    from jobs.local.stack import Stack  # noqa: PLC0415

    return Stack(home, load_settings(os.environ))


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Takes the stack's place where the local servers are not installed: the environment names the servers."""

    given: Settings

    def settings(self) -> Settings:
        """The settings of the environment."""
        return self.given

    def __getattr__(self, _: str) -> Any:
        raise HaggleError(
            "the local servers are not installed here; only simulate, report, questions, ask, audit, accept-loss, "
            "dead-letters, forgotten, economy, maintain, trace and key run"
        )


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command its first argument: the settings of the stack, or of the servers of the environment."""

    @click.pass_obj
    @wraps(command)
    def run(stack: "Stack | Elsewhere", /, **options: Any) -> None:
        command(stack.settings(), **options)

    return run


def with_past(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command `past`: the moment of the past that it is asked of, if it is."""

    @click.option(
        "--at", "occurred_by", metavar="MOMENT", help="Only of what had occurred by then, as 2026-11-01T12:00 (UTC)."
    )
    @click.option(
        "--as-known-at", "known_at", metavar="MOMENT", help="Only of what had landed by then, while a snapshot is left."
    )
    @wraps(command)
    def run(*arguments: Any, occurred_by: str | None, known_at: str | None, **options: Any) -> None:
        past = Past(*(parse_moment(text) if text else None for text in (occurred_by, known_at)))
        command(*arguments, past=past, **options)

    return run


def short(path: Path) -> str:
    """The path, from the working folder if it lies in it."""
    absolute = path.absolute()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)
