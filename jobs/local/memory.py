"""Peak memory of a stack's processes together, for `haggle demo --phases`."""

import threading
from pathlib import Path
from typing import Self

import psutil

_EVERY_S = 1.0


class PeakMemory:
    """Samples the proportional set size of every process of `home` while its context is open."""

    def __init__(self, home: Path) -> None:
        self._home = str(home.absolute())
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.peak_mib = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(_EVERY_S):
            total = sum(self._bytes_of(process) for process in psutil.process_iter())
            self.peak_mib = max(self.peak_mib, total // 2**20)

    def _bytes_of(self, process: psutil.Process) -> int:
        try:
            if process.pid != psutil.Process().pid and process.environ().get("HAGGLE_HOME") != self._home:
                return 0
            return int(process.memory_full_info().pss)
        except (psutil.Error, OSError):
            return 0
