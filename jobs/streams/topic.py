"""What the streams ask Kafka themselves, beside Spark: the topic's id, and from where to where it reaches."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from app.errors import HaggleError
from app.settings import Settings

_TIMEOUT_S: Final = 10


class Topic:
    """The topic of events. Raises HaggleError when Kafka does not answer or has no such topic."""

    def __init__(self, settings: Settings) -> None:
        self._brokers = settings.kafka_bootstrap_servers
        self._name = settings.kafka_topic
        self._consumer: Any = None

    def id(self) -> str:
        """Kafka's id of the topic; another one once it was deleted and made anew."""
        try:
            admin = KafkaAdminClient(
                bootstrap_servers=self._brokers.split(","), bootstrap_timeout_ms=1_000 * _TIMEOUT_S
            )
            try:
                (found,) = admin.describe_topics([self._name])
            finally:
                admin.close()
        except KafkaError as error:
            raise HaggleError(f"Kafka at {self._brokers} does not answer: {error!r}") from error
        if found["error_code"]:
            raise HaggleError(f"Kafka has no topic {self._name}; the relay creates it")
        return str(found["topic_id"])

    def starts(self, landed: Mapping[int, int]) -> dict[int, int]:
        """The offset to go on at in each partition: after what has landed, or at the oldest that is left."""
        with self._errors() as consumer:
            first: dict[TopicPartition, int] = consumer.beginning_offsets(self._partitions(consumer))
        return {tp.partition: max(landed.get(tp.partition, -1) + 1, offset) for tp, offset in first.items()}

    def ends(self) -> dict[int, int]:
        """The offset after the newest committed record of each partition."""
        with self._errors() as consumer:
            ends: dict[TopicPartition, int] = consumer.end_offsets(self._partitions(consumer))
        return {tp.partition: offset for tp, offset in ends.items()}

    def _partitions(self, consumer: Any) -> list[TopicPartition]:
        return [TopicPartition(self._name, number) for number in consumer.partitions_for_topic(self._name) or ()]

    @contextmanager
    def _errors(self) -> Iterator[Any]:
        try:
            if self._consumer is None:
                self._consumer = KafkaConsumer(
                    bootstrap_servers=self._brokers.split(","),
                    bootstrap_timeout_ms=1_000 * _TIMEOUT_S,
                    isolation_level="read_committed",
                    enable_auto_commit=False,
                )
            yield self._consumer
        except KafkaError as error:
            self.close()
            raise HaggleError(f"Kafka at {self._brokers} does not answer: {error!r}") from error

    def close(self) -> None:
        """Gives the connections back."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
