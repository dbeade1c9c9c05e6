"""The local stack: starts, watches and stops its processes under supervisord.

A stack lives in a home folder: data/, config/, logs/, stack.json with its ports, so that data written under an
address is found again under it, and keys.json with the engine's keys. supervisord restarts what dies; this module only
asks it to start and stop.
"""

import contextlib
import fcntl
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import psutil
from supervisor.xmlrpc import SupervisorTransport

from app.errors import HaggleError
from app.settings import Settings
from jobs.local import preflight
from jobs.local.java import JavaParts
from jobs.local.servers import PORTS, Process, Site, local_settings, processes

START_TIMEOUT_S: Final = 240
"""Of each server, from its own start on: a busy machine may take as long for those that must be ready before it."""
_STOP_WAVES: Final = (
    ("engine",),
    ("relay", "streams", "trino", "maintenance", "secondary"),
    ("datanode", "kafka", "redis", "catalog"),
    ("namenode",),
)
_LOG_LINES: Final = 15
_GAME: Final = ("redis", "engine")
"""What is started first, alone: the game can be played while all else starts, which takes the processor."""
# below the range that the kernel takes outgoing ports from, so that a stopped stack finds its own free again
_PORT_RANGE: Final = range(20_000, 32_000)


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """What is known of one process: its memory, and the processor time it has used, with its children's."""

    name: str
    state: str
    ready: bool
    memory_mib: int
    cpu_s: float
    log: Path


class Stack:
    """The stack in `home`; nothing is read or written before a method is called."""

    def __init__(self, home: Path, environment_settings: Settings) -> None:
        self.home = home.absolute()
        self._given = environment_settings
        self._java = JavaParts(Path(environment_settings.cache_folder).expanduser())

    # ------------------------------------------------------------ what there is

    @property
    def exists(self) -> bool:
        """There is a stack in the home folder, running or stopped."""
        return (self.home / "stack.json").exists()

    @property
    def is_running(self) -> bool:
        """Supervisord answers."""
        if not self.exists:
            return False
        try:
            self._supervisor().getState()
        except (OSError, xmlrpc.client.Error):
            return False
        return True

    def settings(self) -> Settings:
        """The settings with which to reach the stack's servers; those of the environment if there is no stack."""
        if not self.exists:
            return self._given
        return self._site().settings

    def pages(self) -> dict[str, str]:
        """The web pages of the stack's own servers."""
        pages = {
            "live": ("engine", "/live"),
            "engine docs": ("engine", "/docs/"),
            "Trino": ("trino", "/ui/"),
            "NameNode": ("namenode_http", "/dfshealth.html"),
            "Spark": ("spark_ui", "/StreamingQuery/"),
        }
        ports = self._ports()
        return {page: f"http://127.0.0.1:{ports[port]}{path}" for page, (port, path) in pages.items()}

    def statuses(self) -> list[ProcessStatus]:
        """The state of every process that this stack starts."""
        known = {info["name"]: info for info in self.process_infos()} if self.is_running else {}
        plan = processes(self._site())
        with ThreadPoolExecutor(len(plan)) as pool:
            ready = list(pool.map(_is_ready, plan))
        return [self._status(process, known.get(process.name), ok) for process, ok in zip(plan, ready, strict=True)]

    def _status(self, process: Process, info: dict[str, Any] | None, ready: bool) -> ProcessStatus:  # noqa: FBT001
        if info is None:
            return ProcessStatus(
                process.name, "STOPPED", ready=False, memory_mib=0, cpu_s=0, log=self._log(process.name)
            )
        memory_bytes, cpu_s = _usage(info["pid"])
        log = self._log(process.name)
        return ProcessStatus(process.name, info["statename"], ready, memory_bytes // 2**20, cpu_s, log)

    def process_infos(self) -> list[dict[str, Any]]:
        """What supervisord knows of every process, as its API gives it."""
        infos: list[dict[str, Any]] = self._supervisor().getAllProcessInfo()
        return infos

    # ------------------------------------------------------------ up

    def fetch(self) -> None:
        """Fetches what the servers are made of, unless it is there; raises HaggleError on what is missing."""
        with self._lock():
            self._preflight(running=self.is_running)
            self._java.fetch()

    @property
    def size(self) -> int:
        """How many processes it has."""
        return len(processes(self._site()))

    def up(self, report: Callable[[str, str], None]) -> None:
        """Starts all that is not running and waits until it is ready; calls `report(name, state)` on each change.

        Raises HaggleError on what is missing, and with the end of the log of a server that does not start.
        """
        with self._lock():
            running = self.is_running
            self._preflight(running=running)
            self._java.fetch()
            site = self._site()
            plan = processes(site)
            if not running:
                self._end_leftovers()
                self._prepare(plan)
                self._start_supervisord(plan)
            self._start(plan, report)

    def _preflight(self, *, running: bool) -> None:
        incomplete = not self._java.is_complete
        problems = [*preflight.check_java(), *preflight.check_maven(needed=incomplete)]
        if incomplete:
            cache = Path(self._given.cache_folder).expanduser()
            problems += preflight.check_disk(cache, preflight.CACHE_GIB, "The cache of downloads")
        problems += preflight.check_disk(self.home, preflight.DATA_GIB, "The data of the stack")
        if not running:
            names = [process.name for process in processes(self._site())]
            used = {f"{name} ({port})": self._ports()[port] for name in names for port in PORTS[name]}
            problems += preflight.check_ports(used)
        if problems:
            raise HaggleError("\n".join(problems))

    def _prepare(self, plan: list[Process]) -> None:
        """Makes the folders and writes the configuration."""
        # what killed processes left: Spark's copies of its jars, gunicorn's counts
        shutil.rmtree(self.home / "tmp", ignore_errors=True)
        for folder in ("config", "data", "logs", "tmp"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        for process in plan:
            for path, text in process.files.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)

    def _prepare_data(self, process: Process) -> None:
        """Formats once; a format that was interrupted starts over, since only a finished one is marked."""
        data = self.home / "data" / process.name
        marker = self.home / "data" / f"{process.name}.prepared"
        if marker.exists():
            return
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(mode=0o700)
        for command in process.prepare:
            with self._log(process.name).open("ab") as log:
                environment = {**os.environ, **process.environment}
                run = subprocess.run(command, env=environment, stdout=log, stderr=log, check=False)
            if run.returncode:
                raise HaggleError(self._failure(process.name, "could not be prepared"))
        marker.touch()

    def _start_supervisord(self, plan: list[Process]) -> None:
        config = self.home / "config" / "supervisord.conf"
        _write_private(config, _supervisord_conf(self.home, self._socket(), plan))
        subprocess.run([sys.executable, "-m", "supervisor.supervisord", "-c", str(config)], check=True)
        deadline = time.monotonic() + 10
        while not self.is_running:
            if time.monotonic() > deadline:
                raise HaggleError(f"supervisord did not start; see {self.home / 'logs' / 'supervisord.log'}")
            time.sleep(0.05)

    def _start(self, plan: list[Process], report: Callable[[str, str], None]) -> None:
        supervisor = self._supervisor()
        pending = {process.name: process for process in plan}
        states = {info["name"]: info["statename"] for info in self.process_infos()}
        now = time.monotonic()
        started = {name: now for name, state in states.items() if state in ("STARTING", "RUNNING", "BACKOFF")}
        preparing: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(len(plan)) as pool:
            while pending:
                for process in due_now(pending):
                    if process.name in started:
                        continue
                    if process.name not in preparing:
                        preparing[process.name] = pool.submit(self._prepare_data, process)
                        report(process.name, "starting")
                    elif preparing[process.name].done():
                        preparing[process.name].result()
                        supervisor.startProcess(process.name, False)
                        started[process.name] = time.monotonic()
                waiting = [process for process in pending.values() if process.name in started]
                for process, ready in zip(waiting, pool.map(_is_ready, waiting), strict=True):
                    if ready:
                        del pending[process.name]
                        report(process.name, "ready")
                self._raise_if_failed(waiting, started)
                time.sleep(0.1)

    def _raise_if_failed(self, waiting: list[Process], started: Mapping[str, float]) -> None:
        states = {info["name"]: info["statename"] for info in self.process_infos()}
        for process in waiting:
            if states[process.name] in ("BACKOFF", "FATAL", "EXITED"):
                raise HaggleError(self._failure(process.name, "did not start"))
            if time.monotonic() > started[process.name] + START_TIMEOUT_S:
                raise HaggleError(self._failure(process.name, f"was not ready after {START_TIMEOUT_S} s"))

    def _failure(self, name: str, what: str) -> str:
        log = self._log(name)
        lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:] if log.exists() else []
        return f"{name} {what}. The end of {log}:\n  " + "\n  ".join(lines)

    # ------------------------------------------------------------ down

    def down(self) -> None:
        """Stops everything in the order of the data's path, so that what is on its way arrives."""
        if self.is_running:
            supervisor = self._supervisor()
            pid = supervisor.getPID()
            known = {info["name"] for info in self.process_infos()}
            for wave in _STOP_WAVES:
                self._stop_wave(supervisor, [name for name in wave if name in known])
            supervisor.shutdown()
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(pid).wait(timeout=30)
        self._end_leftovers()

    def _stop_wave(self, supervisor: Any, names: list[str]) -> None:
        for name in names:
            with contextlib.suppress(xmlrpc.client.Fault):  # it was not running
                supervisor.stopProcess(name, False)
        while any(
            info["statename"] in ("STOPPING", "RUNNING") for info in self.process_infos() if info["name"] in names
        ):
            time.sleep(0.05)

    def stop(self, name: str) -> None:
        """Stops one process, which stays stopped until `start`."""
        self._stop_wave(self._supervisor(), [name])

    def start(self, name: str) -> None:
        """Starts one process that was stopped; does not wait until it is ready."""
        self._supervisor().startProcess(name, False)

    def reset(self) -> None:
        """Stops the stack and removes its home folder with all data."""
        self.down()
        shutil.rmtree(self.home, ignore_errors=True)

    def _end_leftovers(self) -> None:
        """Ends processes of this home that a killed supervisord left behind."""
        left = [process for process in psutil.process_iter() if _belongs_to(process, self.home)]
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs(left, timeout=10)
        for process in alive:
            process.kill()

    # ------------------------------------------------------------ files and supervisord

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """One `up` of a home at a time."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HaggleError(f"another `haggle up` is working in {self.home}; wait for it to end") from None
            yield

    def _ports(self) -> dict[str, int]:
        names = [port for ports in PORTS.values() for port in ports]
        stack = _made_once(
            self.home / "stack.json", lambda: {"ports": dict(zip(names, free_ports(len(names)), strict=True))}
        )
        ports: dict[str, int] = stack["ports"]
        return ports

    def _keys(self) -> dict[str, str]:
        """The engine's keys, as the settings that hold them."""
        names = ("service_keys", "token_keys")
        return _made_once(self.home / "keys.json", lambda: {name: secrets.token_urlsafe(32) for name in names})

    def _site(self) -> Site:
        ports = self._ports()
        jars = ",".join(str(path) for path in self._java.jars("spark"))
        own = local_settings(self._given, ports, self._keys())
        settings: Settings = replace(self._given, spark_jars=jars, **own)  # type: ignore[arg-type]
        return Site(self.home, ports, settings, self._java)

    def _log(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"

    def _socket(self) -> Path:
        """Supervisord's socket; a socket's path may have 107 bytes, so it cannot stand in a deep home folder."""
        inode = self.home.stat()
        return Path(f"/tmp/haggle-{os.geteuid()}-{inode.st_dev:x}-{inode.st_ino:x}.sock")  # noqa: S108

    def _supervisor(self) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._socket()}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor


def due_now(pending: Mapping[str, Process]) -> list[Process]:
    """Those that may start now: first what the game needs, then each when what it needs is ready."""
    first = [process for process in pending.values() if process.name in _GAME]
    return [process for process in first or pending.values() if not set(process.needs) & pending.keys()]


def _is_ready(process: Process) -> bool:
    try:
        return process.is_ready()
    except Exception:  # noqa: BLE001 a server that is not there yet fails in many ways
        return False


def _usage(pid: int) -> tuple[int, float]:
    """Resident bytes of a process and its children, what they share counted for each, and their processor time in s."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        times = [member.cpu_times() for member in family]
        return sum(member.memory_info().rss for member in family), sum(each.user + each.system for each in times)
    except psutil.NoSuchProcess:
        return 0, 0


def _belongs_to(process: psutil.Process, home: Path) -> bool:
    try:
        return process.environ().get("HAGGLE_HOME") == str(home)
    except (psutil.Error, OSError):
        return False


def _made_once(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the JSON file holds; written when it is not there yet."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_private(path, json.dumps(make(), indent=2))
    made: dict[str, Any] = json.loads(path.read_text())
    return made


def _write_private(path: Path, text: str) -> None:
    """Writes a file, whole or not at all, that only its owner may read: it may hold keys."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.rename(path)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, and that no outgoing connection will take meanwhile."""
    free: list[int] = []
    for port in random.sample(_PORT_RANGE, len(_PORT_RANGE)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        free.append(port)
        if len(free) == count:
            return free
    raise HaggleError(f"fewer than {count} ports are free between {_PORT_RANGE.start} and {_PORT_RANGE.stop}")


def _supervisord_conf(home: Path, socket_path: Path, plan: list[Process]) -> str:
    head = f"""\
[supervisord]
logfile={home}/logs/supervisord.log
logfile_maxbytes=5MB
logfile_backups=1
pidfile={home}/supervisord.pid
directory={home / "tmp"}

[unix_http_server]
file={socket_path}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
    return head + "".join(_program(home, process) for process in plan)


def _program(home: Path, process: Process) -> str:
    environment = {"TMPDIR": str(home / "tmp"), **process.environment, "HAGGLE_HOME": str(home)}
    pairs = ",".join(f'{name}="{_quoted(value)}"' for name, value in environment.items())
    command = " ".join(f"'{word}'" for word in process.command)
    return f"""
[program:{process.name}]
command={command.replace("%", "%%")}
environment={pairs.replace("%", "%%")}
autostart=false
autorestart=true
startsecs=2
stopasgroup=true
killasgroup=true
stopwaitsecs={process.stop_s}
redirect_stderr=true
stdout_logfile={home}/logs/{process.name}.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=2
"""


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
