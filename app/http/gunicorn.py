"""gunicorn's configuration, made from the settings: `gunicorn --config python:app.http.gunicorn`.

The master process reads it; prometheus_client learns from it where the workers keep their counts.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final, cast

from gevent import Timeout, sleep  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]
from werkzeug.exceptions import BadRequest, RequestTimeout

from app.contract.reasons import Problem
from app.economy import NOT_NOW
from app.http.addresses import Places, Proxies, host_of
from app.settings import load_settings

_settings = load_settings(os.environ)
_counts_folder = tempfile.mkdtemp(prefix="haggle-metrics-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _counts_folder

wsgi_app = "app.http.gunicorn:application()"
# each port has places of its own: however many callers hold those of the engine's, health and metrics are served
bind = [f"{_settings.listen_host}:{port}" for port in (_settings.engine_port, _settings.engine_management_port) if port]
workers = _settings.engine_workers
worker_class = "app.http.gunicorn.Worker"
worker_connections = _settings.engine_connections
graceful_timeout = _settings.engine_drain_s
# an idle connection, or one whose head does not come, is closed; it delays a graceful stop by at most this long
keepalive = 10
backlog = 1024
control_socket_disable = True


class _Logger(Logger):  # type: ignore[misc]
    def access(self, *_: Any) -> None:
        """Nothing: requests are counted in /metrics, and a line for each would cost a tenth of the engine's speed."""

    def warning(self, message: str, *arguments: Any, **more: Any) -> None:
        """As it is, but for what is no HTTP: its sender gets its 400, and would have the log to fill."""
        if not message.startswith("Invalid request from ip="):
            super().warning(message, *arguments, **more)


logger_class = _Logger
logconfig_dict: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "app.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"level": _settings.log_level, "handlers": ["stderr"]},
    "loggers": {"gunicorn.error": {"level": _settings.log_level, "handlers": ["stderr"], "propagate": False}},
}


_engine: Final = {"is_new": True}


def on_starting(_server: Any) -> None:
    """Offers the economy to the realm; ends if it is refused. Workers that start later need not be taken again."""
    # a process of its own: this one must not import what gevent changes in the workers
    status = subprocess.run([sys.executable, "-m", "app.publish"], check=False).returncode
    if status not in (0, NOT_NOW):
        sys.exit(status)
    _engine["is_new"] = status == NOT_NOW


def child_exit(_server: Any, worker: Any) -> None:
    """Keeps the counts of a worker that ended, without its gauges."""
    # imported only now: prometheus_client reads PROMETHEUS_MULTIPROC_DIR when it is imported
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Removes the folder of counts."""
    shutil.rmtree(_counts_folder, ignore_errors=True)


# ---------------------------------------------------------------- what a caller may hold

_TOO_MANY: Final = json.dumps(
    {
        "type": "about:blank",
        "title": "Rate limited",
        "status": 429,
        "reason": Problem.RATE_LIMITED,
        "detail": f"this address has {_settings.engine_connections_per_address} connections already; close some",
    }
)
_REFUSED: Final = (
    "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nRetry-After: 1\r\n"
    f"Content-Type: application/problem+json\r\nContent-Length: {len(_TOO_MANY)}\r\n\r\n{_TOO_MANY}"
).encode()


_workers: Final[list[Any]] = []
"""The worker of this process: who is sent events for minutes has to be told when it ends."""


class Worker(GeventWorker):  # type: ignore[misc]
    """A worker of greenlets, of whose places an address gets a part, and each for so long.

    Threads would wait for each other's interpreter lock (docs/decisions.md).
    """

    _places = Places(_settings.engine_connections_per_address)
    _proxies = Proxies(_settings.trusted_proxies)

    def init_process(self) -> None:
        """Makes this process's worker known."""
        _workers.append(self)
        super().init_process()

    def handle(self, listener: Any, client: Any, address: tuple[Any, ...]) -> None:
        """Serves a connection, unless its address has too many."""
        is_exempt = listener.getsockname()[1] == _settings.engine_management_port or self._proxies.has(address[0])
        if is_exempt:
            super().handle(listener, client, address)
        elif self._places.take(host := host_of(address[0])):
            try:
                super().handle(listener, client, address)
            finally:
                self._places.give_back(host)
        else:
            client.settimeout(0)  # whoever does not listen is not waited for
            with client, suppress(OSError):
                client.sendall(_REFUSED)

    def handle_request(self, *request: Any) -> Any:
        """Answers a request; who does not take its answer in time is left, without a line in the log."""
        # a greenlet that never waits, since its requests are there already, would keep all others waiting
        if self.nr % _REQUESTS_IN_A_ROW == 0:
            sleep(0)
        try:
            return super().handle_request(*request)
        except TimeoutError:
            raise StopIteration from None


_REQUESTS_IN_A_ROW: Final = 16
_BYTES_IN_A_ROW: Final = 16_384
_DRAINED_BYTES: Final = 8 * 2**20


class _Body:
    """The body of a request, which must have come some time after its head. Others go on while it is read."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self._body = environ["wsgi.input"]
        self._is_chunked = "HTTP_TRANSFER_ENCODING" in environ
        self._has_ended = not self._is_chunked and environ.get("CONTENT_LENGTH") in (None, "", "0")
        self._until = time.monotonic() + _settings.request_timeout_s

    def read(self, size: int) -> bytes:
        """So many bytes, or fewer at the end; raises RequestTimeout, or BadRequest if it breaks off."""
        if self._has_ended:
            return b""
        try:
            with Timeout(max(0.0, self._until - time.monotonic()), RequestTimeout()):
                return self._read(size)
        except (OSError, ParseException):
            raise BadRequest("the body broke off, or its chunks are none") from None

    def _read(self, size: int) -> bytes:
        content = bytearray()
        while len(content) < size:
            asked = min(size - len(content), _BYTES_IN_A_ROW)
            part = self._body.read(asked)
            content += part
            if len(part) < asked:
                self._has_ended = True
                break
            sleep(0)
        return bytes(content)

    def finish(self) -> bool:
        """Reads what is left: a client that still writes would not see the answer. False if that is too much."""
        left = _DRAINED_BYTES
        with suppress(RequestTimeout, BadRequest):
            while left > 0 and not self._has_ended and not self._is_chunked:
                left -= len(self.read(65_536))
        return self._has_ended


# ---------------------------------------------------------------- an answer in one segment

_LAST: Final = ("400", "401", "408", "413", "429")
"""Answers after which the connection is closed: whoever goes on takes a place anew."""


def application() -> Callable[..., Iterable[bytes]]:
    """The engine. gunicorn sends head and body of an answer one by one; the kernel holds the head back for the body."""
    # imported only now, for PROMETHEUS_MULTIPROC_DIR
    from app.http.app import create_app  # noqa: PLC0415

    engine: Any = create_app(is_new=_engine["is_new"])

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        statuses: list[str] = []

        def hold_and_start(status: str, *head: Any) -> Any:
            statuses.append(status[:3])
            # gevent's `sendall` takes no longer in all; reading has deadlines of its own
            environ["gunicorn.socket"].settimeout(_settings.request_timeout_s)
            _hold(environ, 1)
            return start_response(status, *head)

        body = environ["wsgi.input"] = _Body(environ)
        environ["haggle.is_ending"] = lambda: not _workers[-1].alive
        parts = engine(environ, hold_and_start)
        if environ.get("haggle.is_stream"):
            _hold(environ, 0)
            # it ends when the worker does, which would wait for one more request
            cast("Any", start_response).__self__.force_close()
            return cast("Iterable[bytes]", parts)
        # in one piece, for which the time to take it is counted
        try:
            content = b"".join(parts)
        finally:
            parts.close()
        if not body.finish() or statuses[-1] in _LAST:
            cast("Any", start_response).__self__.force_close()
        return [content]

    return answer


def post_request(_worker: Any, _request: Any, environ: dict[str, Any], _response: Any) -> None:
    """After gunicorn has sent an answer."""
    _hold(environ, 0)
    if "gunicorn.socket" in environ:
        environ["gunicorn.socket"].settimeout(None)


def _hold(environ: dict[str, Any], on: int) -> None:
    if hasattr(socket, "TCP_CORK") and "gunicorn.socket" in environ:
        environ["gunicorn.socket"].setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, on)
