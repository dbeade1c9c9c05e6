"""One Spark session for the tests that need one, as the streams make theirs, with the lake in a folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from app.contract.tables import CATALOG
from app.settings import load_settings
from jobs.local.java import JavaParts
from jobs.streams.session import session_options


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    settings = load_settings({})
    parts = JavaParts(Path(settings.cache_folder).expanduser())
    parts.fetch()
    warehouse = tmp_path_factory.mktemp("warehouse")
    options = session_options(settings) | {
        "spark.jars": ",".join(str(path) for path in parts.jars("spark")),
        "spark.ui.enabled": "false",
        "spark.hadoop.fs.defaultFS": "file:///",
        f"spark.sql.catalog.{CATALOG}.type": "hadoop",
        f"spark.sql.catalog.{CATALOG}.warehouse": f"file://{warehouse}",
    }
    builder = SparkSession.Builder().master("local[1]")
    for name, value in options.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()
