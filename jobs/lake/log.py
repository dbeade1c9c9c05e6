"""Reads the realm's partition of the topic for the audit: which events stand there, and what else.

The sequence of an event is taken from the beginning of its record; a record that does not begin as the next event does
is parsed. librdkafka (confluent-kafka) reads it in C.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from app.contract.events import ENVELOPE, decode_event
from app.errors import HaggleError
from app.relay.topic import realm_partition
from app.settings import Settings
from jobs.lake.ledger import Place
from jobs.streams.topic import Topic

_BATCH: Final = 10_000
_TIMEOUT_S: Final = 10
_IDLE_S: Final = 30.0
_envelope: Final = re.compile(ENVELOPE.encode()).match


@dataclass(slots=True)
class Read:
    """What was read of the partition of topic `topic_id`: offsets from `start` up to and without `end`.

    `first` and `last` are the oldest and the newest event, 0 for none; `gaps` are ranges of sequence numbers that were
    skipped, `again` are events that are not newer than one before them, by (sequence, offset). `from_start`: nothing
    older than these was left in the partition. `records` counts the realm's records up to and with offset `counted`.
    """

    topic_id: str
    partition: int
    start: int
    end: int
    counted: int
    first: int = 0
    last: int = 0
    last_counted: int = 0
    events: int = 0
    records: int = 0
    others: int = 0
    gaps: list[tuple[int, int]] = field(default_factory=list)
    again: list[tuple[int, int]] = field(default_factory=list)


class Log:
    """The realm's partition, open for one audit. Raises HaggleError when Kafka does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.topic_id = Topic(settings).id()
        self._consumer: Any = Consumer(
            {
                "bootstrap.servers": settings.kafka_bootstrap_servers,
                "group.id": "haggle-audit",  # asked for, and not used: offsets are not kept in Kafka
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "error",
                "queued.max.messages.kbytes": 65_536,
                # the queue is full all the time, and would be filled again a second later by default
                "fetch.queue.backoff.ms": 10,
                "log_level": 0,
            }
        )
        try:
            found = self._consumer.list_topics(settings.kafka_topic, _TIMEOUT_S).topics[settings.kafka_topic]
        except KafkaException as error:
            raise self._trouble(error) from error
        self.partition = realm_partition(settings.realm, len(found.partitions) or 1)

    def close(self) -> None:
        """Gives the connections back."""
        self._consumer.close()

    def start(self, place: Place) -> int:
        """Where to begin: at the place, unless the topic is another one, or has forgotten what stood there."""
        first, _ = self._bounds()
        return max(first, place.offset) if place.topic_id == self.topic_id else first

    def oldest(self) -> int:
        """The oldest offset that is there."""
        return self._bounds()[0]

    def read(self, place: Place, landed: int) -> Read:
        """Reads on from the place to the end of now; counts records up to offset `landed`."""
        start, (_, end) = self.start(place), self._bounds()
        goes_on = place.topic_id == self.topic_id and place.offset == start
        read = Read(self.topic_id, self.partition, start, end, landed, last=place.sequence if goes_on else 0)
        read.last_counted = read.last
        for offset, key, value in self._records(start, end):
            if key == self._key:
                self._see(read, offset, value or b"")
        return read

    @property
    def _key(self) -> bytes:
        return self._settings.realm.encode()

    def _see(self, read: Read, offset: int, value: bytes) -> None:
        sequence = self._sequence(value, read.last + 1)
        is_counted = offset <= read.counted
        read.records += is_counted
        if sequence is None:
            read.others += is_counted
            return
        read.events += 1
        read.first = read.first or sequence
        if sequence <= read.last:
            read.again.append((sequence, offset))
            return
        if read.last and sequence > read.last + 1:
            read.gaps.append((read.last + 1, sequence - 1))
        read.last = sequence
        if is_counted:
            read.last_counted = sequence

    def _sequence(self, value: bytes, due: int) -> int | None:
        """The event's sequence number; None if it is none of the realm. What is not the next event is parsed."""
        begins = _envelope(value)
        if begins and begins[1] == self._key and (sequence := int(begins[2])) == due:
            return sequence
        try:
            event = decode_event(value)
        except msgspec.DecodeError:
            return None
        return event.sequence if event.realm == self._settings.realm else None

    # ------------------------------------------------------------ Kafka

    def _bounds(self) -> tuple[int, int]:
        partition = TopicPartition(self._settings.kafka_topic, self.partition)
        try:
            first, end = self._consumer.get_watermark_offsets(partition, _TIMEOUT_S)
        except KafkaException as error:
            raise self._trouble(error) from error
        return first, end

    def _records(self, start: int, end: int) -> Iterator[tuple[int, bytes | None, bytes | None]]:
        """Offset, key and value of the committed records from `start` up to `end`, or to where others are open."""
        if start >= end:
            return
        self._consumer.assign([TopicPartition(self._settings.kafka_topic, self.partition, start)])
        deadline = time.monotonic() + _IDLE_S
        while True:
            for message in self._consumer.consume(_BATCH, timeout=1.0):
                deadline = time.monotonic() + _IDLE_S
                if (error := message.error()) and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                    return
                if error:
                    raise self._trouble(KafkaException(error))
                if message.offset() >= end:
                    return
                yield message.offset(), message.key(), message.value()
            if time.monotonic() > deadline:
                raise HaggleError(f"Kafka gave nothing of partition {self.partition} for {_IDLE_S:.0f} s")

    def _trouble(self, error: Exception) -> HaggleError:
        return HaggleError(f"Kafka at {self._settings.kafka_bootstrap_servers} does not answer: {error}")
