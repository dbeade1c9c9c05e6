"""When the relay refuses to go on: what would leave a gap or a duplicate."""

from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError

from app.adapters.kafka import Publisher
from app.adapters.redis import OutboxEntry
from app.entrypoints.relay import BrokenSequence, check_contiguous, position_of
from app.settings import Settings


def entries(*sequences: int) -> list[OutboxEntry]:
    return [OutboxEntry(sequence, b"{}") for sequence in sequences]


def test_it_goes_on_after_what_kafka_has() -> None:
    assert position_of(published=7, newest=9, waiting=entries(8, 9)) == 7
    assert position_of(published=0, newest=0, waiting=[]) == 0


def test_an_empty_topic_whose_retention_is_over_starts_where_the_outbox_does() -> None:
    assert position_of(published=0, newest=9, waiting=entries(8, 9)) == 7


def test_it_refuses_when_redis_has_forgotten_what_kafka_holds() -> None:
    with pytest.raises(BrokenSequence, match="Redis has lost data"):
        position_of(published=9, newest=3, waiting=[])


@pytest.mark.parametrize("sequences", [(9, 10), (8, 10), (8, 8), (7, 8)])
def test_it_refuses_an_outbox_with_a_gap_or_a_repeat(sequences: tuple[int, ...]) -> None:
    with pytest.raises(BrokenSequence):
        check_contiguous(entries(*sequences), 7)


def test_a_gapless_outbox_is_fine() -> None:
    check_contiguous(entries(8, 9, 10), 7)


class LostRecord:
    """The future of a record that was not acknowledged."""

    def get(self, **_: Any) -> None:
        raise KafkaTimeoutError("lost")


class LossyProducer:
    """A producer that loses a record and commits all the same, as kafka-python does after a broken connection."""

    def __init__(self, **_: Any) -> None:
        self.calls: list[str] = []

    def init_transactions(self) -> None: ...

    def partitions_for(self, _topic: str) -> set[int]:
        return {0}

    def begin_transaction(self) -> None:
        self.calls.append("begin")

    def send(self, *_: Any, **__: Any) -> "LostRecord":
        return LostRecord()

    def flush(self, **_: Any) -> None:
        self.calls.append("flush")

    def commit_transaction(self) -> None:
        self.calls.append("commit")


def test_a_batch_with_a_record_that_kafka_has_not_acknowledged_is_not_committed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    producer = LossyProducer()
    monkeypatch.setattr("app.adapters.kafka.KafkaProducer", lambda **_: producer)
    publisher = Publisher(Settings())
    with pytest.raises(KafkaTimeoutError):
        publisher.publish(entries(1, 2))
    assert producer.calls == ["begin", "flush"]
