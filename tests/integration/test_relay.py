"""The relay between a real Redis and a real Kafka: what is lost of either, and what then comes out of the topic."""

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaTimeoutError
from prometheus_client import REGISTRY

from app.contract import metrics
from app.domain import NewPlayer, Side, Trade
from app.relay import topic as kafka
from app.relay.lag import show_lag
from app.relay.loop import BrokenSequence, Relay
from app.relay.topic import Publisher, topic_config
from app.settings import Settings
from app.store import Store
from app.store.client import connect
from app.store.keys import Keys
from app.store.outbox import Outbox
from tests.conftest import settings_of, wait_until
from tests.economy import ECONOMY
from tests.kafka import Kafka

TIMEOUT_S = 60


@pytest.fixture
def settings(redis_server: Any, kafka_server: Kafka) -> Settings:
    """A realm and a topic of its own."""
    own = settings_of(redis_server)
    return replace(own, kafka_bootstrap_servers=kafka_server.bootstrap_servers, kafka_topic=own.realm)


class Game:
    """Commands of a realm, and what Redis says of their events."""

    def __init__(self, settings: Settings) -> None:
        self.redis: Any = connect(settings)
        self.keys = Keys(settings.realm)
        self._store = Store(self.redis, settings, ECONOMY)
        self._ended = threading.Event()

    def play(self, events: int) -> None:
        """So many events; the first of all publishes the catalog."""
        if not self.decided:
            self._store.is_full()
            events -= 1
        for _ in range(events):
            self._store.players.create(NewPlayer("farmer"))

    @contextlib.contextmanager
    def going_on(self) -> Iterator[None]:
        """Some hundred commands a second."""
        with ThreadPoolExecutor(1) as pool:
            playing = pool.submit(self._play_until_ended)
            try:
                yield
            finally:
                self._ended.set()
                playing.result()

    def _play_until_ended(self) -> None:
        while not self._ended.is_set():
            self.play(2)
            time.sleep(0.005)

    @property
    def decided(self) -> int:
        return int(self.redis.get(self.keys.sequence) or 0)

    def has_published(self, sequence: int) -> bool:
        return self.published >= sequence

    @property
    def published(self) -> int:
        return int(self.redis.get(self.keys.published) or 0)


@pytest.fixture
def game(settings: Settings) -> Game:
    return Game(settings)


@contextlib.contextmanager
def relaying(settings: Settings) -> Iterator[Relay]:
    """A relay at work; raises what ended it."""
    relay = Relay(settings, Outbox(connect(settings), settings.realm, settings.outbox_keep_events))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(relay.run)
        try:
            yield relay
        finally:
            relay.stop()
            running.result(timeout=TIMEOUT_S)


def reached(relay: Relay, sequence: int) -> bool:
    return (relay.position or 0) >= sequence


def relay_all(settings: Settings, game: Game) -> None:
    with relaying(settings) as relay:
        wait_until(lambda: relay.position == game.decided, TIMEOUT_S)


def sequences(server: Kafka, settings: Settings) -> list[int]:
    return [json.loads(record.value)["sequence"] for record in server.records(settings.kafka_topic)]


def up_to(last: int, first: int = 1) -> list[int]:
    return list(range(first, last + 1))


def create(server: Kafka, settings: Settings, **config: str) -> None:
    topic = NewTopic(settings.kafka_topic, settings.kafka_partitions, 1, topic_configs=config)
    server.ask(lambda admin: admin.create_topics([topic], wait_for_metadata=True))


def delete(server: Kafka, settings: Settings) -> None:
    server.ask(lambda admin: admin.delete_topics([settings.kafka_topic]))


def delete_and_create(server: Kafka, settings: Settings) -> None:
    delete(server, settings)
    create(server, settings)


def delete_and_create_smaller(server: Kafka, settings: Settings) -> None:
    delete(server, settings)
    create(server, replace(settings, kafka_partitions=1))


def log_of(caplog: pytest.LogCaptureFixture, message: str) -> list[dict[str, Any]]:
    return [vars(record)["context"] for record in caplog.records if record.getMessage() == message]


# ---------------------------------------------------------------- a topic that is lost


@pytest.mark.parametrize("lose", [delete, delete_and_create, delete_and_create_smaller])
def test_a_topic_deleted_under_load_is_filled_again(
    kafka_server: Kafka, settings: Settings, game: Game, lose: Callable[[Kafka, Settings], None]
) -> None:
    with relaying(settings) as relay:
        with game.going_on():
            for published in (200, 500):
                wait_until(partial(game.has_published, published), TIMEOUT_S)
                lose(kafka_server, settings)
                wait_until(partial(reached, relay, game.decided), TIMEOUT_S)
        wait_until(lambda: relay.position == game.decided, TIMEOUT_S)
    assert sequences(kafka_server, settings) == up_to(game.decided)


def test_a_topic_deleted_while_nothing_is_played_is_filled_again(
    kafka_server: Kafka, settings: Settings, game: Game
) -> None:
    game.play(20)
    with relaying(settings) as relay:
        wait_until(lambda: relay.position == 20, TIMEOUT_S)
        delete(kafka_server, settings)
        wait_until(lambda: relay.position != 20, TIMEOUT_S)
        wait_until(lambda: relay.position == 20, TIMEOUT_S)
    assert sequences(kafka_server, settings) == up_to(20)


def test_a_refill_that_is_interrupted_goes_on(kafka_server: Kafka, settings: Settings, game: Game) -> None:
    game.play(300)
    relay_all(settings, game)
    delete(kafka_server, settings)
    for _ in range(3):
        with relaying(replace(settings, relay_batch_max_events=20)) as relay:
            wait_until(lambda: relay.position, TIMEOUT_S)
            assert game.published == 300
    relay_all(settings, game)
    assert sequences(kafka_server, settings) == up_to(300)


def test_what_the_outbox_no_longer_keeps_is_named(
    kafka_server: Kafka, settings: Settings, game: Game, caplog: pytest.LogCaptureFixture
) -> None:
    game.play(300)
    short = replace(settings, outbox_keep_events=100)
    relay_all(short, game)
    delete(kafka_server, settings)
    game.play(10)
    with caplog.at_level(logging.WARNING):
        relay_all(short, game)
    assert sequences(kafka_server, settings) == up_to(310, first=201)
    (named,) = log_of(caplog, "the topic lacks events that the outbox no longer has")
    assert (named["first"], named["last"]) == (1, 200)


def test_with_an_empty_outbox_a_lost_topic_leaves_what_was_published_as_it_was(
    kafka_server: Kafka, settings: Settings, game: Game
) -> None:
    """Once, it became 0: a million events later every command was refused for ever."""
    keeps_nothing = replace(settings, outbox_keep_events=0)
    game.play(50)
    relay_all(keeps_nothing, game)
    assert game.redis.xlen(game.keys.outbox) == 0
    delete(kafka_server, settings)
    relay_all(keeps_nothing, game)
    assert game.published == 50
    game.play(5)
    relay_all(keeps_nothing, game)
    assert (sequences(kafka_server, settings), game.published) == (up_to(55, first=51), 55)


def test_events_that_have_expired_are_not_published_again(kafka_server: Kafka, settings: Settings, game: Game) -> None:
    game.play(50)
    relay_all(settings, game)
    partition = TopicPartition(settings.kafka_topic, kafka.realm_partition(settings.realm, settings.kafka_partitions))
    kafka_server.ask(lambda admin: admin.delete_records({partition: -1}))
    relay_all(settings, game)
    game.play(5)
    relay_all(settings, game)
    assert (sequences(kafka_server, settings), game.published) == (up_to(55, first=51), 55)


# ---------------------------------------------------------------- a broker that is lost


@pytest.mark.long
def test_kill_9_of_the_broker_under_load_loses_and_doubles_nothing(
    kafka_server: Kafka, settings: Settings, game: Game
) -> None:
    with relaying(settings) as relay:
        with game.going_on():
            for _ in range(2):
                wait_until(partial(game.has_published, game.published + 100), TIMEOUT_S)
                kafka_server.kill()
                kafka_server.start()
        wait_until(lambda: relay.position == game.decided, TIMEOUT_S)
    assert sequences(kafka_server, settings) == up_to(game.decided)


def test_a_broker_that_answers_nothing_is_given_up_and_loses_and_doubles_nothing(
    kafka_server: Kafka,
    settings: Settings,
    game: Game,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in ("_ACKNOWLEDGE_TIMEOUT_S", "_COMMIT_TIMEOUT_S", "_IDLE_TIMEOUT_S", "_CLOSE_TIMEOUT_S"):
        monkeypatch.setattr(kafka, name, 2)
    for name in ("_CONNECT_TIMEOUT_MS", "_REQUEST_TIMEOUT_MS", "_BLOCK_TIMEOUT_MS"):
        monkeypatch.setattr(kafka, name, 1_500)
    with relaying(settings) as relay:
        with game.going_on():
            wait_until(lambda: game.published > 100, TIMEOUT_S)
            with kafka_server.frozen():
                wait_until(lambda: len(log_of(caplog, "relay waits for a server")) >= 3, 30)
        wait_until(lambda: relay.position == game.decided, TIMEOUT_S)
    assert sequences(kafka_server, settings) == up_to(game.decided)


def test_events_behind_another_realms_open_transaction_are_found(
    kafka_server: Kafka, settings: Settings, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `read_committed` reader sees nothing behind it: they would be taken for lost, and published again."""
    crowded = replace(settings, kafka_partitions=1)
    monkeypatch.setattr(kafka, "_SETTLE_TIMEOUT_S", 0.5)
    with relaying(crowded) as relay, contextlib.ExitStack() as another:
        game.play(5)
        wait_until(lambda: relay.position == 5, TIMEOUT_S)
        another.enter_context(open_transaction(crowded))
        game.play(5)
        wait_until(lambda: relay.position == 10, TIMEOUT_S)
        relay.stop()
        with contextlib.closing(Publisher(crowded)) as publisher:
            with pytest.raises(KafkaTimeoutError, match="open transaction"):
                publisher.content()
            another.close()
            assert publisher.content().newest == 10


@contextlib.contextmanager
def open_transaction(settings: Settings) -> Iterator[None]:
    """Another realm's, in the same partition, with a record in it."""
    producer: Any = KafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers, transactional_id=f"another-{settings.realm}"
    )
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(settings.kafka_topic, key=b"another", value=b"{}", partition=0).get(timeout=TIMEOUT_S)
    try:
        yield
    finally:
        producer.abort_transaction()
        producer.close()


# ---------------------------------------------------------------- how the topic is


def test_another_number_of_partitions_is_refused_while_running_and_at_the_start(
    kafka_server: Kafka, settings: Settings, game: Game
) -> None:
    game.play(20)
    with pytest.raises(BrokenSequence, match="has 7 partitions and had 6"), relaying(settings) as relay:
        wait_until(lambda: relay.position == 20, TIMEOUT_S)
        kafka_server.ask(lambda admin: admin.create_partitions({settings.kafka_topic: 7}))
        time.sleep(5)
    with pytest.raises(BrokenSequence, match="delete the topic"), relaying(settings):
        time.sleep(3)


def test_an_existing_topic_gets_flushes_and_bounds(kafka_server: Kafka, settings: Settings) -> None:
    own = {"max.message.bytes": "2000000"}
    create(kafka_server, settings, **own)
    Publisher(settings).close()
    wait_until(lambda: own_config(settings) == {**topic_config(settings), **own})
    unbounded = replace(settings, kafka_retention_bytes=0, kafka_retention_hours=0)
    segment_ms = topic_config(settings)["segment.ms"]
    Publisher(unbounded).close()
    wait_until(lambda: own_config(settings) == {"flush.messages": "1", "segment.ms": segment_ms, **own})


def test_a_new_topic_has_flushes_and_bounds(settings: Settings) -> None:
    Publisher(settings).close()
    assert own_config(settings) == topic_config(settings)


def own_config(settings: Settings) -> dict[str, str]:
    with contextlib.closing(kafka.Topic(settings)) as topic:
        return topic.own_config()


# ---------------------------------------------------------------- the outbox, and what is said of it


def test_the_outbox_keeps_the_newest_published_events_and_they_do_not_count_as_waiting(
    settings: Settings, game: Game
) -> None:
    outbox, store = Outbox(game.redis, settings.realm, keep_events=10), Store(game.redis, settings)
    game.play(30)
    outbox.advance(25, "topic", 6)
    assert [entry.sequence for entry in outbox.read(0, 100)] == up_to(30, first=16)
    assert (store.backlog().events, outbox.first_after(25)) == (5, 26)
    assert store.backlog().age_s > 0
    outbox.advance(30, "topic", 6)
    assert store.backlog()[:2] == (0, 0.0)
    assert outbox.backlog(27).events == 3
    outbox.advance(20, "topic", 6)
    assert outbox.published() == (30, "topic", 6)


def test_a_batch_is_bounded_though_an_entry_holds_the_events_of_a_whole_call(settings: Settings, game: Game) -> None:
    """Once, 256 entries of 128 events each were one transaction."""
    outbox, store = Outbox(game.redis, settings.realm), Store(game.redis, settings)
    for call in range(20):
        store.trades.decide_each([Trade(f"{call}-{number}", Side(1, 0, {}), Side(2, 0, {})) for number in range(100)])
    position = 0
    while found := outbox.read(position, 150):
        assert len(found) < 250
        assert [entry.sequence for entry in found] == up_to(found[-1].sequence, first=position + 1)
        position = found[-1].sequence
    assert position == 2_000


def test_lag_is_shown_while_kafka_is_away(kafka_server: Kafka, settings: Settings, game: Game) -> None:
    def lag() -> tuple[float | None, float | None]:
        labels = {"stage": metrics.Stage.OUTBOX, "realm": settings.realm}
        events, seconds = (
            REGISTRY.get_sample_value(name, labels) for name in (metrics.LAG_EVENTS, metrics.LAG_SECONDS)
        )
        return events, seconds

    with relaying(settings) as relay:
        outbox = Outbox(game.redis, settings.realm)

        def show() -> None:
            while True:
                show_lag(relay.position, outbox, settings.realm)
                time.sleep(0.1)

        threading.Thread(target=show, daemon=True).start()
        game.play(10)
        wait_until(lambda: relay.position == 10, TIMEOUT_S)
        wait_until(lambda: lag() == (0, 0), 2)
        kafka_server.kill()
        game.play(7)
        try:
            wait_until(lambda: lag()[0] == 7, 2)
            wait_until(lambda: (lag()[1] or 0) > 2, 4)
        finally:
            kafka_server.start()
        wait_until(lambda: lag() == (0, 0), TIMEOUT_S)
