"""Callers that hold on to the engine: slow bodies, idle connections, answers that nobody takes, too many connections.

On a real gunicorn with few places. Whatever they do, the port of management serves health and metrics.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests

from app.settings import Settings
from tests.conftest import SERVICE_KEY, wait_until
from tests.kafka import free_port
from tests.serving import served

PLACES = 6
ITEMS = b"GET /v1/items HTTP/1.1\r\nHost: haggle\r\n\r\n"
HEAD = f"POST /v1/players HTTP/1.1\r\nHost: haggle\r\nAuthorization: Bearer {SERVICE_KEY}\r\n".encode()


@pytest.fixture
def management() -> int:
    return free_port()


@pytest.fixture
def engine(settings: Settings, management: int) -> Iterator[int]:
    """One worker, where a body and an answer may take a second."""
    few = {"ENGINE_WORKERS": "1", "ENGINE_CONNECTIONS": str(PLACES), "ENGINE_CONNECTIONS_PER_ADDRESS": str(PLACES - 2)}
    with served(settings, **few, REQUEST_TIMEOUT_S="1", ENGINE_MANAGEMENT_PORT=str(management)) as port:
        yield port


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def answered(connection: socket.socket) -> bytes:
    """The first bytes of an answer; none if the connection was closed."""
    with contextlib.suppress(ConnectionError):
        return connection.recv(65_536)
    return b""


def test_a_body_that_does_not_come_in_time_is_a_408(engine: int) -> None:
    with connected(engine) as slow:
        slow.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        started = time.monotonic()
        answer = answered(slow)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"request_timeout"' in answer
    assert time.monotonic() - started < 10


def test_a_body_that_drips_is_a_408_too(engine: int) -> None:
    with connected(engine) as slow:
        slow.sendall(HEAD + b"Content-Length: 100\r\n\r\n")
        slow.settimeout(0.1)
        started = time.monotonic()
        answer = b""
        while not answer and time.monotonic() - started < 10:
            slow.sendall(b" ")
            with contextlib.suppress(TimeoutError):
                answer = slow.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("begun", [b"", HEAD], ids=["nothing", "half a head"])
def test_a_connection_on_which_no_head_comes_is_closed(engine: int, begun: bytes) -> None:
    with connected(engine) as idle:
        idle.sendall(begun)
        assert answered(idle) == b""


def test_a_caller_that_does_not_take_its_answers_is_left(engine: int) -> None:
    with connected(engine) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        deaf.settimeout(0.2)

        def is_left() -> bool:
            """Sends requests, until neither side's buffers take more; then until the engine has closed."""
            try:
                deaf.sendall(ITEMS * 100)
            except TimeoutError:
                return False
            except ConnectionError:
                return True
            return False

        wait_until(is_left, 30, pause_s=0)
    assert requests.get(f"http://127.0.0.1:{engine}/livez", timeout=5).status_code == 200


def test_who_sends_requests_without_a_pause_does_not_keep_others_waiting(engine: int) -> None:
    ended = threading.Event()

    def read(busy: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while busy.recv(1 << 20):
                pass

    def flood() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError), connected(engine) as busy:
                threading.Thread(target=read, args=(busy,), daemon=True).start()
                while not ended.is_set():
                    busy.sendall(ITEMS * 200)

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        waits = []
        for _ in range(5):
            started = time.monotonic()
            assert requests.get(f"http://127.0.0.1:{engine}/livez", timeout=10).status_code == 200
            waits.append(time.monotonic() - started)
    finally:
        ended.set()
        thread.join()
    assert max(waits) < 2


def test_a_body_without_an_end_that_nobody_reads_ends_the_connection(engine: int) -> None:
    with connected(engine) as endless:
        endless.sendall(b"POST /v1/trades HTTP/1.1\r\nHost: haggle\r\nTransfer-Encoding: chunked\r\n\r\n")

        def is_closed() -> bool:
            try:
                endless.sendall(b"1\r\nx\r\n" * 1_000)
            except ConnectionError:
                return True
            return False

        wait_until(is_closed, 5, pause_s=0)


def test_an_address_has_so_many_connections_and_is_told(engine: int) -> None:
    with ExitStack() as held:
        kept = [held.enter_context(connected(engine)) for _ in range(PLACES - 2)]
        for connection in kept:
            connection.sendall(ITEMS)
            assert answered(connection).startswith(b"HTTP/1.1 200 ")
        with connected(engine) as refused:
            refused.sendall(ITEMS)
            answer = answered(refused)
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b'"rate_limited"' in answer
        kept[0].close()
        wait_until(lambda: requests.get(f"http://127.0.0.1:{engine}/livez", timeout=5).status_code == 200)


def test_health_and_metrics_are_served_while_every_place_is_taken(settings: Settings, management: int) -> None:
    few = {"ENGINE_WORKERS": "1", "ENGINE_CONNECTIONS": str(PLACES), "ENGINE_MANAGEMENT_PORT": str(management)}
    with served(settings, **few) as engine, ExitStack() as held:
        for _ in range(PLACES + 2):
            held.enter_context(connected(engine)).sendall(HEAD)
        with pytest.raises(requests.RequestException):
            requests.get(f"http://127.0.0.1:{engine}/livez", timeout=2)
        for path in ("/livez", "/readyz", "/metrics"):
            assert requests.get(f"http://127.0.0.1:{management}{path}", timeout=5).status_code == 200
        key = {"Authorization": f"Bearer {SERVICE_KEY}"}
        for path in ("/v1/players", "/v1/items", "/docs/", "/nowhere"):
            assert requests.get(f"http://127.0.0.1:{management}{path}", timeout=5, headers=key).status_code == 404
