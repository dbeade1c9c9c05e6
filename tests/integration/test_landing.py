"""Batches into a real Iceberg table in a folder, and what the table says of how far it has come."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from app.contract.reasons import DeadLetter
from app.contract.tables import EVENTS
from app.errors import HaggleError
from jobs.lake.tables import PROPERTIES, add_missing_columns, prepare_lake
from jobs.streams import watermark
from jobs.streams.landing import Landing, TopicReplaced
from jobs.streams.progress import Progress
from jobs.streams.watermark import TABLE, Watermark, read_watermark
from tests.bench.history import plan_events

SCHEMA = "key binary, value binary, topic string, partition int, offset bigint, timestamp timestamp"
START = datetime(2026, 1, 1, tzinfo=UTC)
PAST = list(plan_events(2, 17, seed=1, realm="r"))
OTHER = list(plan_events(2, 17, seed=2, realm="s"))
DUPLICATE = str(DeadLetter.DUPLICATE_SEQUENCE)


class Told(Progress):
    """What the landing told of skips and of a topic filled again."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped: list[tuple[str, int]] = []
        self.refilled = 0

    def count_skipped(self, realm: str, sequences: int) -> None:
        self.skipped.append((realm, sequences))

    def count_refilled(self, events: int) -> None:
        self.refilled += events


class Lake:
    """The table, and a topic of one partition that batches come from; each batch is a second after the one before."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        spark.sql("create namespace if not exists lake.haggle")
        self.reset()

    def reset(self) -> None:
        self._spark.sql(f"drop table if exists {TABLE}")
        self._spark.sql(EVENTS.ddl("spark"))
        options = ", ".join(f"'{name}' = '{value}'" for name, value in PROPERTIES.items())
        self._spark.sql(f"alter table {TABLE} set tblproperties ({options})")
        self.replace_topic("topic-1")

    def replace_topic(self, topic_id: str) -> None:
        self.topic_id = topic_id
        self._offset = self._batch = 0
        self.start()

    def start(self) -> None:
        """A query starts: what it knows, it reads from the table."""
        self.told = Told()
        self.landing = Landing(self.mark(), self.topic_id, lambda: self.topic_id, self.told)

    def mark(self) -> Watermark:
        return read_watermark(self._spark, self.topic_id)

    def land(self, *values: bytes | None) -> None:
        self.landing.land(self.batch(values), self._batch)

    def batch(self, values: Iterable[bytes | None], partition: int = 0) -> DataFrame:
        self._batch += 1
        at = START + timedelta(seconds=self._batch)
        rows = []
        for value in values:
            key = b"s" if value in OTHER else b"r"
            rows.append((key, value, "topic", partition, self._offset, at))
            self._offset += 1
        return self._spark.createDataFrame(rows, SCHEMA)

    def rows(self) -> list[dict[str, Any]]:
        """All rows, in the order of topics and offsets."""
        found = self._spark.table(TABLE).orderBy("recorded_at", "kafka_offset").collect()
        return [row.asDict(recursive=True) for row in found]

    def events(self) -> list[tuple[str, int]]:
        return [(row["realm"], row["sequence"]) for row in self.rows() if row["dead_letter"] is None]

    def dead(self) -> list[tuple[str, bytes]]:
        return [(row["dead_letter"], row["raw"]) for row in self.rows() if row["dead_letter"] is not None]

    def commits(self) -> int:
        return self._spark.table(f"{TABLE}.snapshots").count()


@pytest.fixture
def lake(spark: SparkSession) -> Lake:
    return Lake(spark)


def refuse(*_: Any) -> Any:
    pytest.fail("this way was not to be taken")


def poor(raw: bytes) -> bytes:
    """The event with less than nothing given: it begins as it should, and is none."""
    event = json.loads(raw)
    event["player_1"]["gold"] = -1
    return json.dumps(event, separators=(",", ":")).encode()


# ---------------------------------------------------------------- landing


def test_batches_as_the_relay_writes_them_land_by_the_fast_way_each_in_one_commit(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Landing, "_land_odd", refuse)
    lake.land(*PAST[:7], *OTHER[:3])
    lake.land()
    lake.land(*OTHER[3:5])
    lake.start()
    lake.land(*PAST[7:])
    expected = [*(("r", n) for n in range(1, 8)), *(("s", n) for n in range(1, 6)), *(("r", n) for n in range(8, 21))]
    assert lake.events() == expected
    assert (lake.dead(), lake.commits(), lake.told.skipped) == ([], 3, [])


BATCHES: dict[str, list[list[bytes | None]]] = {
    "events alone": [[*PAST[:7], *OTHER[:3]], [*PAST[7:]]],
    "one that begins as an event and is none": [[*PAST[:4], poor(PAST[4]), *PAST[5:7]], [*PAST[7:10]]],
    "such one at the end": [[*PAST[:4], poor(PAST[4])], [*PAST[4:7]]],
}


@pytest.mark.long
@pytest.mark.parametrize("name", BATCHES)
def test_the_fast_way_and_the_other_give_the_same_rows_and_go_on_alike(
    lake: Lake, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outcome() -> tuple[Any, ...]:
        lake.reset()
        for batch in BATCHES[name]:
            lake.land(*batch)
        return lake.rows(), lake.told.skipped, lake.mark()

    fast = outcome()
    monkeypatch.setattr(Landing, "_goes_on", lambda *_: False)
    assert outcome() == fast
    assert len(fast[0]) == sum(map(len, BATCHES[name]))


def test_an_event_that_comes_again_is_a_dead_letter_whether_in_the_batch_or_before_or_after_a_start(
    lake: Lake,
) -> None:
    lake.land(*PAST[:3], PAST[1])
    lake.land(PAST[2], *PAST[3:5])
    lake.start()
    lake.land(PAST[4], PAST[0], *PAST[5:8])
    assert lake.events() == [("r", n) for n in range(1, 9)]
    assert lake.dead() == [(DUPLICATE, PAST[n]) for n in (1, 2, 4, 0)]
    assert lake.told.skipped == []


def test_sequence_numbers_that_are_skipped_are_counted_and_what_follows_lands(lake: Lake) -> None:
    lake.land(*PAST[:3])
    lake.land(*PAST[5:7], PAST[9])
    assert lake.events() == [("r", n) for n in (1, 2, 3, 6, 7, 10)]
    assert sorted(lake.told.skipped) == [("r", 2), ("r", 2)]
    lake.land(PAST[10])
    assert len(lake.told.skipped) == 2


def test_records_that_are_no_events_land_beside_those_that_are_and_stop_nothing(lake: Lake) -> None:
    lake.land(None, PAST[0], b"not an event", PAST[1])
    lake.land(b"{}")
    lake.land(PAST[2])
    assert lake.events() == [("r", 1), ("r", 2), ("r", 3)]
    assert lake.dead() == [("empty_record", None), ("invalid_json", b"not an event"), ("unknown_event_type", b"{}")]


def test_a_topic_made_anew_under_a_query_ends_it_before_anything_lands(lake: Lake, spark: SparkSession) -> None:
    lake.land(*PAST[:3])
    landing = Landing(lake.mark(), "topic-1", lambda: "topic-2", lake.told)
    with pytest.raises(TopicReplaced):
        landing.land(lake.batch(PAST[:4]), 1)
    assert isinstance(landing.error, TopicReplaced)
    assert len(lake.events()) == 3


def test_a_topic_filled_again_lands_what_is_new_and_counts_what_is_not(lake: Lake) -> None:
    lake.land(*PAST[:5], *OTHER[:4])
    lake.replace_topic("topic-2")
    lake.land(*PAST[:3])
    assert (lake.told.refilled, lake.commits()) == (3, 1)
    lake.land(*PAST[3:8])
    assert lake.told.refilled == 5
    # r has landed from the new topic, s has not yet
    lake.start()
    lake.land(*OTHER[:6], *PAST[8:10], PAST[9])
    assert lake.told.refilled == 4
    assert sorted(lake.events()) == [*(("r", n) for n in range(1, 11)), *(("s", n) for n in range(1, 7))]
    assert lake.dead() == [(DUPLICATE, PAST[9])]
    assert lake.told.skipped == []


# ---------------------------------------------------------------- the watermark


def test_an_empty_table_knows_nothing_and_no_other_topic(lake: Lake) -> None:
    assert lake.mark() == Watermark()
    assert not lake.mark().is_refilled("r")


def test_files_of_one_realm_each_are_not_opened(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watermark, "_scan", refuse)
    lake.land(*PAST[:3], b"not an event")
    lake.land(*OTHER[:2])
    lake.land(*PAST[3:5])
    assert lake.mark() == Watermark(sequences={"r": 5, "s": 2}, offsets={0: 7}, started={"r", "s"})


def test_files_that_mix_realms_are_read(lake: Lake) -> None:
    lake.land(*PAST[:9])
    lake.land(*PAST[9:11], *OTHER[:6])
    lake.land(*OTHER[6:8])
    assert lake.mark() == Watermark(sequences={"r": 11, "s": 8}, offsets={0: 18}, started={"r", "s"})


def test_realms_whose_names_begin_alike_are_told_apart_in_a_file(lake: Lake, spark: SparkSession) -> None:
    """Iceberg cuts the least and greatest text of a file to 16 characters unless told otherwise."""
    names = ["a-realm-of-a-long-name-1", "a-realm-of-a-long-name-2"]
    rows: list[tuple[Any, ...]] = []
    for realm, trades in zip(names, (1, 5), strict=True):
        rows += [(realm.encode(), raw, "topic", 0, len(rows), START) for raw in plan_events(2, trades, 1, realm=realm)]
    rows = [(*row[:4], offset, row[5]) for offset, row in enumerate(rows)]
    lake.landing.land(spark.createDataFrame(rows, SCHEMA), 0)
    assert lake.mark().sequences == dict(zip(names, (4, 8), strict=True))


def test_dead_letters_alone_say_an_offset_and_no_sequence(lake: Lake) -> None:
    lake.land(b"not an event", None)
    assert lake.mark() == Watermark(offsets={0: 1})


@pytest.mark.parametrize("batch", [PAST[:3], [*PAST[:3], *OTHER[:3]]], ids=["one realm", "mixed"])
def test_offsets_of_another_topic_are_none_of_this_one_and_sequences_stay(lake: Lake, batch: list[bytes]) -> None:
    lake.land(*batch)
    lake.replace_topic("topic-2")
    mark = lake.mark()
    assert (mark.sequences["r"], mark.offsets, mark.started, mark.is_first_topic) == (3, {}, set(), False)
    assert mark.is_refilled("r")
    lake.land(*PAST[:4])
    mark = lake.mark()
    assert (mark.sequences["r"], mark.offsets, mark.started) == (4, {0: 3}, {"r"})
    assert not mark.is_refilled("r")


def test_partitions_have_offsets_of_their_own(lake: Lake) -> None:
    lake.landing.land(lake.batch(PAST[:3]), 1)
    lake.landing.land(lake.batch(OTHER[:2], partition=4), 2)
    both = lake.batch(PAST[3:5]).union(lake.batch(OTHER[2:4], partition=4))
    lake.landing.land(both, 3)
    assert lake.mark() == Watermark(sequences={"r": 5, "s": 4}, offsets={0: 6, 4: 8}, started={"r", "s"})


# ---------------------------------------------------------------- the lake before


LATER = ["offer_id", "raw", "player_1.item_value", "player_1.state.gold", "player_2.items.element.value"]
"""A column and fields of columns, which the table of a version before would lack."""


def test_a_table_of_a_version_before_gets_columns_and_fields_that_it_lacks_and_keeps_its_rows(
    lake: Lake, spark: SparkSession
) -> None:
    def rows(*lacking: str) -> list[dict[str, Any]]:
        lake.reset()
        lake.land(*PAST[:12])
        for path in lacking:
            spark.sql(f"alter table {TABLE} drop column {path}")
        add_missing_columns(spark, TABLE)
        lake.start()
        lake.land(*PAST[12:])
        return lake.rows()

    whole, former = rows(), rows(*LATER)
    assert former[12:] == whole[12:]
    assert [row["sequence"] for row in former] == list(range(1, 21))
    for before, after in zip(whole[3:12], former[3:12], strict=True):
        assert after["player_1"]["state"] == before["player_1"]["state"] | {"gold": None}
        lines = [line | {"value": None} for line in before["player_2"]["items"]]
        assert after["player_2"] == before["player_2"] | {"items": lines}


def test_a_table_that_lacks_nothing_is_left_alone(lake: Lake, spark: SparkSession) -> None:
    before = spark.table(f"{TABLE}.metadata_log_entries").count()
    add_missing_columns(spark, TABLE)
    assert spark.table(f"{TABLE}.metadata_log_entries").count() == before


def test_a_lake_with_a_former_table_is_refused_in_a_sentence(spark: SparkSession) -> None:
    spark.sql("create namespace if not exists lake.haggle")
    spark.sql("create table lake.haggle.trades (realm string) using iceberg")
    try:
        with pytest.raises(HaggleError, match=r"tables of a development version \(trades\).*start with a new lake"):
            prepare_lake(spark)
    finally:
        spark.sql("drop table lake.haggle.trades")
