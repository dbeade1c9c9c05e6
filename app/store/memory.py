"""What the relay has seen of Redis' memory, for the engine to show."""

from typing import Any, NamedTuple

from redis import Redis

from app.store.keys import Keys


class Memory(NamedTuple):
    """Memory of Redis; `max_bytes` is 0 without a bound. `full_in_s`: time until it is full; None: it does not grow."""

    used_bytes: int
    max_bytes: int
    full_in_s: float | None


def write_memory(client: Redis, realm: str, memory: Memory) -> None:
    """Notes it. Raises redis errors as they are."""
    full_in_s = "" if memory.full_in_s is None else f"{memory.full_in_s:.0f}"
    fields: dict[Any, Any] = {"used": memory.used_bytes, "max": memory.max_bytes, "full_in_s": full_in_s}
    client.hset(Keys(realm).memory, mapping=fields)


def read_memory(client: Redis, keys: Keys) -> Memory | None:
    """What was noted last; None before the first time. Raises redis errors as they are."""
    found: Any = client.hmget(keys.memory, "used", "max", "full_in_s")
    if found[0] is None:
        return None
    return Memory(int(found[0]), int(found[1]), float(found[2]) if found[2] else None)
