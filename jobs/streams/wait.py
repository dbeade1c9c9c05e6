"""Waits until the streams can start (`python -m jobs.streams.wait`); the chart runs it before the driver.

That is: the NameNode listens, the catalog takes the password, a broker answers, and the topic exists. It says in one
line what it waits for.
"""

import os
import signal
import socket
import sys
import time
from typing import Final
from urllib.parse import urlsplit

import psycopg
from kafka import KafkaConsumer
from kafka.errors import KafkaError

from app.settings import Settings, load_settings

_PAUSE_S: Final = 2
_TIMEOUT_S: Final = 5


def main() -> None:
    """Returns once nothing is missing."""
    # the first process of a container ignores what it does not handle
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    settings = load_settings(os.environ)
    said = ""
    while missing := _missing(settings):
        if missing != said:
            print(f"waiting: {missing}", flush=True)
            said = missing
        time.sleep(_PAUSE_S)


def _missing(settings: Settings) -> str:
    """What keeps the streams from starting, the first of it; empty if nothing does."""
    return _hdfs_problem(settings) or _catalog_problem(settings) or _kafka_problem(settings)


def _hdfs_problem(settings: Settings) -> str:
    address = urlsplit(settings.hdfs_url)
    try:
        socket.create_connection((address.hostname or "", address.port or 8020), _TIMEOUT_S).close()
    except OSError as error:
        return f"HDFS at {address.hostname}:{address.port} does not answer ({error}); HDFS_URL must name a NameNode"
    return ""


def _catalog_problem(settings: Settings) -> str:
    address = urlsplit(settings.catalog_url)
    password = address.password or settings.catalog_password
    try:
        psycopg.connect(settings.catalog_url, password=password, connect_timeout=_TIMEOUT_S).close()
    except psycopg.OperationalError as error:
        words = " ".join(str(error).split())
        return (
            f"the catalog at {address.hostname}:{address.port} lets nobody in ({words}); "
            "CATALOG_URL and CATALOG_PASSWORD must be those of a PostgreSQL"
        )
    return ""


def _kafka_problem(settings: Settings) -> str:
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=settings.kafka_bootstrap_servers.split(","), bootstrap_timeout_ms=_TIMEOUT_S * 1_000
        )
        exists = settings.kafka_topic in consumer.topics()
        consumer.close()
    except KafkaError as error:
        where = settings.kafka_bootstrap_servers
        return f"Kafka at {where} does not answer ({error}); KAFKA_BOOTSTRAP_SERVERS must name brokers"
    return "" if exists else f"Kafka has no topic {settings.kafka_topic}; the relay creates it"


if __name__ == "__main__":
    main()
