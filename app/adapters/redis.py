"""Redis as the store of players, stored answers, offers and the outbox.

The one place that builds keys, loads the Lua library and reads what it returns. Used by handlers.py (through
`Store`), by the relay (through `Outbox`) and by whoever expires offers (`Store.expire_offers`).
"""

import hashlib
import logging
import math
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from importlib.resources import files
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

import msgspec
import redis
from prometheus_client import Histogram
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, OutOfMemoryError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from app.adapters.group_commit import GroupCommit
from app.adapters.packed import as_time, event_texts, player_or_none, read_answer, read_player, side_of
from app.commands import CreatePlayer, Give, MakeOffer, Player, Trade
from app.contract.economy import CLASSES, ITEMS, MAX_CAPACITY
from app.contract.events import Side
from app.contract.reasons import OfferOutcome, Problem, Rejection
from app.errors import BatchContended, IdempotencyMismatch, NotFound, OfferClosed, Unavailable
from app.settings import Settings

LATENCY: Final = Histogram(
    "haggle_redis_seconds",
    "Time until Redis has answered a Lua call",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)

_log = logging.getLogger(__name__)
_SOURCE: Final = files("app").joinpath("lua/haggle.lua").read_text()
# engines of two versions work side by side during an upgrade: each calls the functions that it came with
_VERSION: Final = hashlib.sha256(_SOURCE.encode()).hexdigest()[:8]
_LIBRARY: Final = _SOURCE.replace("name=haggle", f"name=haggle_{_VERSION}").replace("'haggle_", f"'haggle_{_VERSION}_")
_STAGING_ATTEMPTS: Final = 5
_ENTRIES_PER_READ: Final = 256

TRADES_PER_CALL: Final = 128
"""Trades that one Lua call decides at most, a few milliseconds of work, so that no other command waits long."""

_encode: Final = msgspec.msgpack.Encoder().encode
T = TypeVar("T")


class Answer(NamedTuple):
    """The stored answer of a decided trade.

    That is why it was refused, if it was, what either side gave or would have given, and both players' states after it
    (None: no such player).
    """

    trade_id: str
    offer_id: str | None
    sequence: int
    occurred_at: datetime
    reason: Rejection | None
    given_1: Side
    given_2: Side
    player_1: Player | None
    player_2: Player | None
    replayed: bool


class OfferAnswer(NamedTuple):
    """The stored answer to the making of an offer: why it was refused, if it was, and player 1 after it, if it is."""

    offer_id: str
    reason: Rejection | None
    player_1: Player | None
    replayed: bool


class StoredOffer(NamedTuple):
    """An offer; `sequence` is that of its making, `trade_id` is there once it is accepted."""

    offer_id: str
    status: str
    sequence: int
    occurred_at: datetime
    expires_at: datetime
    player_1: Give
    player_2: Give
    trade_id: str | None


class Result(NamedTuple):
    """What became of one trade of a batch: decided, replayed, or mismatch; `reason` is '' if it was accepted."""

    status: str
    sequence: int
    reason: str


class Backlog(NamedTuple):
    """How many events wait for Kafka, since when the oldest does, and the newest event's sequence number."""

    entries: int
    age_s: float
    sequence: int


class OutboxEntry(NamedTuple):
    """An event of the outbox: its sequence number and its JSON text."""

    sequence: int
    event: bytes


class Published(NamedTuple):
    """What Redis knows of Kafka: the newest event that it has acknowledged, and in which topic that was.

    The topic is named by its id, which a topic that is created anew does not share. `topic_id` is '' before the first.
    """

    sequence: int
    topic_id: str
    partitions: int


class Keys(NamedTuple):
    """The keys of a realm. All carry its hash tag, so that a realm lives on one shard."""

    realm: str

    def _key(self, name: str) -> str:
        return f"{{{self.realm}}}:{name}"

    @property
    def sequence(self) -> str:
        """Counts events."""
        return self._key("sequence")

    @property
    def outbox(self) -> str:
        """Stream of events: those that wait for Kafka, and the newest of those that it holds."""
        return self._key("outbox")

    @property
    def published(self) -> str:
        """Newest sequence number that Kafka has acknowledged; it never goes back."""
        return self._key("published")

    @property
    def topic(self) -> str:
        """Hash of the topic that `published` was acknowledged in: its id, and how many partitions it had."""
        return self._key("topic")

    @property
    def player_count(self) -> str:
        """Counts players; the newest player's id."""
        return self._key("players")

    def player(self, player_id: int | str) -> str:
        """Hash of one player."""
        return self._key(f"player:{player_id}")

    def answer(self, answer_id: str) -> str:
        """Stored answer of one trade or offer."""
        return self._key(f"answer:{answer_id}")

    @property
    def of_functions(self) -> tuple[str, ...]:
        """The KEYS of every Lua function."""
        prefixes = [self.player(""), self.answer(""), *(self._key(f"{name}:") for name in ("batch", "offer", "offers"))]
        return (self.sequence, self.outbox, self.published, *prefixes, self._key("offer_expiry"), self.player_count)


def connect(settings: Settings) -> "redis.Redis":
    """A client with bounded waits and a bounded pool; it connects on first use."""
    # waiting for a free connection, for the server to take a new one, and for the reply: together within the bound
    part_s = settings.redis_timeout_s / 5
    pool = redis.BlockingConnectionPool.from_url(
        settings.redis_url,
        password=settings.redis_password or None,
        max_connections=settings.redis_max_connections,
        timeout=part_s,
        socket_connect_timeout=part_s,
        socket_timeout=3 * part_s,
        # a timed-out command may have been decided: only the caller, who holds the trade_id, may repeat it
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    return redis.Redis.from_pool(pool)


def advice(settings: Settings, error: BaseException | None) -> str:
    """For the log: which Redis failed, and what to do about it."""
    address = urlsplit(settings.redis_url)
    where = f"Redis at {address.hostname}:{address.port or 6379}"
    if isinstance(error, AuthenticationError):
        return f"{where} does not accept the password; REDIS_PASSWORD must be the server's"
    if isinstance(error, (RedisConnectionError, RedisTimeoutError)):
        return f"{where} cannot be reached; see that it runs, and that REDIS_URL names it"
    return f"{where} refuses commands; see that it can write"


@contextmanager
def store_errors() -> Iterator[None]:
    """Turns what the Redis client raises into Unavailable."""
    try:
        yield
    except (RedisConnectionError, RedisTimeoutError) as error:
        raise Unavailable(Problem.STORE_UNAVAILABLE, "Redis does not answer; send the same request again") from error
    except OutOfMemoryError as error:
        raise Unavailable(Problem.STORE_UNAVAILABLE, "Redis is full; send the same request again later", 5) from error
    except RedisError as error:
        _log.error("redis refused a command", extra={"context": {"error": str(error)}})
        raise Unavailable(Problem.STORE_UNAVAILABLE, "Redis cannot write now; send the same request again") from error


class Store:
    """Players, stored answers and offers of one realm. Methods raise Unavailable when Redis cannot serve them."""

    def __init__(self, client: "redis.Redis", settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self.keys = Keys(settings.realm)
        keys = self.keys.of_functions
        self._together_with_others = GroupCommit(self._trades_and_answers, TRADES_PER_CALL)
        self._fixed: tuple[Any, ...] = (len(keys), *keys, settings.outbox_max_entries, settings.answer_ttl_s)

    # ------------------------------------------------------------ players

    def create_player(self, command: CreatePlayer) -> Player:
        """Creates the player; O(1) at any number of players."""
        start = CLASSES[command.player_class]
        lines = [(item_id, quantity, ITEMS[item_id].value) for item_id, quantity in start.items.items()]
        arguments = (command.username or "", start.name, MAX_CAPACITY, start.gold, _encode(lines))
        _, packed = self._decide("create_player", *arguments)
        return read_player(packed)

    def player(self, player_id: int) -> Player | None:
        """The player's state, or None if there is no such player."""
        return self._players([player_id])[0]

    def players(self, after: int, limit: int) -> list[Player]:
        """At most `limit` players in the order of their ids, those with an id above `after`."""
        with store_errors():
            count: Any = self._client.get(self.keys.player_count)
        ids = range(after + 1, min(after + limit, int(count or 0)) + 1)
        found = (player for part in _parts(ids, TRADES_PER_CALL) for player in self._players(part))
        return [player for player in found if player]

    def _players(self, ids: Sequence[int]) -> list[Player | None]:
        found = self._function("players", _encode(list(ids)))
        return [read_player(packed) if packed else None for packed in found]

    # ------------------------------------------------------------ trades

    def trade(self, command: Trade) -> Answer:
        """Decides the trade, or gives its stored answer; raises IdempotencyMismatch if its content differs."""
        result, answer = self._together_with_others.carry_out(command)
        if result.status == "mismatch":
            raise IdempotencyMismatch(command.trade_id)
        return self._answer(answer, replayed=result.status == "replayed")

    def _trades_and_answers(self, commands: Sequence[Trade]) -> list[tuple[Result, bytes]]:
        _, packed, answers = self._decide("trades", _wire(commands), 1, fcall=self._fcall_of_group)
        return list(zip(_results(packed), answers, strict=True))

    def _fcall_of_group(self, *words: Any) -> Any:
        """A call of the group commit on its own connection; if that is broken, on one of the pool.

        Trades may be called for twice: each has its trade_id.
        """
        try:
            return self._client_of_group.fcall(*words)
        except RedisConnectionError:
            return self._client.fcall(*words)

    @cached_property
    def _client_of_group(self) -> "redis.Redis":
        """A client of one connection: to take it from the pool each time is two fifths of a call's processor time."""
        return redis.Redis(connection_pool=self._client.connection_pool, single_connection_client=True)

    def trades(self, commands: Sequence[Trade]) -> list[Result]:
        """Decides at most TRADES_PER_CALL trades in one step, each for itself."""
        return _results(self._decide("trades", _wire(commands), "")[1])

    def trades_all_or_nothing(self, commands: Sequence[Trade]) -> list[Result]:
        """Decides trades together: all are accepted, or none is; no trade_id twice.

        More than TRADES_PER_CALL are staged in several calls and committed in one; raises BatchContended if others
        keep changing their players meanwhile, and IdempotencyMismatch as `trade` does.
        """
        if len(commands) <= TRADES_PER_CALL:
            return self._together("all_or_nothing", commands, "")
        for _ in range(_STAGING_ATTEMPTS):
            if results := self._known_results(commands) or self._stage_and_commit(commands):
                return results
        raise BatchContended

    def _known_results(self, commands: Sequence[Trade]) -> list[Result] | None:
        """The results of a large batch that was decided before, or refused in part; None if it is new."""
        stored = self._stored_results(commands)
        if any(stored) and not all(stored):  # the same batch may have been committed between two of the look-ups
            stored = self._stored_results(commands)
        if all(stored):
            return [result for result in stored if result]
        if any(result and result.reason for result in stored):
            return self._refuse(commands, -1, "")
        for command, result in zip(commands, stored, strict=True):
            if result:
                raise IdempotencyMismatch(command.trade_id)
        return None

    def _together(self, function: str, commands: Sequence[Trade], *arguments: str | int) -> list[Result]:
        status, reply, *_ = self._decide(function, _wire(commands), *arguments)
        if status == b"mismatch":
            raise IdempotencyMismatch(reply.decode())
        return _results(reply)

    def _stored_results(self, commands: Sequence[Trade]) -> list[Result | None]:
        """What is known already of the trades of a batch; raises IdempotencyMismatch."""
        found: list[Result | None] = []
        for part in _parts(commands, TRADES_PER_CALL):
            for command, packed in zip(part, self._raw_answers([command.trade_id for command in part]), strict=True):
                answer = read_answer(packed) if packed else None
                if answer and answer.fingerprint != _fingerprint(command):
                    raise IdempotencyMismatch(command.trade_id)
                found.append(Result("replayed", answer.sequence, answer.reason or "") if answer else None)
        return found

    def _refuse(self, commands: Sequence[Trade], culprit: int, reason: str) -> list[Result]:
        results: list[Result] = []
        for part in _parts(commands, TRADES_PER_CALL):
            here = culprit - len(results) + 1
            place = here if 1 <= here <= len(part) else 0
            results += self._together("refuse_trades", part, place, reason)
        return results

    def _stage_and_commit(self, commands: Sequence[Trade]) -> list[Result] | None:
        """One attempt at a large batch; None if another command came in between."""
        batch_id, staged = uuid.uuid4().hex, 0
        for part in _parts(commands, TRADES_PER_CALL):
            status, *rest = self._decide("stage", _wire(part), batch_id, staged)
            if status == b"aborted":
                return None
            if status == b"refused":
                return self._refuse(commands, staged + rest[0] - 1, rest[1].decode())
            staged += len(part)
        status, *rest = self._decide("commit", batch_id, staged)
        if status == b"aborted":
            return None
        self._settle(batch_id, commands)
        return [Result("decided", rest[0] + number, "") for number in range(1, staged + 1)]

    def _settle(self, batch_id: str, commands: Sequence[Trade]) -> None:
        """Writes what a committed batch changed in its place; what is left undone here, others do when they see it."""
        players = {side.player_id: None for command in commands for side in (command.player_1, command.player_2)}
        ids = [command.trade_id for command in commands]
        parts: list[tuple[Sequence[int], Sequence[str]]] = [
            (part, []) for part in _parts(list(players), TRADES_PER_CALL)
        ]
        parts += [([], part) for part in _parts(ids, TRADES_PER_CALL)]
        try:
            for player_ids, trade_ids in parts:
                self._function("settle_batch", batch_id, _encode(player_ids), _encode(trade_ids))
        except Unavailable as error:
            _log.warning("a committed batch is not settled yet", extra={"context": {"error": str(error)}})

    def answer(self, trade_id: str) -> Answer | None:
        """The stored answer of a trade; None if there never was one or it has expired."""
        (packed,) = self._raw_answers([trade_id])
        return self._answer(packed, replayed=True) if packed else None

    def _raw_answers(self, answer_ids: Sequence[str]) -> list[bytes | None]:
        found: list[bytes | None] = self._function("answers", _encode(answer_ids))
        return found

    def player_trades(self, player_id: int, first: str, limit: int) -> tuple[list[Answer], str | None]:
        """A player's accepted trades, newest first, from the one named `first` on, and the name of the next."""
        following, *found = self._function("player_trades", player_id, first, limit)
        return [self._answer(packed, replayed=True) for packed in found], following.decode() or None

    @staticmethod
    def _answer(packed: Any, *, replayed: bool) -> Answer:
        stored = read_answer(packed)
        body = stored.body
        return Answer(
            trade_id=str(body.trade_id),
            offer_id=str(body.offer_id) if body.offer_id else None,
            sequence=stored.sequence,
            occurred_at=as_time(stored.occurred_at),
            reason=stored.reason,
            given_1=side_of(body.player_1),
            given_2=side_of(body.player_2),
            player_1=player_or_none(stored.player_1),
            player_2=player_or_none(stored.player_2),
            replayed=replayed,
        )

    # ------------------------------------------------------------ offers

    def make_offer(self, command: MakeOffer) -> OfferAnswer:
        """Makes the offer, or gives its stored answer; raises IdempotencyMismatch if its content differs."""
        sides = _encode((_wire_side(command.player_1), _wire_side(command.player_2)))
        limits = (command.expires_in_s, self._settings.offers_max_open)
        status, *rest = self._decide("make_offer", command.offer_id, _fingerprint(command), sides, *limits)
        if status == b"mismatch":
            raise IdempotencyMismatch(command.offer_id)
        stored = read_answer(rest[0])
        player_1 = player_or_none(stored.player_1)
        return OfferAnswer(command.offer_id, stored.reason, player_1, replayed=status == b"replayed")

    def accept_offer(self, offer_id: str, trade_id: str, version: int | None) -> Answer:
        """Player 2 accepts; the trade's answer, or raises NotFound, OfferClosed or IdempotencyMismatch."""
        fingerprint = hashlib.blake2b(f"{offer_id}/{version}".encode(), digest_size=16).hexdigest()
        reply = self._decide("accept_offer", offer_id, trade_id, fingerprint, version or "")
        if reply[0] == b"mismatch":
            raise IdempotencyMismatch(trade_id)
        _raise_unless_open(offer_id, reply)
        return self._answer(reply[1], replayed=reply[0] == b"replayed")

    def close_offer(self, offer_id: str, outcome: OfferOutcome) -> bool:
        """Ends an open offer; True if it had ended that way before. Raises NotFound or OfferClosed."""
        reply = self._decide("close_offer", offer_id, outcome)
        _raise_unless_open(offer_id, reply)
        return bool(reply[0] == b"replayed")

    def expire_offers(self, limit: int) -> int:
        """Ends the open offers whose time is over, `limit` at most; returns how many."""
        ended: int = self._function("expire_offers", limit)
        return ended

    def offer(self, offer_id: str) -> StoredOffer | None:
        """The offer; None if there never was one or it ended too long ago."""
        found = self._function("offers", offer_id)
        return _offer(*found[0]) if found else None

    def open_offers(self, player_id: int, after: int, limit: int) -> list[StoredOffer]:
        """A player's open offers, made or received, in the order of their sequence, those above `after`."""
        return [_offer(*found) for found in self._function("offers", "", player_id, after, limit)]

    # ------------------------------------------------------------ operations

    def assert_takes_commands(self) -> None:
        """Raises Unavailable while Redis is away, full or read-only."""
        self._function("takes_commands")

    def backlog(self) -> Backlog:
        """How far Kafka is behind."""
        with store_errors():
            return _read_backlog(self._client, self.keys, None)

    # ------------------------------------------------------------ calls

    def _decide(self, function: str, *arguments: Any, fcall: Callable[..., Any] | None = None) -> list[Any]:
        reply: list[Any] = self._function(function, *arguments, fcall=fcall)
        if reply[0] == b"outbox_full":
            raise Unavailable(Problem.OUTBOX_FULL, "too many events wait for Kafka; send the same request again")
        return reply

    def _function(self, function: str, *arguments: Any, fcall: Callable[..., Any] | None = None) -> Any:
        words = (f"haggle_{_VERSION}_{function}", *self._fixed, *arguments)
        started = time.perf_counter()
        with store_errors():
            reply = self._call(fcall or self._client.fcall, words)
        LATENCY.observe(time.perf_counter() - started)
        return reply

    def _call(self, fcall: Callable[..., T], words: Sequence[Any]) -> T:
        try:
            return fcall(*words)
        except ResponseError as error:
            if "function not found" not in str(error).lower():
                raise
            load_library(self._client)
            return fcall(*words)


def load_library(client: "redis.Redis") -> None:
    """Loads this version's Lua functions; Redis keeps them in its append-only file."""
    with store_errors():
        client.function_load(_LIBRARY, replace=True)


def _read_backlog(client: "redis.Redis", keys: Keys, position: int | None) -> Backlog:
    """What comes after `position`, or else after what Kafka has acknowledged."""
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


_ADVANCE: Final = """
if tonumber(ARGV[1]) > tonumber(redis.call('GET', KEYS[1]) or 0) then redis.call('SET', KEYS[1], ARGV[1]) end
redis.call('HSET', KEYS[2], 'id', ARGV[2], 'partitions', ARGV[3])
return redis.call('XTRIM', KEYS[3], 'MINID', '=', ARGV[4])
"""


class Outbox:
    """The realm's events in the order of their sequence: those that wait for Kafka, and some of those that it holds.

    The newest `keep_entries` published events stay, so that a topic that was lost can be filled again. Raises redis
    errors as they are.
    """

    def __init__(self, client: "redis.Redis", realm: str, keep_entries: int = 0) -> None:
        self._client = client
        self._keys = Keys(realm)
        self._keep_entries = keep_entries
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
        return _read_backlog(self._client, self._keys, position)

    def first_after(self, position: int) -> int | None:
        """The first event above `position` that is there; None if there is none."""
        found = self._read_page(position, 1, None)
        return found[0].sequence if found else None

    def read(self, after: int, limit: int, block_ms: int | None = None) -> list[OutboxEntry]:
        """The first events with a sequence number above `after`; waits up to `block_ms` for the first one.

        They are `limit` or a few more: an entry holds the events of one Lua call and is read whole.
        """
        events: list[OutboxEntry] = []
        while len(events) < limit:
            page = self._read_page(events[-1].sequence if events else after, limit - len(events), block_ms)
            events += page
            if not page:
                break
            block_ms = None
        return events

    def _read_page(self, after: int, limit: int, block_ms: int | None) -> list[OutboxEntry]:
        count = min(math.ceil(limit / self._events_per_entry), _ENTRIES_PER_READ)
        reply: Any = self._client.xread({self._keys.outbox: f"{after}-0"}, count=count, block=block_ms)
        events: list[OutboxEntry] = []
        for number, (entry_id, fields) in enumerate(reply[0][1] if reply else [], start=1):
            events += [event for event in self._events(entry_id, fields) if event.sequence > after]
            self._events_per_entry = max(1.0, len(events) / number)
            if len(events) >= limit:
                break
        return events

    def _events(self, entry_id: bytes, fields: dict[bytes, bytes]) -> list[OutboxEntry]:
        last, occurred_at = int(entry_id.split(b"-")[0]), fields[b"occurred_at"].decode()
        return [OutboxEntry(*text) for text in event_texts(self._keys.realm, last, occurred_at, fields[b"events"])]

    def advance(self, position: int, topic_id: str, partitions: int) -> None:
        """Records that this topic holds what is up to `position`, and forgets entries that are too old to be kept.

        What is recorded as published never goes back, though a topic that is filled again starts further back: it
        counts how much waits in Redis, and a relay that was fenced may come late.
        """
        oldest = max(0, position - self._keep_entries) + 1
        keys = [self._keys.published, self._keys.topic, self._keys.outbox]
        self._advance(keys=keys, args=[position, topic_id, partitions, f"{oldest}-0"])


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


# ---------------------------------------------------------------- what goes to the Lua functions


def _wire(commands: Iterable[Trade]) -> bytes:
    return _encode([_wire_trade(command) for command in commands])


def _wire_trade(command: Trade) -> tuple[Any, ...]:
    sides = (_wire_side(command.player_1), _wire_side(command.player_2))
    return (command.trade_id, _fingerprint(command), *sides)


def _wire_side(side: Give) -> tuple[Any, ...]:
    lines = [
        (item_id, quantity, ITEMS[item_id].value if item_id in ITEMS else False)
        for item_id, quantity in side.items.items()
    ]
    return (side.player_id, side.gold, side.seen_version or False, side.seen_state or False, lines)


def _fingerprint(command: Trade | MakeOffer) -> str:
    return hashlib.blake2b(_encode(command), digest_size=16).hexdigest()


# ---------------------------------------------------------------- what comes back


def _results(packed: bytes) -> list[Result]:
    return msgspec.msgpack.decode(packed, type=list[Result])


def _offer(offer_id: bytes, flat: list[bytes]) -> StoredOffer:
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    one, two = msgspec.msgpack.decode(fields[b"sides"])
    return StoredOffer(
        offer_id=offer_id.decode(),
        status=fields[b"status"].decode(),
        sequence=int(fields[b"sequence"]),
        occurred_at=as_time(fields[b"occurred_at"].decode()),
        expires_at=as_time(fields[b"expires_at"].decode()),
        player_1=_offered(one),
        player_2=_offered(two),
        trade_id=fields.get(b"trade_id", b"").decode() or None,
    )


def _offered(side: list[Any]) -> Give:
    return Give(side[0], side[1], {item_id: quantity for item_id, quantity, _ in side[4]})


def _raise_unless_open(offer_id: str, reply: list[Any]) -> None:
    if reply[0] == b"unknown":
        raise NotFound(f"there is no offer {offer_id!r}: it was never made here, or it ended too long ago")
    if reply[0] == b"closed":
        raise OfferClosed(offer_id, reply[1].decode())
