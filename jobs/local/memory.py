"""Peak memory of a stack's processes together, and of each at that moment, for `haggle demo --phases` and the bench."""

import threading
from collections import Counter
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
        self.mib: dict[str, int] = {}
        """Of each process of the stack at the peak, by name."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def peak_mib(self) -> int:
        """The most that all took together."""
        return sum(self.mib.values())

    def _sample(self) -> None:
        while not self._done.wait(_EVERY_S):
            found: Counter[str] = Counter()
            for process in psutil.process_iter():
                found.update(self._bytes_of(process))
            if found.total() // 2**20 > self.peak_mib:
                self.mib = {name: size // 2**20 for name, size in found.most_common()}

    def _bytes_of(self, process: psutil.Process) -> dict[str, int]:
        try:
            environment = process.environ()
            if process.pid != psutil.Process().pid and environment.get("HAGGLE_HOME") != self._home:
                return {}
            # supervisord names what it starts
            return {environment.get("SUPERVISOR_PROCESS_NAME", "others"): int(process.memory_full_info().pss)}
        except (psutil.Error, OSError):
            return {}
