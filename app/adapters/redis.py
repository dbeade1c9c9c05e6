"""Redis as the store of players, stored answers and the outbox.

The one place that builds keys, loads the Lua library and reads what it returns. Used by handlers.py (through
`Store`) and by the relay (through `Outbox`).
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Final, NamedTuple

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from app.commands import CreatePlayer, Give, HeldItem, Inventory, Player, Trade
from app.contract.economy import CLASSES, ITEMS, MAX_CAPACITY
from app.contract.events import PlayerCreated, TradeAccepted, TradeRejected, decode_event
from app.contract.reasons import Problem
from app.errors import IdempotencyMismatch, Unavailable
from app.settings import Settings

_log = logging.getLogger(__name__)
_LIBRARY: Final = files("app").joinpath("lua/haggle.lua").read_text()
_StoredAnswer = tuple[str, str, list[str], list[str]]


class Answer(NamedTuple):
    """The stored answer of a decided trade: its event and both players' states after it (None: no such player)."""

    event: TradeAccepted | TradeRejected
    player_1: Player | None
    player_2: Player | None
    replayed: bool


class OutboxEntry(NamedTuple):
    """An event that waits for Kafka: its sequence number and its JSON text."""

    sequence: int
    event: bytes


class Keys(NamedTuple):
    """The keys of a realm. All carry its hash tag, so that a realm lives on one shard."""

    realm: str

    @property
    def sequence(self) -> str:
        """Counts events."""
        return f"{{{self.realm}}}:sequence"

    @property
    def outbox(self) -> str:
        """Stream of events that wait for Kafka."""
        return f"{{{self.realm}}}:outbox"

    @property
    def player_count(self) -> str:
        """Counts players; the newest player's id."""
        return f"{{{self.realm}}}:players"

    def player(self, player_id: int | str) -> str:
        """Hash of one player."""
        return f"{{{self.realm}}}:player:{player_id}"

    def answer(self, trade_id: str) -> str:
        """Stored answer of one trade."""
        return f"{{{self.realm}}}:answer:{trade_id}"


def connect(settings: Settings) -> "redis.Redis":
    """A client with bounded waits and a bounded pool; it connects on first use."""
    pool = redis.BlockingConnectionPool.from_url(
        settings.redis_url,
        password=settings.redis_password or None,
        max_connections=settings.redis_max_connections,
        timeout=settings.redis_timeout_s,
        socket_timeout=settings.redis_timeout_s,
        socket_connect_timeout=settings.redis_timeout_s,
        # a timed-out command may have been decided: only the caller, who holds the trade_id, may repeat it
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    return redis.Redis.from_pool(pool)


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except (RedisConnectionError, RedisTimeoutError) as error:
        raise Unavailable(Problem.STORE_UNAVAILABLE, "Redis does not answer; send the same request again") from error
    except RedisError as error:
        _log.error("redis refused a command", extra={"context": {"error": str(error)}})
        raise Unavailable(Problem.STORE_UNAVAILABLE, "Redis cannot write now; send the same request again") from error


class Store:
    """Players and stored answers of one realm. Methods raise Unavailable when Redis cannot serve them."""

    def __init__(self, client: "redis.Redis", settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self.keys = Keys(settings.realm)

    def create_player(self, command: CreatePlayer) -> Player:
        """Creates the player; O(1) at any number of players."""
        start = CLASSES[command.player_class]
        arguments: list[str | int] = [command.username or "", start.name, MAX_CAPACITY, start.gold]
        for item_id, quantity in start.items.items():
            arguments += [item_id, quantity, ITEMS[item_id].value]
        keys = [self.keys.sequence, self.keys.outbox, self.keys.player_count, self.keys.player("")]
        _, player_id, state = self._decide("haggle_create_player", keys, arguments)
        return _player(int(player_id), _pairs([text.decode() for text in state]))

    def trade(self, command: Trade) -> Answer:
        """Decides the trade, or gives its stored answer; raises IdempotencyMismatch if its content differs."""
        keys = [self.keys.sequence, self.keys.outbox, self.keys.answer(command.trade_id)]
        keys += [self.keys.player(side.player_id) for side in (command.player_1, command.player_2)]
        arguments: list[str | int] = [command.trade_id, _fingerprint(command), self._settings.answer_ttl_s]
        for side in (command.player_1, command.player_2):
            arguments += _side_arguments(side)
        status, *rest = self._decide("haggle_trade", keys, arguments)
        if status == b"mismatch":
            raise IdempotencyMismatch(command.trade_id)
        return _answer(rest[0], replayed=status == b"replayed")

    def answer(self, trade_id: str) -> Answer | None:
        """The stored answer of a trade; None if there never was one or it has expired."""
        with _store_errors():
            stored: Any = self._client.get(self.keys.answer(trade_id))
        return _answer(stored, replayed=True) if stored else None

    def player(self, player_id: int) -> Player | None:
        """The player's state, or None if there is no such player."""
        with _store_errors():
            state: Any = self._client.hgetall(self.keys.player(player_id))
        return _player(player_id, _texts(state)) if state else None

    def players(self, after: int, limit: int) -> list[Player]:
        """At most `limit` players in the order of their ids, those with an id above `after`."""
        with _store_errors():
            count: Any = self._client.get(self.keys.player_count)
            ids = range(after + 1, min(after + limit, int(count or 0)) + 1)
            pipeline = self._client.pipeline(transaction=False)
            for player_id in ids:
                pipeline.hgetall(self.keys.player(player_id))
            return [_player(player_id, _texts(state)) for player_id, state in zip(ids, pipeline.execute(), strict=True)]

    def backlog(self) -> tuple[int, int]:
        """How many events wait for Kafka, and the newest event's sequence number (0 before the first)."""
        with _store_errors():
            pipeline = self._client.pipeline(transaction=False)
            pipeline.xlen(self.keys.outbox)
            pipeline.get(self.keys.sequence)
            outbox_entries, sequence = pipeline.execute()
        return int(outbox_entries), int(sequence or 0)

    def _decide(self, function: str, keys: list[str], arguments: list[str | int]) -> list[Any]:
        arguments = [self.keys.realm, self._settings.outbox_max_entries, *arguments]
        with _store_errors():
            reply: list[Any] = self._call(lambda: self._client.fcall(function, len(keys), *keys, *arguments))
        if reply[0] == b"outbox_full":
            raise Unavailable(Problem.OUTBOX_FULL, "too many events wait for Kafka; send the same request again")
        return reply

    def _call(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except ResponseError as error:
            if "function not found" not in str(error).lower():
                raise
            load_library(self._client)
            return call()


def load_library(client: "redis.Redis") -> None:
    """Loads this version's Lua functions; Redis keeps them in its append-only file."""
    with _store_errors():
        client.function_load(_LIBRARY, replace=True)


class Outbox:
    """The realm's events that wait for Kafka, in the order of their sequence. Raises redis errors as they are."""

    def __init__(self, client: "redis.Redis", realm: str) -> None:
        self._client = client
        self._keys = Keys(realm)

    def newest(self) -> int:
        """The newest event's sequence number, whether it still waits or not; 0 before the first."""
        sequence: Any = self._client.get(self._keys.sequence)
        return int(sequence or 0)

    def read(self, after: int, limit: int, block_ms: int | None = None) -> list[OutboxEntry]:
        """At most `limit` entries with a sequence number above `after`; waits up to `block_ms` for the first."""
        reply: Any = self._client.xread({self._keys.outbox: f"{after}-0"}, count=limit, block=block_ms)
        entries = reply[0][1] if reply else []
        return [OutboxEntry(int(entry_id.split(b"-")[0]), fields[b"event"]) for entry_id, fields in entries]

    def trim(self, up_to: int) -> None:
        """Forgets the entries up to and with sequence number `up_to`."""
        self._client.xtrim(self._keys.outbox, minid=f"{up_to + 1}-0", approximate=False)


def _side_arguments(side: Give) -> list[str | int]:
    arguments: list[str | int] = [
        side.player_id,
        side.gold,
        "" if side.seen_version is None else side.seen_version,
        "" if side.seen_state is None else side.seen_state,
        len(side.items),
    ]
    for item_id, quantity in side.items.items():
        item = ITEMS.get(item_id)
        arguments += [item_id, quantity, item.value if item else ""]
    return arguments


def _fingerprint(command: Trade) -> str:
    return hashlib.blake2b(msgspec.msgpack.encode(command), digest_size=16).hexdigest()


def _answer(packed: bytes, *, replayed: bool) -> Answer:
    _, event, state_1, state_2 = msgspec.msgpack.decode(packed, type=_StoredAnswer)
    decided = decode_event(event.encode())
    assert not isinstance(decided, PlayerCreated)
    player_1 = _player(decided.player_1.player_id, _pairs(state_1)) if state_1 else None
    player_2 = _player(decided.player_2.player_id, _pairs(state_2)) if state_2 else None
    return Answer(decided, player_1, player_2, replayed)


def _pairs(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _texts(state: dict[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in state.items()}


def _player(player_id: int, state: dict[str, str]) -> Player:
    held = sorted((int(name), int(units)) for name, units in state.items() if name.isdigit())
    capacity = int(state["capacity"])
    return Player(
        player_id=player_id,
        username=state["username"],
        player_class=state["class"],
        gold=int(state["gold"]),
        version=int(state["version"]),
        inventory=Inventory(
            max_capacity=capacity,
            current_capacity=capacity - int(state["units"]),
            items=[_held_item(item_id, quantity) for item_id, quantity in held],
        ),
    )


def _held_item(item_id: int, quantity: int) -> HeldItem:
    item = ITEMS[item_id]
    return HeldItem(item_id, item.name, item.level, item.value, quantity)
