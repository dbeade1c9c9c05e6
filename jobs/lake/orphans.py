"""Removes the files that nothing names: of writers that were killed before their commit, and of views as they were.

Iceberg removes old metadata of a table with each commit, and of a view never: each view that is replaced leaves a file.
"""

from typing import Any, Final

from pyspark.sql import SparkSession

from app.contract.tables import CATALOG, SCHEMA
from app.settings import Settings
from jobs.lake.tables import java_strings
from jobs.streams.session import file_system

_METADATA: Final = "metadata"


def remove_orphans(spark: SparkSession, before_ms: int) -> None:
    """Of all tables, files that no snapshot names and that changed before that moment (milliseconds since 1970)."""
    session: Any = spark._jsparkSession  # noqa: SLF001 - PySpark's way to Iceberg's API
    catalog, schema = _catalog(spark)
    for name in catalog.listTables(schema):
        java: Any = spark._jvm  # noqa: SLF001
        actions = java.org.apache.iceberg.spark.actions.SparkActions.get(session)
        action = actions.deleteOrphanFiles(catalog.loadTable(name))
        action.olderThan(before_ms).option("stream-results", "true").execute()


def remove_former_views(spark: SparkSession, settings: Settings, before_ms: int) -> None:
    """Of all views, metadata that changed before then but for the newest: it names no other, and holds all versions."""
    files, hadoop = file_system(spark, settings)
    catalog, schema = _catalog(spark)
    for name in catalog.listViews(schema):
        view = catalog.loadView(name)
        newest = hadoop.Path(view.operations().current().metadataFileLocation()).getName()
        for status in files.listStatus(hadoop.Path(view.location(), _METADATA)):
            if status.getModificationTime() < before_ms and status.getPath().getName() != newest:
                files.delete(status.getPath(), False)


def _catalog(spark: SparkSession) -> tuple[Any, Any]:
    """Iceberg's catalog of the lake, and the lake's name in it."""
    java: Any = spark._jvm  # noqa: SLF001
    catalog = java.org.apache.iceberg.spark.Spark3Util.loadIcebergCatalog(spark._jsparkSession, CATALOG)  # noqa: SLF001
    return catalog, java.org.apache.iceberg.catalog.Namespace.of(java_strings(spark, SCHEMA))
