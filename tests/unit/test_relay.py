"""Where the relay goes on, and when it refuses to: what would leave a gap or a duplicate."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from app.relay import topic as kafka
from app.relay.loop import BrokenSequence, Resume, check_contiguous, resume_after
from app.relay.topic import Content, Publisher, TopicChanged, TopicIdentity, newest_event
from app.settings import Settings
from app.store.outbox import OutboxEvent, Published

TOPIC = TopicIdentity("first", 6)
ANEW = TopicIdentity("second", 6)
NOTHING = range(0)


def entries(*sequences: int) -> list[OutboxEvent]:
    return [OutboxEvent(sequence, b"{}") for sequence in sequences]


def holding(*sequences: int) -> Callable[[int], int | None]:
    """An outbox that holds these events."""
    return lambda position: next((sequence for sequence in sequences if sequence > position), None)


def published(sequence: int, topic: TopicIdentity = TOPIC) -> Published:
    return Published(sequence, *topic)


def resume(content: Content, recorded: Published, newest: int, *buffered: int) -> Resume:
    return resume_after(content, recorded, newest, holding(*buffered))


# ---------------------------------------------------------------- where it goes on


def test_it_goes_on_after_what_kafka_has() -> None:
    assert resume(Content(TOPIC, 0, 7), published(7), 9, 6, 7, 8, 9) == (7, NOTHING)


def test_it_begins_at_the_first_event() -> None:
    assert resume(Content(TOPIC, 0, 0), Published(0, "", 0), 0).position == 0
    assert resume(Content(TOPIC, 0, 0), Published(0, "", 0), 2, 1, 2).position == 0


def test_a_batch_that_kafka_has_and_redis_does_not_know_of_is_not_published_again() -> None:
    assert resume(Content(TOPIC, 0, 9), published(7), 9, 6, 7, 8, 9).position == 9
    assert resume(Content(TOPIC, 0, 2), Published(0, "", 0), 3, 1, 2, 3).position == 2


def test_a_topic_whose_retention_is_over_is_not_filled_again() -> None:
    assert resume(Content(TOPIC, 31, 0), published(9), 9, 8, 9) == (9, NOTHING)
    assert resume(Content(TOPIC, 31, 0), published(9), 11, 8, 9, 10, 11) == (9, NOTHING)


def test_an_empty_topic_and_an_empty_outbox_leave_the_position_where_it_was() -> None:
    """With position 0, a million events later every command would be refused for ever."""
    assert resume(Content(TOPIC, 31, 0), published(9), 9).position == 9
    assert resume(Content(ANEW, 0, 0), published(9), 9) == (9, range(1, 10))


def test_a_wiped_topic_is_filled_from_the_oldest_event_that_is_kept() -> None:
    assert resume(Content(ANEW, 0, 0), published(9), 11, 1, 2, 3) == (0, NOTHING)
    assert resume(Content(ANEW, 0, 0), published(9), 11, 5, 6, 7) == (4, range(1, 5))


def test_a_wiped_topic_is_known_by_its_id_though_others_have_filled_it_and_its_beginning_has_expired() -> None:
    assert resume(Content(ANEW, 31, 0), published(9), 11, 5, 6, 7) == (4, range(1, 5))


def test_a_partition_that_lost_all_its_records_is_filled_again() -> None:
    assert resume(Content(TOPIC, 0, 0), published(9), 11, 5, 6, 7) == (4, range(1, 5))


def test_a_topic_that_was_filled_in_part_is_filled_on() -> None:
    assert resume(Content(ANEW, 0, 6), published(9), 11, 5, 6, 7) == (6, NOTHING)


def test_what_a_topic_has_lost_of_its_end_is_published_again_as_far_as_it_is_kept() -> None:
    assert resume(Content(TOPIC, 0, 3), published(9), 11, 5, 6, 7) == (4, range(4, 5))


# ---------------------------------------------------------------- when it refuses


@pytest.mark.parametrize(("in_kafka", "recorded"), [(9, 3), (3, 9)])
def test_it_refuses_when_redis_has_forgotten_what_kafka_holds(in_kafka: int, recorded: int) -> None:
    with pytest.raises(BrokenSequence, match="Redis has lost data"):
        resume(Content(TOPIC, 0, in_kafka), published(recorded), 3)


def test_it_refuses_another_number_of_partitions() -> None:
    with pytest.raises(BrokenSequence, match=r"has 7 partitions and had 6.*delete the topic"):
        resume(Content(TopicIdentity("first", 7), 0, 7), published(7), 9, 8, 9)


def test_a_topic_that_is_created_anew_may_have_another_number_of_partitions() -> None:
    assert resume(Content(TopicIdentity("second", 12), 0, 0), published(7), 9, 1, 2).position == 0


@pytest.mark.parametrize("buffered", [(9,), ()])
def test_it_refuses_when_events_that_were_never_published_are_gone(buffered: tuple[int, ...]) -> None:
    with pytest.raises(BrokenSequence, match="where 8 is due"):
        resume(Content(TOPIC, 0, 7), published(7), 9, *buffered)


@pytest.mark.parametrize("sequences", [(9, 10), (8, 10), (8, 8), (7, 8)])
def test_it_refuses_an_outbox_with_a_gap_or_a_repeat(sequences: tuple[int, ...]) -> None:
    with pytest.raises(BrokenSequence):
        check_contiguous(entries(*sequences), 7)


def test_a_gapless_outbox_is_fine() -> None:
    check_contiguous(entries(8, 9, 10), 7)


# ---------------------------------------------------------------- what is committed, and how long it waits


class Sent:
    """The future of a record; without an offset, one that is never acknowledged."""

    def __init__(self, offset: int | None) -> None:
        self._offset = offset
        self.is_done = offset is not None

    def get(self, **_: Any) -> Any:
        if self._offset is None:
            raise KafkaTimeoutError("lost")
        return SimpleNamespace(offset=self._offset)


class Producer:
    """A producer whose records get these offsets. It commits whatever happened, as kafka-python does."""

    def __init__(self, *offsets: int | None) -> None:
        self.offsets = list(offsets)
        self.calls: list[str] = []
        self._sender = SimpleNamespace(wakeup=lambda: None)
        self._transaction_manager = self
        self.commits = True

    def init_transactions(self) -> None: ...

    def begin_transaction(self) -> None:
        self.calls.append("begin")

    def send(self, *_: Any, **__: Any) -> Sent:
        return Sent(self.offsets.pop(0))

    def begin_commit(self) -> Any:
        self.calls.append("commit")
        return SimpleNamespace(wait=lambda **_: self.commits)


class Admin:
    """An administrator's view of a topic that is created anew after some looks."""

    def __init__(self, looks: int) -> None:
        self._looks = looks

    def ensure(self) -> None: ...

    def close(self) -> None: ...

    def identity(self) -> TopicIdentity:
        self._looks -= 1
        return TOPIC if self._looks >= 0 else ANEW


def publisher(monkeypatch: pytest.MonkeyPatch, producer: Producer, looks: int = 1_000_000) -> Publisher:
    monkeypatch.setattr(kafka, "KafkaProducer", lambda **_: producer)
    monkeypatch.setattr(kafka, "Topic", lambda _: Admin(looks))
    return Publisher(Settings())


def test_a_batch_with_a_record_that_kafka_has_not_acknowledged_is_not_committed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    producer = Producer(0, None)
    monkeypatch.setattr(kafka, "_ACKNOWLEDGE_TIMEOUT_S", 0.01)
    with pytest.raises(KafkaTimeoutError):
        publisher(monkeypatch, producer).publish(entries(1, 2))
    assert producer.calls == ["begin"]


def test_nothing_is_committed_in_a_topic_that_was_created_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """kafka-python goes on in it as if nothing had happened: what came before would be missing there."""
    producer = Producer(0, 1, 0, 1)
    here = publisher(monkeypatch, producer, looks=2)
    here.publish(entries(1, 2))
    with pytest.raises(TopicChanged):
        here.publish(entries(3, 4))
    assert producer.calls == ["begin", "commit", "begin"]


def test_nothing_is_committed_in_a_log_that_went_back(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = Producer(5, 6, 3, 4)
    here = publisher(monkeypatch, producer)
    here.publish(entries(1, 2))
    with pytest.raises(TopicChanged):
        here.publish(entries(3, 4))
    assert producer.calls == ["begin", "commit", "begin"]


def test_a_commit_that_is_not_answered_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = Producer(0)
    producer.commits = False
    with pytest.raises(KafkaTimeoutError):
        publisher(monkeypatch, producer).publish(entries(1))


class SilentConsumer:
    """A consumer that gets nothing, as from a Kafka that is away."""

    def __init__(self, **_: Any) -> None: ...

    def assign(self, _: Any) -> None: ...

    def seek(self, *_: Any) -> None: ...

    def poll(self, **_: Any) -> dict[Any, Any]:
        return {}

    def position(self, *_: Any, **__: Any) -> None:
        return None


def test_the_search_for_the_newest_event_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "KafkaConsumer", SilentConsumer)
    monkeypatch.setattr(kafka, "_IDLE_TIMEOUT_S", 0.01)
    reader = kafka.Reader(Settings())
    with pytest.raises(KafkaTimeoutError, match="waiting for records"):
        newest_event(reader, TopicPartition("t", 0), "main", 0, 10)
