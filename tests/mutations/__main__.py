"""`make test-mutations`: applies each fault to a copy of the source, where one of its tests must fail.

The working tree is read once, at the start, and never touched. First the named tests must pass on a copy without a
fault. Prints a table, and exits with 1 if a fault survives, no longer applies, or breaks so much that no test ran.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Final, NamedTuple

from tests.mutations.faults import FAULTS, QUICKER, Edit, Fault

ROOT: Final = Path(__file__).parents[2]
PARTS: Final = ("app", "jobs", "sql", "tests", "pyproject.toml")
AT_ONCE: Final = 2
TIMEOUT_S: Final = 600
NONE: Final = Fault("no fault: all the named tests pass", (), tuple(dict.fromkeys(t for f in FAULTS for t in f.tests)))

_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) \S+::(\w+)", re.MULTILINE)
# the copy must be what is imported, here and in the processes that tests start
_RUN: Final = "import app, os, pytest, sys; assert app.__file__.startswith(os.getcwd()); sys.exit(pytest.main())"


class Outcome(NamedTuple):
    """What the tests said: pytest's exit code, and which test failed first."""

    fault: Fault
    code: int
    failed: str
    elapsed_s: float
    output: str

    @property
    def is_good(self) -> bool:
        """A fault is found by a test that failed; without one, all must pass."""
        return self.code == (1 if self.fault.edits else 0)


def apply(edit: Edit, folder: Path) -> None:
    """Makes the edit in the copy; raises ValueError if its text is not there once."""
    path = folder / edit.file
    text = path.read_text()
    if text.count(edit.old) != 1:
        raise ValueError(f"{edit.file} no longer holds this exactly once: {edit.old}")
    path.write_text(text.replace(edit.old, edit.new))


def copy_source(source: Path, folder: Path) -> None:
    """Copies what the tests need."""
    for part in PARTS:
        if (source / part).is_dir():
            shutil.copytree(source / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source / part, folder)


def try_fault(fault: Fault, source: Path) -> Outcome:
    """Runs the fault's tests on a copy of the source that has it."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="haggle-mutant-") as name:
        folder = Path(name)
        copy_source(source, folder)
        try:
            for edit in (QUICKER, *fault.edits):
                apply(edit, folder)
        except ValueError as error:
            return Outcome(fault, -1, "", 0, str(error))
        code, output = run_tests(fault.tests, folder)
    failed = _FAILED.search(output)
    return Outcome(fault, code, failed[1] if failed else "", time.monotonic() - started, output)


def run_tests(tests: Sequence[str], folder: Path) -> tuple[int, str]:
    """Runs the tests in the copy until one fails; pytest's exit code and output."""
    options = ["-q", "-x", "--tb=short", "-p", "no:cacheprovider", "-p", "no:schemathesis"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", _RUN, *options, *tests]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with the servers that the tests have started
            return -2, f"no end after {TIMEOUT_S} s"
    return process.returncode, output


def main() -> int:
    """Tries all faults, or those whose names hold a word given, and prints the table."""
    faults = [fault for fault in (NONE, *FAULTS) if all(word in fault.name for word in sys.argv[1:])]
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="haggle-source-") as name, ThreadPoolExecutor(AT_ONCE) as pool:
        copy_source(ROOT, Path(name))
        for outcome in pool.map(try_fault, faults, repeat(Path(name))):
            outcomes.append(outcome)
            verdict = "found" if outcome.failed and outcome.is_good else "passed" if outcome.is_good else "NOT FOUND"
            print(
                f"{verdict:9}  {outcome.elapsed_s:5.1f} s  {outcome.fault.name:75}  {outcome.failed[:75]}", flush=True
            )
    bad = [outcome for outcome in outcomes if not outcome.is_good]
    for outcome in bad:
        print(f"\n{outcome.fault.name} (exit code {outcome.code})\n{outcome.output[-3000:]}")
    print(f"\n{len(outcomes) - len(bad)} of {len(outcomes)} as they should be")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
