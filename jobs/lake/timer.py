"""Runs the maintenance of the lake every so often (`python -m jobs.lake.timer`); the local stack starts it.

The work is done by a child process, so that no JVM stays in memory in between. The first run comes after one interval.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from app.logs import configure_logs
from app.settings import Settings, load_settings

_STEPS: Final = 8
_STOP_S: Final = 10

_log = logging.getLogger(__name__)


class Timer:
    """Starts a maintenance, and ends one that does not end by itself."""

    def __init__(self, settings: Settings) -> None:
        self._interval_s = settings.maintenance_interval_s
        # each step ends by itself in time; this bounds what no step can: a JVM that hangs
        self._deadline_s = _STEPS * settings.maintenance_step_s + 60
        self._child: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Runs for ever."""
        while True:
            time.sleep(self._interval_s)
            self._maintain()

    def _maintain(self) -> None:
        # a process group of its own, so that its JVM goes with it
        self._child = subprocess.Popen([sys.executable, "-m", "jobs.lake.maintenance"], start_new_session=True)
        try:
            code = self._child.wait(self._deadline_s)
        except subprocess.TimeoutExpired:
            self.end_child()
            _log.error("a maintenance did not end", extra={"context": {"after_s": self._deadline_s}})
        else:
            if code:
                _log.error("a maintenance failed", extra={"context": {"exit_code": code}})
        self._child = None

    def end_child(self) -> None:
        """Ends a maintenance that runs; it may be ended at any moment."""
        if self._child is None or self._child.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGTERM)
        try:
            self._child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)


def main() -> None:
    """Runs until SIGTERM. The one argument, if given, is a file that gets the process' id."""
    settings = load_settings(os.environ)
    configure_logs(settings.log_level)
    timer = Timer(settings)

    def stop(*_: Any) -> None:
        timer.end_child()
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(str(os.getpid()))
    timer.run()


if __name__ == "__main__":
    main()
