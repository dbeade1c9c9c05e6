"""What a driver of the streams says while it waits, without Spark and without servers."""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import psycopg
import pytest

from app.settings import load_settings
from jobs.streams import lock
from jobs.streams.lock import DriverLock
from jobs.streams.progress import Progress, serve
from tests.kafka import free_port


class Catalog:
    """PostgreSQL, as a driver that tries to get the lock finds it each time: away, or with the lock taken or free."""

    def __init__(self, *finds: str) -> None:
        self._finds = iter(finds)
        self._now = ""

    def connect(self, *_: object) -> "Catalog":
        self._now = next(self._finds)
        if self._now == "away":
            raise psycopg.OperationalError("connection refused")
        return self

    def execute(self, *_: object) -> "Catalog":
        self._now, found = "", self._now or next(self._finds)
        if found == "away":
            raise psycopg.OperationalError("server closed the connection")
        self._held = found == "free"
        return self

    def fetchone(self) -> tuple[bool]:
        return (self._held,)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """What /readyz answers at each pause of a driver that gets its lock in the end."""

    def ask(*finds: str) -> list[str]:
        progress, port, answers = Progress(), free_port(), list[str]()
        serve(progress, "127.0.0.1", port)
        monkeypatch.setattr(lock, "_connect", Catalog(*finds).connect)
        monkeypatch.setattr(time, "sleep", lambda _: answers.append(detail(port)))
        DriverLock(load_settings({}), "lake.haggle").acquire(progress.wait)
        return answers

    return ask


def detail(port: int) -> str:
    with pytest.raises(HTTPError) as refused:
        urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5)
    assert refused.value.code == 503
    answer: dict[str, Any] = json.loads(refused.value.read())
    return str(answer["detail"])


TAKEN = "waiting for the lock: another driver runs"
AWAY = "waiting for the lock: the catalog does not answer"


def test_readyz_of_a_driver_that_waits_for_its_lock_says_so_and_why(asked: Callable[..., list[str]]) -> None:
    grace = 1
    assert asked("taken", "taken", "free") == [TAKEN, TAKEN] + [TAKEN] * grace
    assert asked("away", "away", "taken", "away", "free") == [AWAY, AWAY, TAKEN, AWAY] + [AWAY] * grace
    assert asked("free") == []
