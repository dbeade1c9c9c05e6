"""The relay: moves a realm's events from the outbox in Redis to Kafka, in order, each exactly once.

One process per realm (`python -m app.relay`); a second one fences the first by the transactional id.
What was published is read from Kafka itself when a publisher starts, so a crash between Kafka's commit and the
record of it in Redis leads to no duplicate, and a batch that was not committed is published again. A topic that was
lost is created anew and filled from the newest published events, which the outbox keeps.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from kafka.errors import KafkaError, ProducerFencedError
from prometheus_client import Counter, Gauge, Histogram
from redis.exceptions import RedisError

from app.contract.metrics import RELAY_SEQUENCE
from app.errors import HaggleError
from app.relay import topic
from app.relay.topic import Content, Publisher, TopicChanged, TopicIdentity
from app.settings import Settings
from app.store import client
from app.store.outbox import Outbox, OutboxEvent, Published

_log = logging.getLogger(__name__)
_BLOCK_MS = 500
_FIRST_BACKOFF_S = 0.2
_LONGEST_BACKOFF_S = 10.0
_LOOK_INTERVAL_S = 2.0

PUBLISHED = Counter("haggle_relay_events_published", "Events that Kafka has committed")
SEQUENCE = Gauge(RELAY_SEQUENCE, "Newest sequence number that Kafka has committed")
UP = Gauge("haggle_relay_up", "1 while events are published, 0 while a server is away")
FAILURES = Counter("haggle_relay_failures", "Times the relay had to start anew, by what failed", ["error"])
TRANSACTION = Histogram("haggle_relay_transaction_seconds", "Time to publish one batch")


class BrokenSequence(HaggleError):
    """Outbox and topic do not fit together; going on would leave a gap or a duplicate."""


class Relay:
    """The loop from outbox to Kafka. `stop` may be called from a signal handler."""

    def __init__(self, settings: Settings, outbox: Outbox) -> None:
        self._settings = settings
        self._outbox = outbox
        self._stopped = threading.Event()
        self.position: int | None = None
        """Kafka holds the events up to this one; None before the first look."""
        self._ahead: list[OutboxEvent] = []
        self._waits_for = "the first look at Kafka"

    def stop(self) -> None:
        """Ends `run` after the batch under way."""
        self._stopped.set()

    def readiness(self) -> dict[str, Any]:
        """What /readyz says: events are published, or what the relay waits for."""
        return {"ready": not self._waits_for, "detail": self._waits_for, "sequence": self.position}

    def run(self) -> None:
        """Publishes until stopped; after a failure of Redis or Kafka it starts anew, with backoff."""
        backoff_s = _FIRST_BACKOFF_S
        while not self._stopped.is_set():
            before = self.position
            try:
                self._publish_until_stopped()
            except ProducerFencedError:
                raise
            except (KafkaError, RedisError) as error:
                FAILURES.labels(type(error).__name__).inc()
                backoff_s = _FIRST_BACKOFF_S if self.position != before else min(2 * backoff_s, _LONGEST_BACKOFF_S)
                self._waits_for = self._advice(error)
                context = {"detail": self._waits_for, "error": repr(error), "retry_in_s": backoff_s}
                _log.warning("relay waits for a server", extra={"context": context})
                self._stopped.wait(backoff_s)

    def _advice(self, error: KafkaError | RedisError) -> str:
        if isinstance(error, TopicChanged):
            return "the topic is not the one that was published to; what it lacks is published again"
        return client.advice(self._settings, error) if isinstance(error, RedisError) else topic.advice(self._settings)

    def _publish_until_stopped(self) -> None:
        publisher = Publisher(self._settings)
        try:
            self._reconcile(publisher)
            UP.set(1)
            self._waits_for = ""
            _log.info("relay started", extra={"context": {"sequence": self.position}})
            self._publish_batches(publisher)
        finally:
            UP.set(0)
            publisher.close()

    def _publish_batches(self, publisher: Publisher) -> None:
        looked_at = time.monotonic()
        while not self._stopped.is_set():
            started = time.monotonic()
            published = self._publish_batch(publisher)
            if published:
                looked_at = time.monotonic()
            elif time.monotonic() > looked_at + _LOOK_INTERVAL_S:
                publisher.check_topic()
                looked_at = time.monotonic()
            if published < self._settings.relay_batch_max_events:
                self._stopped.wait(started + self._settings.relay_interval_s - time.monotonic())

    def _move_to(self, position: int, topic: TopicIdentity) -> None:
        self._outbox.advance(position, *topic)
        self.position = position
        SEQUENCE.set(position)

    def _reconcile(self, publisher: Publisher) -> None:
        """Finds where to go on, and says so if that is not simply where it ended."""
        content = publisher.content()
        published = self._outbox.published()
        found = resume_after(content, published, self._outbox.newest(), self._outbox.first_after)
        if found.position < published.sequence:
            context = {"first": found.position + 1, "last": published.sequence, "topic_id": content.topic.topic_id}
            _log.warning("the topic lacks events that it had: they are published again", extra={"context": context})
        if found.missing:
            context = {"first": found.missing[0], "last": found.missing[-1], "topic_id": content.topic.topic_id}
            context["detail"] = "the outbox keeps OUTBOX_KEEP_EVENTS; `haggle audit` says whether the tables have them"
            _log.warning("the topic lacks events that the outbox no longer has", extra={"context": context})
        self.position = found.position
        self._ahead = []
        SEQUENCE.set(found.position)
        if content.newest:
            self._outbox.advance(content.newest, *content.topic)

    def _publish_batch(self, publisher: Publisher) -> int:
        """Publishes what waits, one batch at most; returns how many events it was."""
        assert self.position is not None
        events = self._ahead or self._outbox.read(self.position, self._settings.relay_batch_max_events, _BLOCK_MS)
        self._ahead = []
        if not events:
            return 0
        check_contiguous(events, self.position)
        with TRANSACTION.time():
            publisher.publish(events, partial(self._read_ahead, events))
        PUBLISHED.inc(len(events))
        self._move_to(events[-1].sequence, publisher.topic)
        return len(events)

    def _read_ahead(self, events: Sequence[OutboxEvent]) -> None:
        """Reads what comes after a full batch. After another one, what comes until the next is to go with it."""
        if len(events) >= self._settings.relay_batch_max_events:
            self._ahead = self._outbox.read(events[-1].sequence, self._settings.relay_batch_max_events)


class Resume(NamedTuple):
    """Where to go on, and which events cannot be published though the topic lacks them."""

    position: int
    missing: range


def resume_after(
    content: Content, published: Published, newest: int, first_after: Callable[[int], int | None]
) -> Resume:
    """Where to go on, given what the topic holds, what Redis recorded, and its `newest` event.

    `first_after` gives the first event of the outbox above a position, or None. The topic itself says what it holds.
    One that holds nothing of the realm is filled again from the outbox, unless its events have merely expired: then
    it is still the one that was published to, and records were removed from its beginning.
    """
    check_partitions(content.topic, published)
    if max(content.newest, published.sequence) > newest:
        raise BrokenSequence(
            f"Kafka holds event {max(content.newest, published.sequence)} but Redis has only come to {newest}: Redis "
            "has lost data or was reset. Restore it, or start a new realm."
        )
    has_expired = content.first_offset > 0 and published.topic_id in ("", content.topic.topic_id)
    start = content.newest or (published.sequence if has_expired else 0)
    following = first_after(start) or newest + 1
    if following > max(start, published.sequence) + 1:
        raise BrokenSequence(_removed(following, max(start, published.sequence) + 1))
    return Resume(following - 1, range(start + 1, following))


def check_partitions(topic: TopicIdentity, published: Published) -> None:
    """Raises BrokenSequence if the topic has another number of partitions than when the realm's events went there."""
    if topic.topic_id == published.topic_id and topic.partitions != published.partitions:
        raise BrokenSequence(
            f"the topic has {topic.partitions} partitions and had {published.partitions}: the realm's events would go "
            f"on in another one, out of order. When the tables hold event {published.sequence} (see `haggle status`), "
            "delete the topic: it is created with KAFKA_PARTITIONS and filled again from the outbox."
        )


def check_contiguous(events: Sequence[OutboxEvent], position: int) -> None:
    """Raises BrokenSequence unless the events go on right after `position`, without a gap."""
    expected = range(position + 1, position + 1 + len(events))
    for event, sequence in zip(events, expected, strict=True):
        if event.sequence != sequence:
            raise BrokenSequence(_removed(event.sequence, sequence))


def _removed(found: int, due: int) -> str:
    return (
        f"the outbox goes on with event {found} where {due} is due: entries were removed by something other than the "
        "relay. Restore Redis, or start a new realm."
    )
