"""The steps of something long: on a terminal bars that move on one screen, elsewhere a line when each is done."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

_NAME_WIDTH: Final = 12


class Step:
    """One step, under way or over: `done` of `total` (None: nobody knows how much there is), and a few words."""

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task
        self.words = ""

    def show(self, done: float, total: float | None, words: str) -> None:
        """Shows how far it is; it may be called as often as one likes."""
        self.words = words
        self._bars.update(self._task, completed=done, total=total, words=words)


class Screen:
    """All steps, one below the other; some may be under way at once. `times_s` are those of the steps that are over."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn(f"{{task.description:<{_NAME_WIDTH}}}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[took]:>7}"),
            TextColumn("[dim]{task.fields[words]}[/]"),
            console=console,
            disable=not console.is_terminal,
        )
        self.times_s: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    @contextmanager
    def step(self, name: str, words: str) -> Iterator[Step]:
        """A step, from when it begins; `words` say why it takes the time it takes, until `show` says more."""
        task = self._bars.add_task(name, total=None, words=words, took="")
        step, started = Step(self._bars, task), time.perf_counter()
        step.words = words
        self._say(f"{name}: {words} …")
        yield step
        took_s = self.times_s[name] = time.perf_counter() - started
        self._bars.update(task, total=1, completed=1, took=f"{took_s:.1f} s", words=step.words)
        self._say(f"{name}: done in {took_s:.1f} s{f', {step.words}' if step.words != words else ''}")

    def _say(self, line: str) -> None:
        if not self._console.is_terminal:
            self._console.print(line, soft_wrap=True, markup=False)
