"""The relay: moves a realm's events from the outbox in Redis to Kafka, in order, each exactly once.

One process per realm (`python -m app.entrypoints.relay`); a second one fences the first by the transactional id.
What was published is read from Kafka itself when a publisher starts, so a crash between Kafka's commit and the
trim of the outbox leads to no duplicate, and a batch that was not committed is published again.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence

from kafka.errors import KafkaError, ProducerFencedError
from prometheus_client import Counter, Gauge, Histogram, start_http_server
from redis.exceptions import RedisError

from app.adapters import kafka, redis
from app.adapters.kafka import Publisher, ensure_topic, last_published
from app.adapters.redis import Outbox, OutboxEntry, Store, connect
from app.errors import HaggleError, Unavailable
from app.logs import configure_logs
from app.settings import Settings, load_settings

_log = logging.getLogger(__name__)
_BLOCK_MS = 500
_FIRST_BACKOFF_S = 0.2
_LONGEST_BACKOFF_S = 10.0
_EXPIRE_AT_ONCE = 100
_EXPIRE_INTERVAL_S = 1.0

PUBLISHED = Counter("haggle_relay_events_published", "Events that Kafka has committed")
SEQUENCE = Gauge("haggle_relay_sequence", "Newest sequence number that Kafka has committed")
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
        self._position = 0

    def stop(self) -> None:
        """Ends `run` after the batch under way."""
        self._stopped.set()

    def run(self) -> None:
        """Publishes until stopped; after a failure of Redis or Kafka it starts anew, with backoff."""
        backoff_s = _FIRST_BACKOFF_S
        while not self._stopped.is_set():
            before = self._position
            try:
                self._publish_until_stopped()
            except ProducerFencedError:
                raise
            except (KafkaError, RedisError) as error:
                FAILURES.labels(type(error).__name__).inc()
                backoff_s = _FIRST_BACKOFF_S if self._position > before else min(2 * backoff_s, _LONGEST_BACKOFF_S)
                context = {"detail": self._advice(error), "error": repr(error), "retry_in_s": backoff_s}
                _log.warning("relay waits for a server", extra={"context": context})
                self._stopped.wait(backoff_s)

    def _advice(self, error: KafkaError | RedisError) -> str:
        return redis.advice(self._settings, error) if isinstance(error, RedisError) else kafka.advice(self._settings)

    def _publish_until_stopped(self) -> None:
        ensure_topic(self._settings)
        publisher = Publisher(self._settings)
        try:
            self._move_to(self._reconcile(last_published(self._settings)))
            UP.set(1)
            _log.info("relay started", extra={"context": {"sequence": self._position}})
            while not self._stopped.is_set():
                started = time.monotonic()
                if self._publish_batch(publisher) < self._settings.relay_batch_max_events:
                    self._stopped.wait(started + self._settings.relay_interval_s - time.monotonic())
        finally:
            UP.set(0)
            publisher.close()

    def _move_to(self, position: int) -> None:
        self._position = position
        SEQUENCE.set(position)

    def _reconcile(self, published: int) -> int:
        """Forgets what Kafka already has and returns where to go on; raises BrokenSequence on a mismatch."""
        position = position_of(published, self._outbox.newest(), self._outbox.read(published, 1))
        self._outbox.trim(position)
        return position

    def _publish_batch(self, publisher: Publisher) -> int:
        """Publishes what waits, one batch at most; returns how many events it was."""
        entries = self._outbox.read(self._position, self._settings.relay_batch_max_events, _BLOCK_MS)
        if not entries:
            return 0
        check_contiguous(entries, self._position)
        with TRANSACTION.time():
            publisher.publish(entries)
        PUBLISHED.inc(len(entries))
        self._move_to(entries[-1].sequence)
        self._outbox.trim(self._position)
        return len(entries)


def position_of(published: int, newest: int, waiting: Sequence[OutboxEntry]) -> int:
    """Where to go on: after `published` (newest in Kafka), given the `newest` in Redis and the first one waiting.

    An empty topic that once held events (its retention is over) starts where the outbox does.
    """
    if published > newest:
        raise BrokenSequence(
            f"Kafka holds event {published} but Redis has only come to {newest}: Redis has lost data or was reset. "
            "Restore it, or start a new realm."
        )
    if published == 0 and waiting:
        return waiting[0].sequence - 1
    return published


def check_contiguous(entries: Sequence[OutboxEntry], position: int) -> None:
    """Raises BrokenSequence unless the entries go on right after `position`, without a gap."""
    expected = range(position + 1, position + 1 + len(entries))
    for entry, sequence in zip(entries, expected, strict=True):
        if entry.sequence != sequence:
            raise BrokenSequence(
                f"the outbox goes on with event {entry.sequence} where {sequence} is due: entries were removed by "
                "something other than the relay. Restore Redis, or start a new realm."
            )


def expire_offers(store: Store) -> None:
    """Ends offers whose time is over, for as long as the process runs; the engine ends those that it comes upon."""
    while True:
        try:
            while store.expire_offers(_EXPIRE_AT_ONCE) == _EXPIRE_AT_ONCE:
                pass
        except Unavailable as error:
            _log.warning("offers cannot expire now", extra={"context": {"error": str(error)}})
        time.sleep(_EXPIRE_INTERVAL_S)


def main() -> None:
    """The composition root of the relay."""
    settings = load_settings(os.environ)
    configure_logs(settings.log_level)
    start_http_server(settings.relay_metrics_port, settings.listen_host)
    client = connect(settings)
    relay = Relay(settings, Outbox(client, settings.realm))
    threading.Thread(target=expire_offers, args=(Store(client, settings),), name="expire-offers", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: relay.stop())
    try:
        relay.run()
    except ProducerFencedError:
        _log.error("another relay of this realm has taken over")
        sys.exit(1)
    except BrokenSequence as error:
        _log.error("relay refuses to go on", extra={"context": {"error": str(error)}})
        sys.exit(1)


if __name__ == "__main__":
    main()
