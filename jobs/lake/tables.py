"""Makes the tables, the views over them and the questions as views, by Spark, the one writer of the lake.

The streams call it at start.

Trino cannot make them: it reads only. So the views are written through Iceberg's own catalog, in Trino's dialect; each
is replaced in one step, so that who asks during an upgrade finds the old one or the new one.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final

from pyspark.sql import SparkSession
from pyspark.sql.types import ArrayType, DataType, StructType

from app.contract.tables import CATALOG, EVENTS, FORMER_TABLES, SCHEMA, VIEWS, Column
from app.errors import HaggleError
from jobs.lake.aggregates import KEPT_PROPERTY, Kept, aggregates, parse_kept
from jobs.lake.components import ddl
from jobs.lake.questions import stored_questions

DIALECT: Final = "trino"

PROPERTIES: Final = {
    # a batch is one file, in the order of its sequence: nothing is to be shuffled or sorted
    "write.distribution-mode": "none",
    "write.spark.fanout.enabled": "true",
    "write.parquet.compression-codec": "zstd",
    # the watermark is read from files' least and greatest values, so these must be whole
    "write.metadata.metrics.column.realm": "full",
    "write.metadata.metrics.column.kafka_topic_id": "full",
    # each commit writes the metadata anew; old ones are of no use
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "10",
    # a thousand snapshots are a megabyte of JSON, which each commit writes
    "write.metadata.compression-codec": "gzip",
    # how maintenance and appends go side by side
    "commit.retry.num-retries": "20",
    "commit.retry.min-wait-ms": "50",
    "write.merge.isolation-level": "snapshot",
    "write.update.isolation-level": "snapshot",
    "write.update.distribution-mode": "none",
    "history.expire.max-snapshot-age-ms": "3600000",
}


def prepare_lake(spark: SparkSession) -> None:
    """Makes what is missing, adds what later versions brought, and replaces views that have changed.

    Raises HaggleError if the lake is of the time before there was one table.
    """
    spark.sql(f"create namespace if not exists {CATALOG}.{SCHEMA}")
    _refuse_former_tables(spark)
    spark.sql(EVENTS.ddl("spark"))
    table = f"{CATALOG}.{SCHEMA}.{EVENTS.name}"
    add_missing_columns(spark, table)
    set_properties = ", ".join(f"'{name}' = '{value}'" for name, value in PROPERTIES.items())
    spark.sql(f"alter table {table} set tblproperties ({set_properties})")
    for view in VIEWS:
        _replace_view(spark, view.name, view.columns, view.query())


def prepare_questions(spark: SparkSession) -> None:
    """Makes the questions as views, the aggregates that they ask, and the tables that maintenance keeps for them.

    Three dozen commits, which take longer than all else at a first start, and which no event waits for.
    """
    spark.sql(ddl("spark"))
    kept = read_kept(spark)
    replace_aggregates(spark, kept.until if kept else None)
    for question in stored_questions():
        _replace_view(spark, question.name, question.columns, question.sql)


def replace_aggregates(spark: SparkSession, kept_until: date | None) -> None:
    """Makes the views of the aggregates, of what is kept before that day and of the events since."""
    for aggregate in aggregates():
        _replace_view(spark, aggregate.name, aggregate.columns, aggregate.query(kept_until))


def read_kept(spark: SparkSession) -> Kept | None:
    """What is kept of the aggregates, as the table says."""
    rows = spark.sql(f"show tblproperties {CATALOG}.{SCHEMA}.{EVENTS.name}").collect()
    return parse_kept({row["key"]: row["value"] for row in rows}.get(KEPT_PROPERTY))


def add_missing_columns(spark: SparkSession, table: str) -> None:
    """Adds the columns of `events`, and fields within them, that the table lacks; nullable, as older rows lack them."""
    wanted = StructType.fromDDL(", ".join(f"{column.name} {column.type.spark}" for column in EVENTS.columns))
    for path, kind in _missing(spark.table(table).schema, wanted, ()):
        spark.sql(f"alter table {table} add column {'.'.join(path)} {kind.simpleString()}")


def _missing(there: DataType, wanted: DataType, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], DataType]]:
    """Path and type of each field that is wanted and not there, as deep as it may stand."""
    if isinstance(there, ArrayType) and isinstance(wanted, ArrayType):
        yield from _missing(there.elementType, wanted.elementType, (*path, "element"))
    if isinstance(there, StructType) and isinstance(wanted, StructType):
        for field in wanted.fields:
            deeper = (*path, field.name)
            if field.name in there.names:
                yield from _missing(there[field.name].dataType, field.dataType, deeper)
            else:
                yield deeper, field.dataType


def _refuse_former_tables(spark: SparkSession) -> None:
    names = {row["tableName"] for row in spark.sql(f"show tables in {CATALOG}.{SCHEMA}").collect()}
    if former := sorted(names & set(FORMER_TABLES)):
        raise HaggleError(
            f"the lake holds tables of a development version ({', '.join(former)}), which this one does not read: "
            "start with a new lake (`haggle reset`, or new volumes of HDFS and catalog)"
        )


def _replace_view(spark: SparkSession, view: str, columns: Sequence[Column], query: str) -> None:
    java: Any = spark._jvm  # noqa: SLF001 - PySpark's way to Iceberg's catalog
    catalog = java.org.apache.iceberg.spark.Spark3Util.loadIcebergCatalog(spark._jsparkSession, CATALOG)  # noqa: SLF001
    name = java.org.apache.iceberg.catalog.TableIdentifier.of(java_strings(spark, SCHEMA, view))
    schema = _iceberg_schema(spark, columns)
    if catalog.viewExists(name):
        current = catalog.loadView(name)
        sql = current.sqlFor(DIALECT)
        if sql is not None and sql.sql() == query and current.schema().sameSchema(schema):
            return
    namespace = java.org.apache.iceberg.catalog.Namespace.of(java_strings(spark, SCHEMA))
    builder = catalog.buildView(name).withSchema(schema).withQuery(DIALECT, query)
    builder.withDefaultNamespace(namespace).withDefaultCatalog(CATALOG).createOrReplace()


def _iceberg_schema(spark: SparkSession, columns: Sequence[Column]) -> Any:
    ddl = ", ".join(f"{column.name} {column.type.spark}" for column in columns)
    java: Any = spark._jvm  # noqa: SLF001
    return java.org.apache.iceberg.spark.SparkSchemaUtil.convert(
        java.org.apache.spark.sql.types.StructType.fromDDL(ddl)
    )


def java_strings(spark: SparkSession, *words: str) -> Any:
    """An array of Java's strings, which Iceberg's names are made of."""
    gateway: Any = spark.sparkContext._gateway  # noqa: SLF001
    array = gateway.new_array(gateway.jvm.String, len(words))
    for place, word in enumerate(words):
        array[place] = word
    return array
