"""How far Kafka is behind the outbox, as metrics: events, and the seconds since the oldest was decided."""

from typing import Final

from redis.exceptions import RedisError

from app.contract import metrics
from app.store.outbox import Outbox

_LAG: Final = metrics.lag_gauges()


def show_lag(position: int | None, outbox: Outbox, realm: str) -> None:
    """Sets the gauges, if Kafka holds what is up to `position`; while Redis is away they stay as they were."""
    try:
        backlog = outbox.backlog(position)
    except RedisError:
        return  # the relay itself says so
    _LAG.events.labels(metrics.Stage.OUTBOX, realm).set(backlog.events)
    _LAG.seconds.labels(metrics.Stage.OUTBOX, realm).set(backlog.age_s)
