"""Serves /readyz and /metrics of the programs that are no HTTP servers themselves: the relay and the streams."""

import json
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    timeout = 10  # seconds after which a caller that says nothing is left

    def log_message(self, *_: object) -> None:
        """A probe every few seconds is no news."""


def serve(readiness: Callable[[], dict[str, Any]], host: str, port: int) -> None:
    """Serves from threads of its own. /readyz shows `readiness` as JSON: 200 while its `ready` is true, else 503."""
    metrics: Any = make_wsgi_app()

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/readyz":
            answered: Iterable[bytes] = metrics(environ, start_response)
            return answered
        body = readiness()
        status = HTTPStatus.OK if body["ready"] else HTTPStatus.SERVICE_UNAVAILABLE
        start_response(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]

    server = make_server(host, port, answer, server_class=_Server, handler_class=_Silent)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
