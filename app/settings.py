"""Every setting of Haggle: read from the environment once, by the composition roots, and nowhere else.

A setting's environment variable is its name in capitals. docs/settings.md is generated from here.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from app.errors import SettingsError

SEGMENT_HOURS: Final = 24
"""How much longer than its retention the topic may keep a record."""
_MIB: Final = 2**20
_GIB: Final = 2**30


def _setting(default: Any, help_text: str, *, unit: str = "", choices: tuple[str, ...] = (), low: float = 0) -> Any:
    metadata = {"help": help_text, "unit": unit, "choices": choices, "low": low}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, checked. `given` names those that the environment set."""

    realm: str = _setting("main", "the realm that the engine and its relay serve: letters, digits, - and _")
    log_level: str = _setting("INFO", "least severe log line written", choices=("DEBUG", "INFO", "WARNING", "ERROR"))

    economy_file: str = _setting(
        "", "TOML file with the game's items and classes; the reference economy if there is none"
    )

    listen_host: str = _setting("127.0.0.1", "address that the engine and the relay's /metrics listen on")
    engine_url: str = _setting("http://127.0.0.1:8000", "where callers find the engine")
    engine_port: int = _setting(8000, "port that the engine listens on")
    engine_management_port: int = _setting(
        0, "port with health and metrics alone, which no other caller can keep busy; 0 for none"
    )
    engine_workers: int = _setting(2, "gunicorn worker processes", low=1)
    engine_connections: int = _setting(256, "requests that each worker serves at once", low=1)
    engine_connections_per_address: int = _setting(
        192, "connections to each worker that one address may have at once; a trusted proxy may have all", low=1
    )
    trusted_proxies: str = _setting(
        "", "addresses and networks, comma-separated, of proxies whose X-Forwarded-For says who is calling"
    )
    engine_drain_s: int = _setting(30, "time that running requests get to finish on a stop", unit="s", low=1)
    request_timeout_s: int = _setting(
        20, "how long at most a caller may take to send a body, and to take its answer", unit="s", low=1
    )
    request_max_bytes: int = _setting(2 * _MIB, "largest request body", unit="bytes", low=1024)
    decided_keep_s: int = _setting(
        86_400, "how long at least is known what was decided under the name of a trade or offer", unit="s", low=86_400
    )
    answer_full_s: int = _setting(
        600, "how long at least the whole answer to a trade, and an offer that has ended, is kept", unit="s", low=1
    )
    offer_ttl_s: int = _setting(86_400, "time until an offer expires that names none, and the longest", unit="s", low=1)
    offers_max_open: int = _setting(100, "open offers that a player may have made", low=1)

    authentication: str = _setting(
        "on", "off: every caller may do everything; only for a machine of one's own", choices=("on", "off")
    )
    original_routes: str = _setting(
        "closed", "open: PUT /create_player and POST /trade need no service key, for a demo", choices=("closed", "open")
    )
    live_page: str = _setting(
        "keys", "open: callers on this machine may look at /live without a key, for a demo", choices=("keys", "open")
    )
    live_viewers: int = _setting(128, "viewers of the live page at each worker, 0 for none")
    service_keys: str = _setting(
        "",
        "keys of the game server, which may do everything, comma-separated, 16 characters or more each; all are valid, "
        "jobs send the first",
    )
    trade_keys: str = _setting(
        "",
        "service keys that may read, create players, trade and make offers, as SERVICE_KEYS; jobs that have no other",
    )
    adjust_keys: str = _setting("", "service keys that may read and adjust, as SERVICE_KEYS")
    read_keys: str = _setting("", "service keys that may read, as SERVICE_KEYS; jobs that have no other send the first")
    report_keys: str = _setting(
        "", "service keys of audits and reports, which may read and say what they found, as READ_KEYS"
    )
    token_keys: str = _setting(
        "", "keys of player tokens, comma-separated, 32 characters or more each; the first signs, all are valid"
    )
    token_ttl_s: int = _setting(3_600, "how long a player token is valid", unit="s", low=1)
    service_rate: int = _setting(0, "requests a minute of each service key, 0 for any number", unit="1/min")
    player_rate: int = _setting(600, "requests a minute of each player, 0 for any number", unit="1/min")
    player_rate_bytes: int = _setting(
        262_144, "bytes a minute of the bodies that each player sends, 0 for any number", unit="bytes/min"
    )
    stranger_rate: int = _setting(
        600, "requests a minute of each address without a valid key to each worker, 0 for any number", unit="1/min"
    )

    forget_within_days: int = _setting(
        30, "days after which nothing is left of the names of a player that was forgotten", unit="d", low=2
    )

    redis_url: str = _setting("redis://127.0.0.1:6379/0", "the Redis (or Valkey) server")
    redis_password: str = _setting("", "password of Redis, if redis_url has none")
    redis_timeout_s: float = _setting(1.8, "longest wait for Redis before a request gets 503", unit="s", low=0.1)
    redis_max_connections: int = _setting(32, "connections of each engine worker to Redis", low=1)
    outbox_max_events: int = _setting(1_000_000, "events that may wait for Kafka before commands get 503", low=1)
    outbox_keep_events: int = _setting(
        100_000, "events that stay in Redis after Kafka has them, to fill a lost topic again"
    )

    kafka_bootstrap_servers: str = _setting("127.0.0.1:9092", "Kafka brokers: host:port, comma-separated")
    kafka_topic: str = _setting("haggle.events.v1", "topic of the events; its key is the realm")
    kafka_partitions: int = _setting(6, "partitions of the topic when it is created", low=1)
    kafka_replication: int = _setting(1, "replicas of each partition when the topic is created", low=1)
    kafka_retention_bytes: int = _setting(
        _GIB, "how much of each partition of the topic is kept, 0 for what the brokers are set to", unit="bytes"
    )
    kafka_retention_hours: int = _setting(
        168, "how long events stay in the topic, if there is room, 0 for what the brokers are set to", unit="h"
    )
    relay_batch_max_events: int = _setting(5_000, "most events that the relay publishes in one transaction", low=1)
    relay_interval_s: float = _setting(
        0.2, "least time between two transactions; shorter is sooner in the tables, longer is less work", unit="s"
    )
    relay_host: str = _setting("127.0.0.1", "where others find the relay's /metrics")
    relay_metrics_port: int = _setting(9100, "port of the relay's /readyz and /metrics")

    hdfs_url: str = _setting("hdfs://127.0.0.1:8020", "HDFS NameNode")
    hdfs_replication: int = _setting(1, "DataNodes that keep each block that the streams write", low=1)
    catalog_url: str = _setting(
        "postgresql://haggle:haggle@127.0.0.1:5432/haggle", "PostgreSQL database of the Iceberg catalog"
    )
    catalog_password: str = _setting("", "password of the catalog, if catalog_url has none")
    trino_url: str = _setting("http://127.0.0.1:8080", "Trino coordinator")

    spark_master: str = _setting("local[2]", "Spark master of the streaming application")
    spark_jars: str = _setting("", "jars of the Kafka source, Iceberg and PostgreSQL, comma-separated")
    spark_ui_port: int = _setting(4040, "port of the Spark web UI")
    spark_driver_memory_mib: int = _setting(640, "heap of the Spark driver", unit="MiB", low=512)
    spark_driver_host: str = _setting("", "name under which executors on Kubernetes find the driver")
    spark_driver_port: int = _setting(7_078, "port of the driver that executors on Kubernetes call")
    spark_block_manager_port: int = _setting(7_079, "port of the driver's block manager on Kubernetes")
    spark_driver_pod: str = _setting("", "pod of the driver, which owns its executors' pods")
    spark_namespace: str = _setting("default", "Kubernetes namespace of the executors' pods")
    spark_executors: int = _setting(1, "executors, each a pod, on Kubernetes", low=1)
    spark_executor_cores: int = _setting(2, "tasks that each executor runs at once", low=1)
    spark_executor_cpu_request: str = _setting("1", "processor time that each executor's pod asks for", unit="cores")
    spark_executor_memory_mib: int = _setting(768, "heap of each executor", unit="MiB", low=512)
    spark_executor_image: str = _setting("", "image of the executors' pods")
    spark_executor_pod_template: str = _setting("", "file with the pod that each executor's pod is made from")
    streams_host: str = _setting("127.0.0.1", "where others find the streams' /metrics")
    streams_metrics_port: int = _setting(9101, "port of the streams' /readyz and /metrics")
    stream_trigger_interval_s: float = _setting(
        0.5, "least time between the starts of two micro-batches; longer is fewer commits and files", unit="s"
    )
    stream_max_events_per_batch: int = _setting(100_000, "most Kafka records in one micro-batch", low=1)

    report_shelf: str = _setting("reports", "folder that gets a folder for each report")
    report_keep: int = _setting(96, "reports that are kept where they are made, the newest", low=1)
    report_keep_mib: int = _setting(768, "most that the kept reports may take together", unit="MiB", low=1)
    maintenance_interval_s: float = _setting(
        600, "time between two maintenances in the local stack; the chart has a schedule", unit="s", low=10
    )
    maintenance_step_s: float = _setting(
        600, "longest time of one step of a maintenance, after which the next step begins", unit="s", low=1
    )
    maintenance_memory_mib: int = _setting(512, "heap of a maintenance", unit="MiB", low=512)
    maintenance_file_mib: int = _setting(128, "size of the files that days which are over end in", unit="MiB", low=1)
    maintenance_group_mib: int = _setting(
        256, "most data that a maintenance reads to rewrite it in one commit", unit="MiB", low=1
    )
    day_settle_s: float = _setting(
        3_600, "time after midnight (UTC) until a day counts as over and is rewritten in large files", unit="s"
    )
    tag_keep_days: int = _setting(
        30, "days for which the tag day-YYYY-MM-DD keeps the table as it was after that day", unit="d", low=1
    )
    snapshot_keep_s: float = _setting(
        600, "age to which snapshots of the table are kept; a query that runs longer may fail", unit="s"
    )
    snapshot_keep_last: int = _setting(20, "newest snapshots that are kept whatever their age", low=1)
    orphan_keep_s: float = _setting(
        86_400,
        "age to which files are kept that no table and no view names: more than any commit takes",
        unit="s",
        low=3_600,
    )
    checkpoint_keep_s: float = _setting(
        86_400, "age to which checkpoints are kept that are not the newest", unit="s", low=3_600
    )

    cache_folder: str = _setting("~/.cache/haggle", "downloads that all checkouts on this machine share")

    given: frozenset[str] = frozenset()


SETTINGS: Final = tuple(item for item in fields(Settings) if item.metadata)


def load_settings(environment: Mapping[str, str]) -> Settings:
    """The settings that `environment` gives; raises SettingsError naming every bad value at once."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for item in SETTINGS:
        text = environment.get(item.name.upper())
        if text is None:
            continue
        try:
            values[item.name] = _parse(item.type, text, item.metadata)
        except ValueError as error:
            problems.append(f"{item.name.upper()}={text!r} {error}")
    if not str(values.get("realm", "main")).replace("-", "").replace("_", "").isalnum():
        problems.append(f"REALM={values['realm']!r} may hold letters, digits, - and _ only")
    settings = Settings(**values, given=frozenset(values))
    problems += _contradictions(settings)
    if problems:
        raise SettingsError(problems)
    return settings


def _contradictions(settings: Settings) -> Iterator[str]:
    """Settings that do not go together."""
    hours, days = settings.kafka_retention_hours, settings.forget_within_days
    if hours + SEGMENT_HOURS > days * 24:
        yield (
            f"KAFKA_RETENTION_HOURS={hours} keeps names in Kafka for up to {SEGMENT_HOURS} hours more, which is beyond "
            f"FORGET_WITHIN_DAYS={days}: lower the one or raise the other"
        )


def _parse(kind: Any, text: str, metadata: Mapping[str, Any]) -> str | int | float:
    if kind is str:
        if metadata["choices"] and text not in metadata["choices"]:
            raise ValueError(f"is not one of {', '.join(metadata['choices'])}")
        return text
    noun = {int: "a whole number", float: "a number"}[kind]
    try:
        number: int | float = kind(text)
    except ValueError:
        raise ValueError(f"is not {noun}") from None
    if not metadata["low"] <= number < math.inf:
        raise ValueError(f"is not a number from {metadata['low']} up")
    return number
