"""A real Kafka broker for tests and the bench, which they may kill and start again; as the local stack starts it."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient

from app.settings import Settings
from jobs.local.java import JavaParts
from jobs.local.servers import PORTS, Site, processes
from jobs.local.stack import free_ports


def free_port() -> int:
    """A port that nobody listens on; none of those that the kernel gives to sockets of other tests."""
    (port,) = free_ports(1)
    return port


class Kafka:
    """One broker on a free port, with its data below a folder; `bootstrap_servers` is where it listens."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        ports = {name: free_port() for names in PORTS.values() for name in names}
        self.bootstrap_servers = f"127.0.0.1:{ports['kafka']}"
        java = JavaParts(Path(settings.cache_folder).expanduser())
        java.fetch()
        here = replace(settings, kafka_bootstrap_servers=self.bootstrap_servers, given=frozenset())
        (self._plan,) = [plan for plan in processes(Site(folder, ports, here, java)) if plan.name == "kafka"]
        self._log = folder / "kafka.log"
        for path, text in self._plan.files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for command in self._plan.prepare:
            subprocess.run(command, env=self._environment, check=True, capture_output=True)
        self.start()

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self._plan.environment}

    def start(self) -> None:
        """Starts the broker and waits until it answers."""
        with self._log.open("a") as log:
            self.process = subprocess.Popen(self._plan.command, env=self._environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not self._is_ready():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"Kafka did not start; see {self._log}")
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        with contextlib.suppress(Exception):  # nobody listens yet
            return self._plan.is_ready()
        return False

    def kill(self) -> None:
        """Ends the broker as kill -9 does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Ends the broker in order; twice as fast as it likes, if it must."""
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()

    @contextlib.contextmanager
    def frozen(self) -> Any:
        """The broker takes connections and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def admin(self) -> Any:
        """An administrator's client, to be closed by the caller."""
        return KafkaAdminClient(bootstrap_servers=self.bootstrap_servers)

    def ask(self, question: Callable[[Any], Any]) -> Any:
        """What an administrator's client says to `question`."""
        admin = self.admin()
        try:
            return question(admin)
        finally:
            admin.close()

    def records(self, topic: str) -> list[Any]:
        """All that a `read_committed` reader sees of a topic, partition after partition."""
        consumer: Any = KafkaConsumer(
            bootstrap_servers=self.bootstrap_servers,
            isolation_level="read_committed",
            enable_auto_commit=False,
            max_poll_records=10_000,
        )
        found: list[Any] = []
        try:
            for number in sorted(consumer.partitions_for_topic(topic) or ()):
                found += self._records_of(consumer, TopicPartition(topic, number))
        finally:
            consumer.close()
        return found

    @staticmethod
    def _records_of(consumer: Any, partition: TopicPartition) -> list[Any]:
        consumer.assign([partition])
        end, found, deadline = consumer.end_offsets([partition])[partition], [], time.monotonic() + 60
        consumer.seek_to_beginning(partition)
        while consumer.position(partition) < end:
            assert time.monotonic() < deadline
            found += consumer.poll(timeout_ms=500).get(partition, [])
        return found
