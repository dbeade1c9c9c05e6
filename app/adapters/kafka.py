"""Kafka as the log of events: the relay's transactional publisher, the topic, and reading it back.

A realm's events stand in one partition, in the order of their sequence; the key is the realm and the partition
follows from it by Kafka's own default hash, so that any producer would choose the same.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import TopicAlreadyExistsError
from kafka.partitioner import murmur2

from app.adapters.redis import OutboxEntry
from app.settings import Settings

_CONNECT_TIMEOUT_MS: Final = 10_000
_ACKNOWLEDGE_TIMEOUT_S: Final = 30
_STEP: Final = 2_000
"""Records that one step of the search back through a partition covers."""


class _Numbered(msgspec.Struct):
    sequence: int


_numbered = msgspec.json.Decoder(_Numbered)


def advice(settings: Settings) -> str:
    """For the log: which Kafka failed, and what to do about it."""
    where = f"Kafka at {settings.kafka_bootstrap_servers}"
    return f"{where} cannot be reached; see that it runs, and that KAFKA_BOOTSTRAP_SERVERS names it"


def ensure_topic(settings: Settings) -> None:
    """Creates the topic of events if it is missing; an existing one is left as it is."""
    topic = NewTopic(settings.kafka_topic, settings.kafka_partitions, settings.kafka_replication)
    admin = KafkaAdminClient(bootstrap_servers=_brokers(settings), bootstrap_timeout_ms=_CONNECT_TIMEOUT_MS)
    try:
        admin.create_topics([topic], wait_for_metadata=True)
    except TopicAlreadyExistsError:
        pass
    finally:
        admin.close()


class Publisher:
    """Publishes a realm's events in transactions. A new publisher of a realm fences the one before it."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.kafka_topic
        self._key = settings.realm.encode()
        self._producer = KafkaProducer(
            bootstrap_servers=_brokers(settings),
            bootstrap_timeout_ms=_CONNECT_TIMEOUT_MS,
            transactional_id=f"haggle-relay-{settings.realm}",
            # a broker that is back is found again within a second
            reconnect_backoff_max_ms=1_000,
            # with the default of 100 ms, each transaction waits that long for the one before to be marked complete
            retry_backoff_ms=5,
            linger_ms=5,
            batch_size=256 * 1024,
        )
        self._producer.init_transactions()
        self._partition = realm_partition(settings.realm, len(self._producer.partitions_for(self._topic)))

    def publish(self, entries: Sequence[OutboxEntry]) -> None:
        """Publishes the entries in one transaction; returns once Kafka has committed it. Raises KafkaError.

        Every record is acknowledged before the commit: kafka-python commits a transaction that has lost a batch to a
        broken connection, which would leave a gap.
        """
        self._producer.begin_transaction()
        sent = [
            self._producer.send(self._topic, key=self._key, value=entry.event, partition=self._partition)
            for entry in entries
        ]
        self._producer.flush(timeout=_ACKNOWLEDGE_TIMEOUT_S)
        for record in sent:
            record.get(timeout=0)
        self._producer.commit_transaction()

    def close(self) -> None:
        """Gives the connections back; an open transaction is aborted by the next publisher."""
        self._producer.close(timeout=5)


def realm_partition(realm: str, partitions: int) -> int:
    """The partition of a realm among `partitions`: Kafka's default, murmur2 of the key without its sign."""
    hashed: int = murmur2(realm.encode())
    return (hashed & 0x7FFFFFFF) % partitions


def last_published(settings: Settings) -> int:
    """The realm's newest sequence number that a `read_committed` reader sees; 0 if the topic holds none.

    Searches the realm's partition backwards, so that it costs little however long the topic is.
    """
    consumer = _consumer(settings)
    try:
        partition = _realm_topic_partition(consumer, settings)
        first, end = _bounds(consumer, partition)
        while end > first:
            start = max(first, end - _STEP)
            newest = max(_sequences(consumer, partition, settings.realm, start, end), default=0)
            if newest:
                return newest
            end = start
        return 0
    finally:
        consumer.close()


def _brokers(settings: Settings) -> list[str]:
    return settings.kafka_bootstrap_servers.split(",")


def _consumer(settings: Settings) -> Any:
    return KafkaConsumer(
        bootstrap_servers=_brokers(settings),
        bootstrap_timeout_ms=_CONNECT_TIMEOUT_MS,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_poll_records=10_000,
    )


def _realm_topic_partition(consumer: Any, settings: Settings) -> TopicPartition:
    partitions = consumer.partitions_for_topic(settings.kafka_topic) or {0}
    return TopicPartition(settings.kafka_topic, realm_partition(settings.realm, len(partitions)))


def _bounds(consumer: Any, partition: TopicPartition) -> tuple[int, int]:
    consumer.assign([partition])
    first: int = consumer.beginning_offsets([partition])[partition]
    end: int = consumer.end_offsets([partition])[partition]
    return first, end


def _sequences(consumer: Any, partition: TopicPartition, realm: str, start: int, end: int) -> Iterator[int]:
    consumer.seek(partition, start)
    while consumer.position(partition) < end:
        for record in consumer.poll(timeout_ms=500).get(partition, []):
            if record.offset < end and record.key == realm.encode():
                yield from _sequence_of(record.value)


def _sequence_of(value: bytes | None) -> Iterator[int]:
    try:
        yield _numbered.decode(value or b"").sequence
    except msgspec.DecodeError:  # not an event: Spark keeps it in dead_letters
        return
