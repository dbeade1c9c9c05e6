"""The audit: proves that every decision is in Redis, Kafka and the tables, each once, and that balances agree.

Called by `haggle audit`, the demo and the tests. It asks the engine over HTTP (what Redis holds), reads the topic
`read_committed`, and asks Trino. While trades go on, balances cannot be compared: it waits for a quiet moment.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from app.contract.economy import CLASSES
from app.contract.events import decode_event
from app.errors import HaggleError
from app.settings import Settings
from jobs import engine
from jobs.lake.trino import Lake, parameters_of

GOLD: Final = 0
"""Stands for gold where balances are listed by item_id."""

_PAGE: Final = 1_000
_TIMEOUT_S: Final = 10
_POLL_S: Final = 1.0

Balances = dict[tuple[int, int], int]
"""Amount by (player_id, item_id); GOLD stands for gold. What is zero is left out."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked, and what was seen."""

    name: str
    ok: bool
    seen: str


@dataclass(frozen=True, slots=True)
class Head:
    """What the engine says of its realm: the newest sequence number, and how many events wait for Kafka."""

    sequence: int
    outbox_entries: int


def audit(settings: Settings) -> list[Check]:
    """All checks of the realm. Raises HaggleError when a server does not answer."""
    lake = Lake(settings)
    for _ in range(5):
        before = read_head(settings)
        checks = [_check_outbox(before), _check_kafka(settings, before.sequence)]
        checks += _check_tables(lake, settings, before)
        owned, held = _read_balances(settings)
        compared = [
            _check_equal("balances", owned, _replay(lake, "audit/balances", settings.realm)),
            _check_equal("held by offers", held, _replay(lake, "audit/holds", settings.realm)),
            _check_conservation(lake, settings.realm, owned),
        ]
        if read_head(settings).sequence == before.sequence:
            return [*checks, *compared]
    quiet = Check("balances", ok=False, seen="trades go on: balances can be compared only while none is decided")
    return [*checks, quiet]


def wait_until_queryable(settings: Settings, timeout_s: float, progress: Callable[[int, int], None]) -> int:
    """Waits until every event decided so far is in the tables; returns their number. Raises HaggleError at timeout.

    Calls `progress(events in the tables, events decided)` after each look.
    """
    lake = Lake(settings)
    deadline = time.monotonic() + timeout_s
    while True:
        decided = read_head(settings).sequence
        try:
            arrived, due = _arrived(lake, settings.realm)
        except HaggleError:  # the tables are not there before the first start of the streams
            arrived, due = 0, True
        progress(arrived, decided)
        if arrived >= decided and not due:
            return decided
        if time.monotonic() > deadline:
            raise HaggleError(
                f"after {timeout_s:.0f} s the tables hold {arrived:,} of {decided:,} events; "
                "see `haggle status` and the logs of relay and streams"
            )
        time.sleep(_POLL_S)


def read_head(settings: Settings) -> Head:
    """What the engine's /readyz says."""
    answer = engine.get(settings, "/readyz")
    return Head(answer["sequence"], answer["outbox_entries"])


def _arrived(lake: Lake, realm: str) -> tuple[int, bool]:
    """Events in the tables, and whether lines, states or accepted offers of some are still on their way."""
    (row,) = lake.ask("audit/sequences", parameters_of("audit/sequences", realm)).records()
    (rest,) = lake.ask("audit/lines_and_states", parameters_of("audit/lines_and_states", realm)).records()
    return row["events"], any(rest[name] < rest[f"due_{name}"] for name in ("lines", "states", "accepted_offers"))


def _check_outbox(head: Head) -> Check:
    return Check("outbox", head.outbox_entries == 0, f"{head.outbox_entries:,} events wait for Kafka")


def _check_kafka(settings: Settings, last: int) -> Check:
    try:
        sequences = list(_read_sequences(settings))
    except KafkaError as error:
        raise HaggleError(f"Kafka at {settings.kafka_bootstrap_servers} does not answer: {error!r}") from error
    first, newest = (sequences[0], sequences[-1]) if sequences else (1, 0)
    seen = f"{len(sequences):,} committed events, {first:,} to {newest:,}, in order, each once"
    ok = sequences == list(range(first, last + 1))
    return Check("kafka", ok, seen if ok else _first_break(sequences, last))


def _first_break(sequences: list[int], last: int) -> str:
    for before, after in itertools.pairwise(sequences):
        if after != before + 1:
            return f"event {after:,} follows event {before:,}"
    return f"the topic ends with event {sequences[-1] if sequences else 0:,} of {last:,}"


def _read_sequences(settings: Settings) -> Iterator[int]:
    """Sequence numbers of the realm's valid committed events, partition after partition, in the topic's order."""
    consumer = KafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers.split(","),
        bootstrap_timeout_ms=_TIMEOUT_S * 1_000,
        isolation_level="read_committed",
        enable_auto_commit=False,
        max_poll_records=10_000,
    )
    try:
        for number in sorted(consumer.partitions_for_topic(settings.kafka_topic) or ()):
            partition = TopicPartition(settings.kafka_topic, number)
            yield from _read_partition(consumer, partition, settings.realm)
    finally:
        consumer.close()


def _read_partition(consumer: Any, partition: TopicPartition, realm: str) -> Iterator[int]:
    consumer.assign([partition])
    end = consumer.end_offsets([partition])[partition]
    consumer.seek_to_beginning(partition)
    deadline = time.monotonic() + 60
    while consumer.position(partition) < end:
        for record in consumer.poll(timeout_ms=500).get(partition, []):
            if record.key == realm.encode():
                yield from _sequence_of(record.value)
                deadline = time.monotonic() + 60
        if time.monotonic() > deadline:
            raise HaggleError(f"Kafka gave nothing of {partition} for 60 s")


def _sequence_of(value: bytes | None) -> Iterator[int]:
    try:
        yield decode_event(value or b"").sequence
    except msgspec.DecodeError:  # a dead letter, which has a check of its own
        return


def _check_tables(lake: Lake, settings: Settings, head: Head) -> Iterable[Check]:
    (row,) = lake.ask("audit/sequences", parameters_of("audit/sequences", settings.realm)).records()
    due = (head.sequence, head.sequence, min(1, head.sequence), head.sequence)
    seen = f"{row['events']:,} events, {row['different']:,} different, "
    seen += f"{row['first_sequence']:,} to {row['last_sequence']:,}; {head.sequence:,} were decided"
    yield Check("tables: events", tuple(row.values()) == due, seen)
    (row,) = lake.ask("audit/lines_and_states", parameters_of("audit/lines_and_states", settings.realm)).records()
    lines_ok = row["lines"] == row["different_lines"] == row["due_lines"]
    seen = f"{row['lines']:,} lines, {row['different_lines']:,} different, {row['due_lines']:,} due"
    yield Check("tables: lines", lines_ok, seen)
    states_ok = row["states"] == row["different_states"] == row["last_versions"] == row["due_states"]
    yield Check("tables: states", states_ok, f"{row['states']:,} states, versions gapless, {row['due_states']:,} due")
    offers_ok = row["accepted_offers"] == row["different_accepted_offers"] == row["due_accepted_offers"]
    seen = f"{row['accepted_offers']:,} accepted, {row['due_accepted_offers']:,} due"
    yield Check("tables: offers", offers_ok, seen)
    (row,) = lake.ask("audit/dead_letters", (settings.kafka_topic,)).records()
    dead_ok = row["dead_letters"] == row["different"]
    yield Check("dead letters", dead_ok, f"{row['dead_letters']:,} records that are not valid events, each kept once")


def _read_balances(settings: Settings) -> tuple[Balances, Balances]:
    """What Redis says, through the engine, that players own, and what of it their open offers hold."""
    owned: Balances = {}
    held: Balances = {}
    for player in _players(settings):
        owned |= _balances(player["player_id"], player["gold"], player["inventory"]["items"])
        if in_escrow := player.get("held"):
            held |= _balances(player["player_id"], in_escrow["gold"], in_escrow["items"])
    return owned, held


def _players(settings: Settings) -> Iterator[dict[str, Any]]:
    cursor: int | None = 0
    while cursor is not None:
        page = engine.get(settings, f"/v1/players?cursor={cursor}&limit={_PAGE}")
        cursor = page["next_cursor"]
        yield from page["players"]


def _balances(player_id: int, gold: int, items: list[dict[str, int]]) -> Balances:
    amounts = {(player_id, item["item_id"]): item["quantity"] for item in items}
    return amounts | ({(player_id, GOLD): gold} if gold else {})


def _replay(lake: Lake, name: str, realm: str) -> Balances:
    rows = lake.ask(name, parameters_of(name, realm)).rows
    return {(player_id, item_id): amount for player_id, item_id, amount in rows}


def _check_equal(name: str, in_redis: Balances, replayed: Balances) -> Check:
    different = sorted(key for key in in_redis.keys() | replayed.keys() if in_redis.get(key) != replayed.get(key))
    players = len({player_id for player_id, _ in in_redis})
    if not different:
        seen = f"{len(in_redis):,} amounts of {players:,} players, replayed in Trino, equal Redis"
        return Check(name, ok=True, seen=seen)
    player_id, item_id = different[0]
    what = "gold" if item_id == GOLD else f"item {item_id}"
    seen = f"{len(different):,} differ; player {player_id}'s {what}: {in_redis.get(different[0], 0):,} in Redis, "
    return Check(name, ok=False, seen=seen + f"{replayed.get(different[0], 0):,} replayed")


def _check_conservation(lake: Lake, realm: str, owned: Balances) -> Check:
    """Σ created = Σ held, for gold and every item; what was created follows from the classes."""
    created: dict[int, int] = {}
    for player_class, players in lake.ask("audit/created", (realm,)).rows:
        start = CLASSES[player_class]
        for item_id, amount in [(GOLD, start.gold), *start.items.items()]:
            created[item_id] = created.get(item_id, 0) + players * amount
    total: dict[int, int] = {}
    for (_, item_id), amount in owned.items():
        total[item_id] = total.get(item_id, 0) + amount
    ok = {key: amount for key, amount in created.items() if amount} == total
    seen = f"{total.get(GOLD, 0):,} gold and {sum(total.values()) - total.get(GOLD, 0):,} item units held"
    seen += ", as created" if ok else f", but {created} was created and {total} is held"
    return Check("conservation", ok, seen)
