"""gunicorn's configuration, made from the settings: `gunicorn --config python:app.http.gunicorn`.

The master process reads it; prometheus_client learns from it where the workers keep their counts.
"""

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterable
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from app.settings import load_settings

_settings = load_settings(os.environ)
_counts_folder = tempfile.mkdtemp(prefix="haggle-metrics-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _counts_folder

wsgi_app = "app.http.gunicorn:application()"
bind = f"{_settings.listen_host}:{_settings.engine_port}"
workers = _settings.engine_workers
# greenlets: threads of one worker wait for each other's interpreter lock (docs/decisions.md)
worker_class = "gevent"
worker_connections = _settings.engine_connections
graceful_timeout = _settings.engine_drain_s
# an idle connection delays a graceful stop by at most this long
keepalive = 10
backlog = 1024
control_socket_disable = True


class _Logger(Logger):  # type: ignore[misc]
    def access(self, *_: Any) -> None:
        """Nothing: requests are counted in /metrics, and a line for each would cost a tenth of the engine's speed."""


logger_class = _Logger
logconfig_dict: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "app.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"level": _settings.log_level, "handlers": ["stderr"]},
    "loggers": {"gunicorn.error": {"level": _settings.log_level, "handlers": ["stderr"], "propagate": False}},
}


def child_exit(_server: Any, worker: Any) -> None:
    """Keeps the counts of a worker that ended, without its gauges."""
    # imported only now: prometheus_client reads PROMETHEUS_MULTIPROC_DIR when it is imported
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Removes the folder of counts."""
    shutil.rmtree(_counts_folder, ignore_errors=True)


# ---------------------------------------------------------------- an answer in one segment


def application() -> Callable[..., Iterable[bytes]]:
    """The engine. gunicorn sends head and body of an answer one by one; the kernel holds the head back for the body."""
    # imported only now, for PROMETHEUS_MULTIPROC_DIR
    from app.http.app import create_app  # noqa: PLC0415

    engine = create_app()

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def hold_and_start(*head: Any) -> Any:
            _hold(environ, 1)
            return start_response(*head)

        return engine(environ, hold_and_start)

    return answer


def post_request(_worker: Any, _request: Any, environ: dict[str, Any], _response: Any) -> None:
    """After gunicorn has sent an answer."""
    _hold(environ, 0)


def _hold(environ: dict[str, Any], on: int) -> None:
    if hasattr(socket, "TCP_CORK") and "gunicorn.socket" in environ:
        environ["gunicorn.socket"].setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, on)
