"""Composition root of the Spark application: the table and its views, then one query from Kafka into it.

The table is the watermark: every start of the query reads from it how far it has come, and takes a new checkpoint. So a
lost or an old checkpoint, a restored table or a topic filled again need nothing but a start.
"""

import contextlib
import json
import logging
import os
import re
import signal
import sys
import threading
import time
import uuid
from dataclasses import asdict
from typing import Any, Final

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException, StreamingQueryException
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from app.contract.tables import CATALOG, EVENTS, SCHEMA
from app.errors import HaggleError
from app.health import serve
from app.logs import configure_logs
from app.settings import Settings, load_settings
from jobs.lake.tables import prepare_lake, prepare_questions
from jobs.streams.landing import Landing, warm_up
from jobs.streams.lock import DriverLock
from jobs.streams.progress import HANG_S, Progress
from jobs.streams.session import CHECKPOINTS, build_session, clear_checkpoints, prepare_folders
from jobs.streams.topic import Topic
from jobs.streams.watermark import read_watermark

_log = logging.getLogger(__name__)

_LOOK_INTERVAL_S: Final = 1
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 15.0
_GETS_ON_S: Final = 60.0
_WORDS_MAX_CHARS: Final = 300


class Stream:
    """The query from the topic into the table, started again whenever it ends."""

    def __init__(self, spark: SparkSession, settings: Settings, progress: Progress) -> None:
        self._spark = spark
        self._settings = settings
        self._progress = progress
        self._topic = Topic(settings)

    def run(self) -> None:
        """Runs for ever: the loss of a server ends the query, and the next one goes on where the table ends.

        Exits with 1 when Spark itself has ended, so that whoever started this process starts another.
        """
        pause_s = _FIRST_PAUSE_S
        while True:
            started = time.monotonic()
            try:
                self._run_query()
            except (HaggleError, PySparkException, Py4JError) as error:
                problem = _note(self._spark, self._progress, error)
                _log.warning("the query starts anew", extra={"context": {"error": problem, "in_s": pause_s}})
            pause_s = _FIRST_PAUSE_S if time.monotonic() - started > _GETS_ON_S else min(2 * pause_s, _LONGEST_PAUSE_S)
            time.sleep(pause_s)

    def _run_query(self) -> None:
        """Starts one query and looks after it until it ends, which it does by an error."""
        topic_id = self._topic.id()
        mark = read_watermark(self._spark, topic_id)
        starts = self._topic.starts(mark.offsets)
        self._progress.start(mark.sequences)
        _log.info("the query starts", extra={"context": {"topic_id": topic_id, "sequences": mark.sequences}})
        landing = Landing(mark, topic_id, self._topic.id, self._progress)
        query = self._start(landing, starts)
        try:
            while query.isActive:
                self._look(query, starts)
                query.awaitTermination(_LOOK_INTERVAL_S)
        except StreamingQueryException as error:
            raise (landing.error or error) from error
        finally:
            with contextlib.suppress(PySparkException, Py4JError):
                query.stop()

    def _start(self, landing: Landing, starts: dict[int, int]) -> StreamingQuery:
        settings = self._settings
        offsets = ", ".join(f'"{partition}": {offset}' for partition, offset in starts.items())
        records = (
            self._spark.readStream.format("kafka")
            .option("kafka.bootstrap.servers", settings.kafka_bootstrap_servers)
            .option("kafka.isolation.level", "read_committed")
            # a batch ends with the marker of a commit, for which a fetch would wait 500 ms
            .option("kafka.fetch.max.wait.ms", "20")
            # a backlog is fetched in large pieces, of which the last is fetched in vain
            .option("kafka.max.partition.fetch.bytes", str(4 * 2**20))
            .option("kafka.max.poll.records", "5000")
            .option("subscribe", settings.kafka_topic)
            .option("startingOffsets", f'{{"{settings.kafka_topic}": {{{offsets}}}}}')
            .option("failOnDataLoss", "true")
            .option("maxOffsetsPerTrigger", settings.stream_max_events_per_batch)
            .option("minPartitions", self._spark.sparkContext.defaultParallelism)
            .load()
        )
        return (
            records.writeStream.foreachBatch(landing.land)
            .queryName(EVENTS.name)
            .trigger(processingTime=f"{settings.stream_trigger_interval_s} seconds")
            .option("checkpointLocation", f"{settings.hdfs_url}{CHECKPOINTS}/{uuid.uuid4().hex}")
            .start()
        )

    def _look(self, query: StreamingQuery, starts: dict[int, int]) -> None:
        try:
            ends = self._topic.ends()
        except HaggleError as error:
            self._progress.look(None, str(error))
            return
        read = _read_offsets(query, self._settings.kafka_topic) or starts
        self._progress.look(sum(end - read.get(partition, 0) for partition, end in ends.items()))


def _read_offsets(query: StreamingQuery, topic: str) -> dict[int, int]:
    """Up to where the newest finished batch has read; empty before the first."""
    java: Any = query
    progress = java._jsq.lastProgress()  # noqa: SLF001 - PySpark's own form of it has lost the offsets' JSON
    sources = json.loads(progress.json())["sources"] if progress else []
    offsets = (sources[0]["endOffset"] or {}).get(topic, {}) if sources else {}
    return {int(partition): offset for partition, offset in offsets.items()}


def _note(spark: SparkSession, progress: Progress, error: Exception) -> str:
    """What /readyz and a log line say of an error that another attempt may be rid of; without Spark there is none."""
    problem = words_of(error)
    progress.fail(problem)
    if _has_ended(spark):
        _log.error("Spark has ended, and so do the streams", extra={"context": {"error": problem}})
        sys.exit(1)
    return problem


def words_of(error: Exception) -> str:
    """What an error says without Java's stack traces, and what is at the bottom of it, in one line."""
    said, *_ = str(error).split("\n\tat ", 1)
    *_, bottom = ["", *re.findall(r"Caused by: (.*)", str(error))]
    words = [" ".join(said.split())[:_WORDS_MAX_CHARS]]
    if bottom and bottom not in said:
        words.append(f"caused by {bottom}"[:_WORDS_MAX_CHARS])
    return "; ".join(words)


def _has_ended(spark: SparkSession) -> bool:
    """Whether no query can start any more: the JVM is gone, or Spark has stopped itself."""
    context: Any = spark.sparkContext
    try:
        return context._gateway.proc.poll() is not None or bool(context._jsc.sc().isStopped())  # noqa: SLF001
    except (Py4JError, OSError):
        return True


def _end_if_it_hangs(spark: SparkSession, progress: Progress) -> None:
    """Ends the process once the query hangs, so that whoever started it starts another."""
    while not progress.hangs():
        time.sleep(_LOOK_INTERVAL_S)
    _log.error("the query hangs, and the streams end", extra={"context": {"for_s": HANG_S}})
    _end_at_once(spark)


def _end_at_once(spark: SparkSession) -> None:
    """Kills the JVM, which may hang or be about to commit what it no longer may, and ends with 1."""
    gateway: Any = spark.sparkContext._gateway  # noqa: SLF001 - PySpark's way to its JVM
    gateway.proc.kill()
    os._exit(1)


def _prepare(spark: SparkSession, settings: Settings, progress: Progress) -> None:
    """Makes what the query needs, as soon as HDFS and the catalog are there for it.

    Raises HaggleError if the lake is not this version's to write.
    """
    while True:
        try:
            prepare_folders(spark, settings)
            clear_checkpoints(spark, settings)
            prepare_lake(spark)
        except (PySparkException, Py4JError) as error:
            context = {"error": _note(spark, progress, error), "in_s": _FIRST_PAUSE_S}
            _log.warning("the lake cannot be prepared yet", extra={"context": context})
            time.sleep(_FIRST_PAUSE_S)
        else:
            return


def _prepare_questions(spark: SparkSession) -> None:
    """Makes the questions' views beside the query; what fails is made at the next start."""
    try:
        prepare_questions(spark)
    except (PySparkException, Py4JError) as error:
        _log.warning("the questions' views are not made", extra={"context": {"error": words_of(error)}})
    else:
        _log.info("the questions' views are made")


def main() -> None:
    """Lands events until SIGTERM.

    Exits with 1 when the lake is not this version's to write, the lock is lost, or the query hangs.
    """
    settings = load_settings(os.environ)
    configure_logs(settings.log_level)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    progress = Progress()
    serve(lambda: asdict(progress.readiness()), settings.listen_host, settings.streams_metrics_port)
    # before the lock, which a catalog that is away too, or another driver, may keep back for longer than Spark takes
    spark = build_session(settings)
    spark.sparkContext.setLogLevel("WARN")
    lock = DriverLock(settings, f"{CATALOG}.{SCHEMA}")
    lock.acquire(progress.wait)
    lock.watch(lambda: _end_at_once(spark))
    threading.Thread(target=_end_if_it_hangs, args=(spark, progress), name="hang", daemon=True).start()
    progress.wait("the lake is prepared")
    try:
        _prepare(spark, settings, progress)
    except HaggleError as error:
        _log.error("the streams refuse to start", extra={"context": {"error": str(error)}})
        sys.exit(1)
    threading.Thread(target=_prepare_questions, args=(spark,), name="questions", daemon=True).start()
    warm_up(spark)
    lock.wait_out()
    Stream(spark, settings, progress).run()


if __name__ == "__main__":
    main()
