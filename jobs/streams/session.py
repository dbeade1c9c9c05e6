"""The Spark session of the streaming application, made from the settings. Called by main.py and the tests."""

from typing import Final
from urllib.parse import urlsplit

from pyspark.sql import SparkSession

from app.contract.tables import CATALOG
from app.settings import Settings

_COPYING_RULES: Final = ("PushDownPredicates", "PushPredicateThroughNonJoin", "OptimizeCsvJsonExprs")


def build_session(settings: Settings) -> SparkSession:
    """A session with the Iceberg catalog on PostgreSQL and HDFS; its first use creates the catalog's own tables."""
    builder = SparkSession.Builder().appName("haggle-streams").master(settings.spark_master)
    for name, value in _options(settings).items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def _options(settings: Settings) -> dict[str, str]:
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
        # a stage's micro-batch is small: few tasks start sooner than many
        "spark.sql.shuffle.partitions": "2",
        # these rules would copy the parsing of an event into every place that looks at a field of it
        "spark.sql.optimizer.excludedRules": ",".join(
            f"org.apache.spark.sql.catalyst.optimizer.{rule}" for rule in _COPYING_RULES
        ),
        "spark.sql.streaming.metricsEnabled": "true",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        # parsed columns are nullable to Spark; that required ones are there is checked by the streams' validity rules
        "spark.sql.iceberg.check-nullability": "false",
        prefix: "org.apache.iceberg.spark.SparkCatalog",
        f"{prefix}.type": "jdbc",
        f"{prefix}.uri": f"jdbc:postgresql://{catalog.hostname}:{catalog.port}{catalog.path}",
        f"{prefix}.jdbc.user": catalog.username or "",
        f"{prefix}.jdbc.password": catalog.password or "",
        f"{prefix}.jdbc.schema-version": "V1",
        f"{prefix}.warehouse": f"{settings.hdfs_url}/warehouse",
        "spark.hadoop.fs.defaultFS": settings.hdfs_url,
    }
