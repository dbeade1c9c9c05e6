"""Single servers of the local stack's plan, for tests that need no more than one or two of them."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from app.settings import Settings, load_settings
from jobs.local.java import JavaParts
from jobs.local.servers import PORTS, Process, Site, local_settings, processes
from tests.conftest import wait_until
from tests.kafka import free_port


def site_in(home: Path) -> Site:
    """A stack's place in `home`, on free ports, with its Java parts."""
    given = load_settings({name: value for name, value in os.environ.items() if name == "CACHE_FOLDER"})
    ports = {port: free_port() for ports in PORTS.values() for port in ports}
    settings: Settings = replace(given, **local_settings(given, ports, {}))  # type: ignore[arg-type]
    java = JavaParts(Path(given.cache_folder).expanduser())
    java.fetch()
    return Site(home, ports, settings, java)


def planned(site: Site, name: str, changed: Mapping[str, str] | None = None) -> Process:
    """A process of the plan; each text of `changed` must stand in its files or its command, and is replaced there."""
    (process,) = [process for process in processes(site) if process.name == name]
    for old, new in (changed or {}).items():
        assert any(old in text for text in (*process.files.values(), *process.command)), old
        files = {path: text.replace(old, new) for path, text in process.files.items()}
        process = replace(process, files=files, command=[word.replace(old, new) for word in process.command])
    return process


class Server:
    """A process of the plan, prepared as the stack does it; may be killed and started again."""

    def __init__(self, site: Site, process: Process) -> None:
        self.log = site.home / f"{process.name}.log"
        self._process = process
        self._environment = {**os.environ, **process.environment}
        for path, text in process.files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        site.data(process.name).mkdir(parents=True, mode=0o700)
        for command in process.prepare:
            self._run(command).wait()
        self.start()

    def start(self) -> None:
        self._running = self._run(self._process.command)
        wait_until(self._is_ready, 60)

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(command, env=self._environment, stdout=log, stderr=log, start_new_session=True)

    def _is_ready(self) -> bool:
        assert self._running.poll() is None, self.log.read_text()[-2_000:]
        try:
            return self._process.is_ready()
        except Exception:
            return False

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Ends it with all that it has started, if it has not ended yet."""
        with suppress(ProcessLookupError):
            os.killpg(self._running.pid, number)
        self._running.wait()


@contextmanager
def running(site: Site, *plan: Process) -> Iterator[list[Server]]:
    """Servers, started one after the other, from when they are ready; killed in the end."""
    servers: list[Server] = []
    try:
        for process in plan:
            servers.append(Server(site, process))  # noqa: PERF401 those before one that does not start must end
        yield servers
    finally:
        for server in reversed(servers):
            server.kill()
