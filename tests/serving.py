"""The engine as it is served, for tests that need real sockets: gunicorn with its workers, and a light client."""

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec

from app.settings import Settings
from tests.conftest import SERVICE_KEY, TOKEN_KEY, wait_until
from tests.kafka import free_port


@contextmanager
def served(settings: Settings, **more: str) -> Iterator[int]:
    """Two gunicorn workers on the settings' realm; gives the port, and ends them."""
    port = free_port()
    environment = {
        **os.environ,
        "REDIS_URL": settings.redis_url,
        "REALM": settings.realm,
        "ENGINE_PORT": str(port),
        "ENGINE_WORKERS": "2",
        # tests ask for health and metrics as often as they like
        "STRANGER_RATE": "0",
        "ENGINE_DRAIN_S": "2",
        "SERVICE_KEYS": SERVICE_KEY,
        "TOKEN_KEYS": TOKEN_KEY,
        **more,
    }
    command = [sys.executable, "-m", "gunicorn", "--config", "python:app.http.gunicorn"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _is_ready(port), 60)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=40)


def _is_ready(port: int) -> bool:
    try:
        return Caller(port).send("GET", "/readyz").status == 200
    except OSError:
        return False


class Reply(NamedTuple):
    """An answer of the engine; `json` is None if it is none."""

    status: int
    headers: http.client.HTTPMessage
    json: Any

    @property
    def is_replay(self) -> bool:
        return "Idempotent-Replayed" in self.headers


class Caller:
    """One connection to the engine, with the service key. Much lighter than `requests`, for many at once."""

    def __init__(self, port: int, timeout_s: float = 60) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)

    def send(self, method: str, path: str, body: Any = None, key: str | None = None) -> Reply:
        """Sends one request; raises OSError or HTTPException if no whole answer comes."""
        headers = {"Authorization": f"Bearer {SERVICE_KEY}", **({"Idempotency-Key": key} if key else {})}
        try:
            self._connection.request(method, path, msgspec.json.encode(body) if body is not None else None, headers)
            answer = self._connection.getresponse()
            raw = answer.read()
            if "Content-Length" not in answer.headers:  # http.client takes a cut head for a whole one
                raise ConnectionError("the answer's head was cut")
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        return Reply(answer.status, answer.headers, msgspec.json.decode(raw) if raw else None)

    def close(self) -> None:
        self._connection.close()
