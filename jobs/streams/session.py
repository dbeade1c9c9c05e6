"""The Spark session of the streaming application, made from the settings."""

import logging
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from app.contract.tables import CATALOG
from app.settings import Settings
from jobs.streams.transforms import PARSING_OPTIONS

_SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
CHECKPOINTS: Final = "/checkpoints"
_FOLDERS: Final = ("/warehouse", CHECKPOINTS)
_PAUSE_S: Final = 2

_log = logging.getLogger(__name__)


def build_session(
    settings: Settings, name: str = "haggle-streams", more: Mapping[str, str] | None = None
) -> SparkSession:
    """A session with the Iceberg catalog on PostgreSQL and HDFS; its first use creates the catalog's own tables.

    `more` are options beside those of the settings.
    """
    builder = SparkSession.Builder().appName(name).master(settings.spark_master)
    for option, value in {**session_options(settings), **(more or {})}.items():
        builder = builder.config(option, value)
    return builder.getOrCreate()


def prepare_folders(spark: SparkSession, settings: Settings) -> None:
    """Makes the folders of tables and checkpoints or waits until somebody who may has; says what it waits for."""
    said = ""
    while problem := _folder_problem(spark, settings):
        if problem != said:
            _log.warning("waiting for a folder on HDFS", extra={"context": {"detail": problem}})
            said = problem
        time.sleep(_PAUSE_S)


def clear_checkpoints(spark: SparkSession, settings: Settings) -> None:
    """Removes the checkpoints of all queries before: each start takes a new one."""
    files, hadoop = file_system(spark, settings)
    for status in files.listStatus(hadoop.Path(CHECKPOINTS)):
        files.delete(status.getPath(), True)


def file_system(spark: SparkSession, settings: Settings) -> tuple[Any, Any]:
    """Hadoop's client of the file system, and the package that it is in."""
    java: Any = spark._jvm  # noqa: SLF001 - PySpark's way to Hadoop's client
    configuration = spark._jsc.hadoopConfiguration()  # noqa: SLF001
    hadoop = java.org.apache.hadoop.fs
    return hadoop.FileSystem.get(java.java.net.URI(settings.hdfs_url), configuration), hadoop


def _folder_problem(spark: SparkSession, settings: Settings) -> str:
    files, hadoop = file_system(spark, settings)
    for folder in _FOLDERS:
        try:
            files.mkdirs(hadoop.Path(folder))
            files.access(hadoop.Path(folder), hadoop.permission.FsAction.ALL)
        except Py4JJavaError as error:
            return f"{settings.hdfs_url}{folder}: {error.java_exception.getMessage()}"
    return ""


def session_options(settings: Settings) -> dict[str, str]:
    """Spark's options by name."""
    on_kubernetes = settings.spark_master.startswith("k8s://")
    return _common_options(settings) | (_kubernetes_options(settings) if on_kubernetes else {})


def _common_options(settings: Settings) -> dict[str, str]:
    catalog = urlsplit(settings.catalog_url)
    prefix = f"spark.sql.catalog.{CATALOG}"
    return {
        "spark.jars": settings.spark_jars,
        "spark.driver.memory": f"{settings.spark_driver_memory_mib}m",
        "spark.ui.port": str(settings.spark_ui_port),
        "spark.ui.showConsoleProgress": "false",
        "spark.ui.retainedJobs": "200",
        "spark.ui.retainedStages": "200",
        "spark.sql.ui.retainedExecutions": "100",
        "spark.sql.session.timeZone": "UTC",
        # what a micro-batch shuffles is small: a few numbers of each realm
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.adaptive.enabled": "false",
        # a task that waits to be near its data is never looked at again in local mode unless another task ends, so a
        # job could hang for ever; and executors are never where the DataNodes are
        "spark.locality.wait": "0s",
        # the newest batch alone is ever gone back to, and its checkpoint lives no longer than its query
        "spark.sql.streaming.minBatchesToRetain": "2",
        "spark.sql.streaming.checkpoint.fileChecksum.enabled": "false",
        "spark.sql.streaming.noDataMicroBatches.enabled": "false",
        **PARSING_OPTIONS,
        "spark.sql.streaming.metricsEnabled": "true",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        # parsed columns are nullable to Spark; that required ones are there is checked by the streams' validity rules
        "spark.sql.iceberg.check-nullability": "false",
        prefix: "org.apache.iceberg.spark.SparkCatalog",
        # others commit too: maintenance, and a replay of dead letters
        f"{prefix}.cache-enabled": "false",
        f"{prefix}.type": "jdbc",
        f"{prefix}.uri": f"jdbc:postgresql://{catalog.hostname}:{catalog.port}{catalog.path}",
        f"{prefix}.jdbc.user": catalog.username or "",
        f"{prefix}.jdbc.password": unquote(catalog.password or "") or settings.catalog_password,
        f"{prefix}.jdbc.schema-version": "V1",
        f"{prefix}.warehouse": f"{settings.hdfs_url}/warehouse",
        "spark.hadoop.fs.defaultFS": settings.hdfs_url,
        "spark.hadoop.dfs.replication": str(settings.hdfs_replication),
        # a file is closed once the NameNode has heard of its last block, which the client asks after 400 ms by default;
        # it asks for 14 s in all, as by default: five times, doubling from 5 ms, would be too soon for a busy machine
        "spark.hadoop.dfs.client.block.write.locateFollowingBlock.initial.delay.ms": "5",
        "spark.hadoop.dfs.client.block.write.locateFollowingBlock.max.delay.ms": "400",
        "spark.hadoop.dfs.client.block.write.locateFollowingBlock.retries": "40",
        # a NameNode or DataNode that went away is noticed in seconds, not minutes
        "spark.hadoop.ipc.client.connect.timeout": "5000",
        "spark.hadoop.ipc.client.rpc-timeout.ms": "20000",
        "spark.hadoop.dfs.client.socket-timeout": "20000",
    }


def _kubernetes_options(settings: Settings) -> dict[str, str]:
    """Client mode: this process is the driver, in a pod of its own; its executors are pods that it makes and owns."""
    return {
        "spark.driver.host": settings.spark_driver_host,
        "spark.driver.bindAddress": "0.0.0.0",  # noqa: S104 - the pod's NetworkPolicy decides who may call
        "spark.driver.port": str(settings.spark_driver_port),
        "spark.driver.blockManager.port": str(settings.spark_block_manager_port),
        # of the executors: they share no address with the driver
        "spark.blockManager.port": str(settings.spark_block_manager_port),
        "spark.executor.instances": str(settings.spark_executors),
        "spark.executor.cores": str(settings.spark_executor_cores),
        "spark.executor.memory": f"{settings.spark_executor_memory_mib}m",
        "spark.kubernetes.namespace": settings.spark_namespace,
        "spark.kubernetes.driver.pod.name": settings.spark_driver_pod,
        "spark.kubernetes.executor.container.image": settings.spark_executor_image,
        "spark.kubernetes.executor.podTemplateFile": settings.spark_executor_pod_template,
        "spark.kubernetes.executor.podTemplateContainerName": "executor",
        "spark.kubernetes.executor.request.cores": settings.spark_executor_cpu_request,
        # everything an executor needs is in its image and environment, so the driver needs rights on pods alone
        "spark.kubernetes.executor.disableConfigMap": "true",
        "spark.kubernetes.driver.ownPersistentVolumeClaim": "false",
        "spark.kubernetes.driver.service.deleteOnTermination": "false",
        "spark.kubernetes.authenticate.oauthTokenFile": f"{_SERVICE_ACCOUNT}/token",
        "spark.kubernetes.authenticate.caCertFile": f"{_SERVICE_ACCOUNT}/ca.crt",
        # Spark ends when executors have failed three times, which over years they will: only the last minutes count
        "spark.executor.failuresValidityInterval": "10m",
        # a lost executor is replaced at once
        "spark.kubernetes.allocation.batch.delay": "1s",
        "spark.executor.heartbeatInterval": "5s",
        "spark.network.timeout": "30s",
        "spark.network.timeoutInterval": "15s",
    }
