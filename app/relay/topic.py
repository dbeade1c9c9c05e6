"""Kafka as the log of events: the topic, the relay's transactional publisher, and the one reader of the topic.

A realm's events stand in one partition, in the order of their sequence; the key is the realm and the partition
follows from it by Kafka's own default hash, so that any producer would choose the same. Whatever waits for Kafka has
a deadline, after which it raises a KafkaError.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import (
    AlterConfigOp,
    ConfigResource,
    ConfigResourceType,
    ConfigSourceType,
    KafkaAdminClient,
    NewTopic,
    OffsetSpec,
)
from kafka.errors import KafkaError, KafkaTimeoutError, TopicAlreadyExistsError, UnknownTopicOrPartitionError
from kafka.partitioner import murmur2

from app.settings import SEGMENT_HOURS, Settings
from app.store.outbox import OutboxEvent

_CONNECT_TIMEOUT_MS: Final = 10_000
_REQUEST_TIMEOUT_MS: Final = 10_000
_BLOCK_TIMEOUT_MS: Final = 15_000
_ACKNOWLEDGE_TIMEOUT_S: Final = 30
_COMMIT_TIMEOUT_S: Final = 30
_CLOSE_TIMEOUT_S: Final = 5
_SETTLE_TIMEOUT_S: Final = 90
"""How long another realm's open transaction may hide what comes after it: Kafka ends one that is left after 60 s."""
_SEARCH_TIMEOUT_S: Final = 300
_IDLE_TIMEOUT_S: Final = 30
_LOOK_INTERVAL_S: Final = 1.0
_FIRST_STEP: Final = 2_000
_LARGEST_STEP: Final = 64_000
"""Records that one step of the search back through a partition covers; each step is twice the one before."""
_BATCH_BYTES: Final = 1_000_000
_HOUR_MS: Final = 3_600_000
_SMALLEST_SEGMENT_BYTES: Final = 2**20
_LARGEST_SEGMENT_BYTES: Final = 2**27


class TopicChanged(KafkaError):  # type: ignore[misc]
    """The topic is not the one that was published to before: it was deleted, created anew or cut short."""


class TopicIdentity(NamedTuple):
    """Which topic stands behind the name. One that is created anew has another id."""

    topic_id: str
    partitions: int


class Content(NamedTuple):
    """What the topic holds of a realm: its newest event, 0 for none. `first_offset` > 0: older records were removed."""

    topic: TopicIdentity
    first_offset: int
    newest: int


class _Numbered(msgspec.Struct):
    sequence: int


_numbered = msgspec.json.Decoder(_Numbered)


class _Deadline:
    """The time that something may take."""

    def __init__(self, timeout_s: float, what: str) -> None:
        self._what = what
        self.renew(timeout_s)

    def renew(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._ends_s = time.monotonic() + timeout_s

    @property
    def left_s(self) -> float:
        return max(0.0, self._ends_s - time.monotonic())

    def check(self) -> None:
        """Raises KafkaTimeoutError once the time is over."""
        if not self.left_s:
            raise KafkaTimeoutError(f"{self._what} took longer than {self._timeout_s:g} s")


def advice(settings: Settings) -> str:
    """For the log: which Kafka failed, and what to do about it."""
    where = f"Kafka at {settings.kafka_bootstrap_servers}"
    return f"{where} cannot be reached; see that it runs, and that KAFKA_BOOTSTRAP_SERVERS names it"


def topic_config(settings: Settings) -> dict[str, str | None]:
    """How the topic is configured, whoever has created it; None: as the brokers are set."""
    size, hours = settings.kafka_retention_bytes, settings.kafka_retention_hours
    # only segments that are complete are removed, so small ones keep a partition near its bound
    segment_bytes = min(max(size // 8, _SMALLEST_SEGMENT_BYTES), _LARGEST_SEGMENT_BYTES)
    return {
        # an acknowledgement means on disk: a single broker's would else mean its page cache
        "flush.messages": "1",
        "retention.bytes": str(size) if size else None,
        "retention.ms": str(hours * _HOUR_MS) if hours else None,
        "segment.bytes": str(segment_bytes) if size else None,
        # so long at most after its time a record stays, which a segment that is not full would keep
        "segment.ms": str(SEGMENT_HOURS * _HOUR_MS),
    }


class Topic:
    """The topic of events, as an administrator sees it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._name = settings.kafka_topic
        self._admin = KafkaAdminClient(
            bootstrap_servers=_brokers(settings),
            bootstrap_timeout_ms=_CONNECT_TIMEOUT_MS,
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
        )

    def close(self) -> None:
        """Gives the connections back."""
        self._admin.close()

    def ensure(self) -> None:
        """Creates the topic if it is missing, and brings an existing one to the configuration that it should have."""
        settings, config = self._settings, topic_config(self._settings)
        given = {name: value for name, value in config.items() if value is not None}
        topic = NewTopic(self._name, settings.kafka_partitions, settings.kafka_replication, topic_configs=given)
        try:
            self._admin.create_topics([topic], wait_for_metadata=True)
        except TopicAlreadyExistsError:
            self._configure(config)

    def _configure(self, config: dict[str, str | None]) -> None:
        found = self.own_config()
        due = {
            name: (AlterConfigOp.DELETE if value is None else AlterConfigOp.SET, value)
            for name, value in config.items()
            if found.get(name) != value
        }
        if not due:
            return
        answer = self._admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, self._name, due)])
        if (said := answer["topic"][self._name]) != "OK":
            raise KafkaError(f"the configuration {due} of topic {self._name} was refused: {said}")

    def own_config(self) -> dict[str, str]:
        """What is set for the topic itself."""
        resource = ConfigResource(ConfigResourceType.TOPIC, self._name)
        found = self._admin.describe_configs([resource], config_filter="all")["topic"][self._name]
        own = ConfigSourceType.DYNAMIC_TOPIC_CONFIG.name
        return {name: item["value"] for name, item in found.items() if item["config_source"] == own}

    def identity(self) -> TopicIdentity:
        """Which topic it is now. Raises TopicChanged if there is none."""
        (found,) = self._admin.describe_topics([self._name])
        if found["error_code"] == UnknownTopicOrPartitionError.errno:
            raise TopicChanged(f"topic {self._name} is gone")
        if found["error_code"]:
            raise KafkaError(f"topic {self._name} cannot be described: error {found['error_code']}")
        return TopicIdentity(str(found["topic_id"]), len(found["partitions"]))

    def settled_bounds(self, partition: TopicPartition) -> tuple[int, int]:
        """First offset and end of a partition, once a `read_committed` reader sees up to the end of now.

        Another realm's open transaction hides what comes after it, which may be this realm's newest events.
        """
        end = self._offset(partition, OffsetSpec.LATEST, "read_uncommitted")
        deadline = _Deadline(_SETTLE_TIMEOUT_S, f"an open transaction in {partition}")
        while self._offset(partition, OffsetSpec.LATEST, "read_committed") < end:
            deadline.check()
            time.sleep(0.05)
        return self._offset(partition, OffsetSpec.EARLIEST, "read_uncommitted"), end

    def _offset(self, partition: TopicPartition, spec: OffsetSpec, isolation: str) -> int:
        found = self._admin.list_partition_offsets({partition: spec}, isolation, _REQUEST_TIMEOUT_MS)
        return int(found[partition].offset)


class Reader:
    """The one reader of the topic: committed records of a partition between two offsets."""

    def __init__(self, settings: Settings) -> None:
        self._consumer: Any = KafkaConsumer(
            bootstrap_servers=_brokers(settings),
            bootstrap_timeout_ms=_CONNECT_TIMEOUT_MS,
            request_timeout_ms=_BLOCK_TIMEOUT_MS,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_poll_records=10_000,
        )

    def close(self) -> None:
        """Gives the connections back."""
        self._consumer.close(autocommit=False, timeout_ms=1_000 * _CLOSE_TIMEOUT_S)

    def records(self, partition: TopicPartition, start: int, end: int) -> Iterator[Any]:
        """The committed records from offset `start` up to and without `end`, in order.

        Raises KafkaTimeoutError if nothing comes for a while, as when Kafka is away.
        """
        deadline = _Deadline(_IDLE_TIMEOUT_S, f"waiting for records of {partition}")
        self._consumer.assign([partition])
        self._consumer.seek(partition, start)
        position = start
        while position < end:
            for record in self._consumer.poll(timeout_ms=500).get(partition, []):
                if record.offset < end:
                    yield record
            before, position = position, self._consumer.position(partition, timeout_ms=500) or position
            if position > before:
                deadline.renew(_IDLE_TIMEOUT_S)
            deadline.check()


def newest_event(reader: Reader, partition: TopicPartition, realm: str, first: int, end: int) -> int:
    """The realm's newest sequence number between two offsets; 0 if there is none.

    Searches backwards, so that it costs little however long the partition is; each record is read once at most.
    """
    deadline = _Deadline(_SEARCH_TIMEOUT_S, f"the search for the newest event of realm {realm} in {partition}")
    step = _FIRST_STEP
    while end > first:
        start = max(first, end - step)
        newest = 0
        for record in reader.records(partition, start, end):
            deadline.check()
            if record.key == realm.encode():
                newest = max(newest, _sequence_of(record.value))
        if newest:
            return newest
        end, step = start, min(2 * step, _LARGEST_STEP)
    return 0


class Publisher:
    """Publishes a realm's events in transactions. A new publisher of a realm fences the one before it.

    It stays with the topic that it has found (`topic`, by its id), which it creates if it is missing: no event is
    committed in another one of the same name, where those before it would be missing.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._key = settings.realm.encode()
        self._newest_offset = -1
        with contextlib.ExitStack() as undo:
            self._admin = Topic(settings)
            undo.callback(self._admin.close)
            self._admin.ensure()
            self._producer = _producer(settings)
            undo.callback(self._close_producer)
            self._producer.init_transactions()
            self.topic = self._admin.identity()
            undo.pop_all()
        partition = realm_partition(settings.realm, self.topic.partitions)
        self._partition = TopicPartition(settings.kafka_topic, partition)

    def content(self) -> Content:
        """What the topic holds of the realm. No other relay of the realm can add to it: it is fenced by now."""
        first, end = self._admin.settled_bounds(self._partition)
        reader = Reader(self._settings)
        try:
            newest = newest_event(reader, self._partition, self._settings.realm, first, end)
        finally:
            reader.close()
        self.check_topic()
        return Content(self.topic, first, newest)

    def publish(self, events: Sequence[OutboxEvent], meanwhile: Callable[[], None] = lambda: None) -> None:
        """Publishes the events in one transaction; returns once Kafka has committed it. Raises KafkaError.

        Calls `meanwhile` once all are sent, before it waits for Kafka, which is writing them to its disk.

        Every record is acknowledged before the commit: kafka-python commits a transaction that has lost a batch to a
        broken connection, which would leave a gap. And it publishes into a topic that was created anew as if nothing
        had happened, so the topic must be the same after the acknowledgements; then they were given by that one.
        """
        self._producer.begin_transaction()
        sent = self._send(events)
        meanwhile()
        deadline = _Deadline(_ACKNOWLEDGE_TIMEOUT_S, "the acknowledgement of a batch")
        offsets = [self._acknowledged(record, deadline) for record in sent]
        self.check_topic()
        self._check_offset(offsets[0])
        self._commit()
        self._newest_offset = offsets[-1]

    def _send(self, events: Sequence[OutboxEvent]) -> list[Any]:
        name, number = self._partition
        try:
            return [self._producer.send(name, key=self._key, value=event.text, partition=number) for event in events]
        except ValueError as error:  # the producer has heard of a topic without this partition
            raise TopicChanged(f"{self._partition} is gone") from error

    def _acknowledged(self, record: Any, deadline: _Deadline) -> int:
        """The offset of a record that was sent, once it is acknowledged; looks meanwhile whether the topic is there."""
        while not record.is_done:
            try:
                record.get(timeout=min(_LOOK_INTERVAL_S, deadline.left_s))
            except KafkaTimeoutError:
                deadline.check()
                self.check_topic()
        offset: int = record.get(timeout=0).offset
        return offset

    def check_topic(self) -> None:
        """Raises TopicChanged unless the topic is still the one that this publisher has found."""
        now = self._admin.identity()
        if now != self.topic:
            raise TopicChanged(f"topic {self._partition.topic} was {self.topic} and is {now}")

    def _check_offset(self, offset: int) -> None:
        # a broker may describe the old topic for a moment, or have lost the end of its log
        if offset <= self._newest_offset:
            raise TopicChanged(f"{self._partition} went back from offset {self._newest_offset} to {offset}")

    def _commit(self) -> None:
        # commit_transaction() does the same, and waits without bound while Kafka is away
        result = self._producer._transaction_manager.begin_commit()  # noqa: SLF001
        self._producer._sender.wakeup()  # noqa: SLF001
        if not result.wait(timeout_ms=1_000 * _COMMIT_TIMEOUT_S):
            raise KafkaTimeoutError(f"the commit of a batch took longer than {_COMMIT_TIMEOUT_S} s")

    def close(self) -> None:
        """Gives the connections back; an open transaction is aborted by the next publisher."""
        self._close_producer()
        self._admin.close()

    def _close_producer(self) -> None:
        # close() alone would first wait for what cannot be sent, and leave its thread behind if that takes too long
        sender = self._producer._sender  # noqa: SLF001
        sender.force_close()
        sender.join(_CLOSE_TIMEOUT_S)
        with contextlib.suppress(KafkaError):
            self._producer.close(timeout=0)


def _producer(settings: Settings) -> Any:
    return KafkaProducer(
        bootstrap_servers=_brokers(settings),
        bootstrap_timeout_ms=_CONNECT_TIMEOUT_MS,
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
        max_block_ms=_BLOCK_TIMEOUT_MS,
        delivery_timeout_ms=1_000 * _ACKNOWLEDGE_TIMEOUT_S,
        transactional_id=f"haggle-relay-{settings.realm}",
        # a broker that is back is found again within a second
        reconnect_backoff_max_ms=1_000,
        # with the default of 100 ms, each transaction waits that long for the one before to be marked complete
        retry_backoff_ms=5,
        linger_ms=5,
        # few and large: each is flushed, and each full one wakes the sender; Kafka takes 1,048,588 bytes
        batch_size=_BATCH_BYTES,
    )


def realm_partition(realm: str, partitions: int) -> int:
    """The partition of a realm among `partitions`: Kafka's default, murmur2 of the key without its sign."""
    hashed: int = murmur2(realm.encode())
    return (hashed & 0x7FFFFFFF) % partitions


def _brokers(settings: Settings) -> list[str]:
    return settings.kafka_bootstrap_servers.split(",")


def _sequence_of(value: bytes | None) -> int:
    try:
        return _numbered.decode(value or b"").sequence
    except msgspec.DecodeError:  # not an event: Spark keeps it in dead_letters
        return 0
