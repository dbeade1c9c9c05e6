"""Peak memory of a stack's processes together, and of each at that moment, for `haggle demo --phases` and the bench."""

import threading
from collections import Counter
from contextlib import suppress
from typing import Self
from xmlrpc.client import Error as XmlRpcError

import psutil

from jobs.local.stack import Stack

_EVERY_S = 1.0


class PeakMemory:
    """Samples the proportional set size of every process of the stack while its context is open."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.mib: dict[str, int] = {}
        """Of each process of the stack, with its children, at the peak, by name."""

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
            # it has not started yet, or has ended
            with suppress(OSError, XmlRpcError):
                for info in self._stack.process_infos():
                    found[info["name"]] = _bytes_of(info["pid"])
            if found.total() // 2**20 > self.peak_mib:
                self.mib = {name: size // 2**20 for name, size in found.most_common()}


def _bytes_of(pid: int) -> int:
    """Of a process and its children."""
    total = 0
    with suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        for member in (process, *process.children(recursive=True)):
            with suppress(psutil.Error, OSError):
                total += int(member.memory_full_info().pss)
    return total
