"""The outbox: a realm's events in the order of their sequence, and how far Kafka is with them."""

import math
from datetime import datetime
from typing import Any, Final, NamedTuple

from redis import Redis

from app.contract.events import Event
from app.store.keys import Keys
from app.store.layout import event_texts, read_events

_ENTRIES_PER_READ: Final = 256
_FIRST_ENTRIES: Final = 1


class Backlog(NamedTuple):
    """How many events wait for Kafka, since when the oldest does, and the newest event's sequence number."""

    events: int
    age_s: float
    sequence: int


class OutboxEvent(NamedTuple):
    """An event of the outbox: its sequence number and its JSON text."""

    sequence: int
    text: bytes


class Published(NamedTuple):
    """What Redis knows of Kafka: the newest event that it has acknowledged, and in which topic that was.

    The topic is named by its id, which a topic that is created anew does not share. `topic_id` is '' before the first.
    """

    sequence: int
    topic_id: str
    partitions: int


def read_backlog(client: Redis, keys: Keys, position: int | None) -> Backlog:
    """What comes after `position`; None: after what Kafka has acknowledged. Raises redis errors as they are."""
    published: Any = client.get(keys.published)
    position = int(published or 0) if position is None else position
    pipeline = client.pipeline(transaction=False)
    pipeline.get(keys.sequence)
    # an entry's id is the sequence number of its last event: published entries stay in the outbox for a while
    pipeline.xrange(keys.outbox, min=f"{position + 1}-0", count=1)
    pipeline.time()
    sequence, oldest, (seconds, microseconds) = pipeline.execute()
    age_s = 0.0
    if oldest:
        since = datetime.fromisoformat(oldest[0][1][b"occurred_at"].decode()).timestamp()
        age_s = max(0.0, seconds + microseconds / 1e6 - since)
    return Backlog(max(0, int(sequence or 0) - position), age_s, int(sequence or 0))


def read_newest(client: Redis, keys: Keys, after: int, until: int, most: int) -> list[Event]:
    """The newest events above `after` and up to `until`, in their order: `most`, or as many as an entry more has.

    Players' names are left out. Raises redis errors as they are.
    """
    found: list[Event] = []
    last, count = f"{until}-0", _FIRST_ENTRIES
    while len(found) < most:
        entries: Any = client.xrevrange(keys.outbox, max=last, min=f"{after + 1}-0", count=count)
        for entry_id, fields in entries:
            sequence, occurred_at = int(entry_id.split(b"-")[0]), fields[b"occurred_at"].decode()
            found[:0] = read_events(keys.realm, sequence, occurred_at, fields[b"events"], _no_names)
            last = f"({entry_id.decode()}"
            if len(found) >= most:
                break
        if len(entries) < count:
            break
        # an entry has one event or a thousand: what is read in vain is bounded by what was needed before
        count = min(2 * count, _ENTRIES_PER_READ)
    return [event for event in found if event.sequence > after]


def _no_names(_player_id: int) -> None:
    return None


# a full Redis must take it: it is what makes room
_ADVANCE: Final = """#!lua flags=allow-oom
if tonumber(ARGV[1]) > tonumber(redis.call('GET', KEYS[1]) or 0) then redis.call('SET', KEYS[1], ARGV[1]) end
redis.call('HSET', KEYS[2], 'id', ARGV[2], 'partitions', ARGV[3])
return redis.call('XTRIM', KEYS[3], 'MINID', '=', ARGV[4])
"""


class _Names:
    """The names of players that a page of events is about; players that were created together share a hash."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._hashes: dict[str, Any] = {}

    def of(self, player_id: int) -> bytes | None:
        """A player's names, packed; None if they are forgotten."""
        key = self._keys.names(player_id)
        if key not in self._hashes:
            self._hashes[key] = self._client.hgetall(key)
        names: bytes | None = self._hashes[key].get(str(player_id).encode())
        return names


class Outbox:
    """The realm's events in the order of their sequence: those that wait for Kafka, and some of those that it holds.

    The newest `keep_events` published events stay, so that a topic that was lost can be filled again. Raises redis
    errors as they are.
    """

    def __init__(self, client: Redis, realm: str, keep_events: int = 0) -> None:
        self._client = client
        self._keys = Keys(realm)
        self._keep_entries = keep_events
        # of the page before: how many entries it takes to fill the next one
        self._events_per_entry = 1.0
        self._advance = client.register_script(_ADVANCE)

    def newest(self) -> int:
        """The newest event's sequence number, whether it still waits or not; 0 before the first."""
        sequence: Any = self._client.get(self._keys.sequence)
        return int(sequence or 0)

    def published(self) -> Published:
        """What `advance` has recorded."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.get(self._keys.published)
        pipeline.hmget(self._keys.topic, "id", "partitions")
        sequence, (topic_id, partitions) = pipeline.execute()
        return Published(int(sequence or 0), (topic_id or b"").decode(), int(partitions or 0))

    def backlog(self, position: int | None) -> Backlog:
        """How far Kafka is behind, if it holds what is up to `position`; None: what was recorded."""
        return read_backlog(self._client, self._keys, position)

    def first_after(self, position: int) -> int | None:
        """The first event above `position` that is there; None if there is none."""
        found = self._read_page(position, 1, None)
        return found[0].sequence if found else None

    def read(self, after: int, limit: int, block_ms: int | None = None) -> list[OutboxEvent]:
        """The first events with a sequence number above `after`; waits up to `block_ms` for the first one.

        They are `limit` or a few more: an entry holds the events of one Lua call and is read whole.
        """
        events: list[OutboxEvent] = []
        while len(events) < limit:
            page = self._read_page(events[-1].sequence if events else after, limit - len(events), block_ms)
            events += page
            if not page:
                break
            block_ms = None
        return events

    def _read_page(self, after: int, limit: int, block_ms: int | None) -> list[OutboxEvent]:
        count = min(math.ceil(limit / self._events_per_entry), _ENTRIES_PER_READ)
        reply: Any = self._client.xread({self._keys.outbox: f"{after}-0"}, count=count, block=block_ms)
        events: list[OutboxEvent] = []
        names = _Names(self._client, self._keys)
        for number, (entry_id, fields) in enumerate(reply[0][1] if reply else [], start=1):
            events += [event for event in self._events(entry_id, fields, names) if event.sequence > after]
            self._events_per_entry = max(1.0, len(events) / number)
            if len(events) >= limit:
                break
        return events

    def _events(self, entry_id: bytes, fields: dict[bytes, bytes], names: "_Names") -> list[OutboxEvent]:
        last, occurred_at = int(entry_id.split(b"-")[0]), fields[b"occurred_at"].decode()
        texts = event_texts(self._keys.realm, last, occurred_at, fields[b"events"], names.of)
        return [OutboxEvent(*text) for text in texts]

    def advance(self, position: int, topic_id: str, partitions: int) -> None:
        """Records that this topic holds what is up to `position`, and forgets entries that are too old to be kept.

        What is recorded as published never goes back, though a topic that is filled again starts further back: it
        counts how much waits in Redis, and a relay that was fenced may come late.
        """
        oldest = max(0, position - self._keep_entries) + 1
        keys = [self._keys.published, self._keys.topic, self._keys.outbox]
        self._advance(keys=keys, args=[position, topic_id, partitions, f"{oldest}-0"])
