"""Closed-loop load from one thread: as many connections as asked for, each with one request under way.

Requests are bytes made beforehand and answers are hardly read, so that the load takes little of
the processor that it shares with what it measures.
"""

import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

_TIMEOUT_S: Final = 30

Status = Callable[[bytes], str]
"""The status of a complete answer, or '' while there is more to come."""


@dataclass(slots=True)
class Figures:
    """Answers a second, latencies, and answers by status."""

    elapsed_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies_s) / self.elapsed_s

    def percentile_ms(self, percent: float) -> float:
        """The latency that so many percent of the answers keep."""
        return (
            1_000 * sorted(self.latencies_s)[min(len(self.latencies_s) - 1, int(percent / 100 * len(self.latencies_s)))]
        )


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.received = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)


def load(port: int, connections: int, requests: Iterator[bytes], duration_s: float, status_of: Status) -> Figures:
    """Sends requests for so long, or until there are no more."""
    figures, selector = Figures(), selectors.DefaultSelector()
    opened = [_opened(port) for _ in range(connections)]
    started = time.perf_counter()
    for connection in opened:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(next(requests))
    while selector.get_map():
        ready = selector.select(_TIMEOUT_S)
        if not ready:
            raise TimeoutError(f"no answer within {_TIMEOUT_S} s")
        for key, _ in ready:
            if _receive(key.data, figures, status_of):
                request = next(requests, None) if time.perf_counter() < started + duration_s else None
                if request is None:
                    selector.unregister(key.fileobj)
                    key.data.socket.close()
                else:
                    key.data.send(request)
    figures.elapsed_s = time.perf_counter() - started
    return figures


def _opened(port: int) -> _Connection:
    """A new connection; the pause lets another worker of the server take the next one."""
    time.sleep(0.005)
    return _Connection(port)


def _receive(connection: _Connection, figures: Figures, status_of: Status) -> bool:
    data = connection.socket.recv(1 << 20)
    if not data:
        raise ConnectionError("the server closed a connection")
    connection.received += data
    status = status_of(connection.received)
    if status:
        figures.latencies_s.append(time.perf_counter() - connection.sent_at)
        figures.statuses[status] += 1
    return bool(status)


def http_status(received: bytes) -> str:
    """The status of an HTTP answer with a Content-Length."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return ""
    head = received[:end].lower()
    at = head.index(b"content-length:") + 15
    length = int(head[at : head.find(b"\r\n", at) if head.find(b"\r\n", at) > 0 else None])
    return received[9:12].decode() if len(received) >= end + 4 + length else ""


def redis_status(received: bytes) -> str:
    """':' for a whole number, '-' for an error: answers of one line."""
    return received[:1].decode() if received.endswith(b"\r\n") else ""
