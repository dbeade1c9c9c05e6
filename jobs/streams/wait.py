"""Waits until the streams can start (`python -m jobs.streams.wait`); the chart runs it before the driver.

That is: NameNode, catalog and a broker listen, and the topic exists. It says in one line what it waits for.
"""

import os
import socket
import time
from typing import Final
from urllib.parse import urlsplit

from kafka import KafkaConsumer
from kafka.errors import KafkaError

from app.settings import Settings, load_settings

_PAUSE_S: Final = 2
_TIMEOUT_S: Final = 5


def main() -> None:
    """Returns once nothing is missing."""
    settings = load_settings(os.environ)
    said = ""
    while missing := _missing(settings):
        if missing != said:
            print(f"waiting: {missing}", flush=True)
            said = missing
        time.sleep(_PAUSE_S)


def _missing(settings: Settings) -> str:
    """What keeps the streams from starting, the first of it; empty if nothing does."""
    for name, url in (("HDFS", settings.hdfs_url), ("catalog", settings.catalog_url)):
        address = urlsplit(url)
        problem = _connect(address.hostname or "", address.port or 0)
        if problem:
            return f"{name} at {address.hostname}:{address.port} does not answer: {problem}"
    host, _, port = settings.kafka_bootstrap_servers.split(",")[0].rpartition(":")
    problem = _connect(host, int(port)) or _topic_problem(settings)
    return f"Kafka at {settings.kafka_bootstrap_servers}: {problem}" if problem else ""


def _connect(host: str, port: int) -> str:
    try:
        socket.create_connection((host, port), _TIMEOUT_S).close()
    except OSError as error:
        return str(error)
    return ""


def _topic_problem(settings: Settings) -> str:
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=settings.kafka_bootstrap_servers.split(","), bootstrap_timeout_ms=_TIMEOUT_S * 1_000
        )
        exists = settings.kafka_topic in consumer.topics()
        consumer.close()
    except KafkaError as error:
        return repr(error)
    return "" if exists else f"there is no topic {settings.kafka_topic}; the relay creates it"


if __name__ == "__main__":
    main()
