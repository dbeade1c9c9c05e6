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


def remove_orphans(spark: SparkSession, settings: Settings, before_ms: int) -> None:
    """Of all tables and views of the lake, files that changed before that moment (milliseconds since 1970)."""
    java: Any = spark._jvm  # noqa: SLF001 - PySpark's way to Iceberg's API
    session = spark._jsparkSession  # noqa: SLF001
    catalog = java.org.apache.iceberg.spark.Spark3Util.loadIcebergCatalog(session, CATALOG)
    schema = java.org.apache.iceberg.catalog.Namespace.of(java_strings(spark, SCHEMA))
    for name in catalog.listTables(schema):
        action = java.org.apache.iceberg.spark.actions.SparkActions.get(session).deleteOrphanFiles(
            catalog.loadTable(name)
        )
        action.olderThan(before_ms).option("stream-results", "true").execute()
    for name in catalog.listViews(schema):
        _remove_former(spark, settings, catalog.loadView(name), before_ms)


def _remove_former(spark: SparkSession, settings: Settings, view: Any, before_ms: int) -> None:
    """Metadata of the view but for the newest: it names no other, and holds the former versions itself."""
    files, hadoop = file_system(spark, settings)
    newest = hadoop.Path(view.operations().current().metadataFileLocation()).getName()
    for status in files.listStatus(hadoop.Path(view.location(), _METADATA)):
        if status.getModificationTime() < before_ms and status.getPath().getName() != newest:
            files.delete(status.getPath(), False)
