"""The ways that the lake does not go, to be measured beside the way it goes: `make bench-lake BENCH=backlog`.

`udf_rate` is the way of the project that this replaces: Python UDFs that parse JSON strings, appended to Parquet
files. `five_queries_rate` is a streaming query per table, each with its own parse, checkpoint and commits. Both run in
a process of their own, as the streams do.
"""

import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import msgspec
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from app.contract.tables import CATALOG, VIEWS
from app.settings import Settings
from jobs.streams import transforms
from jobs.streams.session import build_session

_TIMEOUT_S: Final = 900
_FORMER_TRIGGER_S: Final = 10
_TRIGGER_S: Final = 2
_FIELDS: Final = ("event_type", "realm", "sequence", "trade_id", "player_1", "player_2")


def udf_rate(settings: Settings, events: int) -> float:
    """Events a second by Python UDFs into Parquet."""
    return _measured("udf", settings, events)


def five_queries_rate(settings: Settings, events: int) -> float:
    """Events a second by a query per table."""
    return _measured("five", settings, events)


def _measured(way: str, settings: Settings, events: int) -> float:
    given = {name: value for name, value in asdict(settings).items() if name != "given"}
    command = [sys.executable, "-m", __name__, way, str(events), msgspec.json.encode(given).decode()]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_TIMEOUT_S)
    return float(done.stdout.splitlines()[-1])


# ---------------------------------------------------------------- in the process


def _records(spark: SparkSession, settings: Settings, events: int) -> DataFrame:
    return (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", settings.kafka_bootstrap_servers)
        .option("subscribe", settings.kafka_topic)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", max(10_000, events // 5))
        .load()
    )


def _run_udf(spark: SparkSession, settings: Settings, events: int, folder: str) -> list[Any]:
    def field(name: str) -> Any:
        def read(text: str) -> str:
            import json  # noqa: PLC0415 - in the Python process of the executor

            return str(json.loads(text).get(name))

        return f.udf(read)

    @f.udf("boolean")
    def is_trade(text: str) -> bool:
        import json  # noqa: PLC0415

        return bool(json.loads(text)["event_type"] == "trade_accepted")

    text = f.col("value").cast("string")
    trades = _records(spark, settings, events).select(text.alias("raw")).where(is_trade("raw"))
    rows = trades.select("raw", *[field(name)("raw").alias(name) for name in _FIELDS])
    writer = rows.writeStream.format("parquet").option("path", f"{settings.hdfs_url}/warehouse/former")
    return [writer.trigger(processingTime=f"{_FORMER_TRIGGER_S} seconds").option("checkpointLocation", folder).start()]


def _run_five(spark: SparkSession, settings: Settings, events: int, folder: str) -> list[Any]:
    queries = []
    for view in VIEWS:
        rows = transforms.rows(transforms.judge(_records(spark, settings, events)), f.lit("former"))
        table = f"{CATALOG}.former.{view.name}"
        kept = rows.where(_DECIDES[view.name])
        spark.sql(f"create namespace if not exists {CATALOG}.former")
        spark.createDataFrame([], kept.schema).writeTo(table).using("iceberg").createOrReplace()
        writer = (
            kept.writeStream.format("iceberg")
            .outputMode("append")
            .option("checkpointLocation", f"{folder}/{view.name}")
        )
        queries.append(writer.trigger(processingTime=f"{_TRIGGER_S} seconds").toTable(table))
    return queries


_DECIDES: Final = {
    "trades": "event_type in ('trade_accepted', 'trade_rejected')",
    "trade_lines": "event_type in ('trade_accepted', 'trade_rejected')",
    "player_states": "event_type in ('player_created', 'trade_accepted', 'offer_made', 'offer_closed')",
    "offers": "event_type in ('offer_made', 'offer_rejected', 'offer_closed')",
    "dead_letters": "dead_letter is not null",
}


def _rate(queries: list[Any], events: int) -> float:
    """Events a second after the first batch of each query, which also compiles; the slowest query counts."""
    deadline = time.monotonic() + _TIMEOUT_S
    while not all(sum(int(batch["numInputRows"]) for batch in query.recentProgress) >= events for query in queries):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not done after {_TIMEOUT_S} s")
        time.sleep(0.5)
    rates = []
    for query in queries:
        batches = [batch for batch in query.recentProgress if batch["numInputRows"]]
        rows = sum(int(batch["numInputRows"]) for batch in batches[1:])
        took_s = sum(int(batch["durationMs"]["triggerExecution"]) for batch in batches[1:]) / 1_000
        rates.append(rows / took_s)
        query.stop()
    return min(rates)


def main() -> None:
    """Prints the rate of a way."""
    way, events, given = sys.argv[1], int(sys.argv[2]), msgspec.json.decode(sys.argv[3])
    settings = Settings(**given)
    spark = build_session(settings)
    spark.sparkContext.setLogLevel("ERROR")
    with tempfile.TemporaryDirectory() as folder:
        queries = {"udf": _run_udf, "five": _run_five}[way](spark, settings, events, Path(folder).as_uri())
        print(_rate(queries, events))
    spark.stop()


if __name__ == "__main__":
    main()
