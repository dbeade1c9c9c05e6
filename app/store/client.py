"""The connection to Redis: bounded waits, and what its failures mean to callers and to operators."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, OutOfMemoryError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from app.contract.reasons import Problem
from app.errors import StoreFull, Unavailable
from app.settings import Settings

_log = logging.getLogger(__name__)


def connect(settings: Settings) -> Redis:
    """A client with bounded waits and a bounded pool; it connects on first use."""
    # waiting for a free connection, for the server to take a new one, and for the reply: together within the bound
    part_s = settings.redis_timeout_s / 5
    pool = BlockingConnectionPool.from_url(
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
    return Redis.from_pool(pool)


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
        raise StoreFull from error
    except RedisError as error:
        _log.error("redis refused a command", extra={"context": {"error": str(error)}})
        raise Unavailable(Problem.STORE_UNAVAILABLE, "Redis cannot write now; send the same request again") from error
