"""Prometheus metrics of the engine, correct over several gunicorn workers.

prometheus_client keeps each worker's counts in files of PROMETHEUS_MULTIPROC_DIR, which
app/http/gunicorn.py sets before any worker starts; `render` adds them up.
"""

import collections
from collections.abc import Iterable, Mapping
from functools import cache

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import ValueClass

from app.domain import Finding
from app.errors import Unavailable
from app.store import Store

REQUESTS = Histogram(
    "haggle_http_request_seconds",
    "HTTP requests, and the time to answer them",
    ["route", "method", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0),
)
TRADES = Counter("haggle_trades", "Decided trades, repeats not counted again", ["status", "reason"])
ADJUSTMENTS = Counter("haggle_adjustments", "Decided adjustments, repeats not counted again", ["status", "reason"])
REPEATS = Counter("haggle_repeats", "Names that were used again, by what came of it", ["outcome"])
PLAYERS = Counter("haggle_players_created", "Players created")


# what `labels` gives is kept: it looks it up under a lock each time
@cache
def requests(route: str, method: str, status: int) -> Histogram:
    """The answered requests of these labels, to observe one more."""
    return REQUESTS.labels(route, method, status)


@cache
def trades(reason: str) -> Counter:
    """The decided trades that were refused for the reason, accepted ones with ''."""
    return TRADES.labels("rejected" if reason else "accepted", reason)


def count_trades(reasons: Iterable[str]) -> None:
    """Counts decided trades, by the reason that each was refused for, or ''."""
    for reason, number in collections.Counter(reasons).items():
        trades(reason).inc(number)


@cache
def adjustments(reason: str) -> Counter:
    """The decided adjustments that were refused for the reason, accepted ones with ''."""
    return ADJUSTMENTS.labels("rejected" if reason else "accepted", reason)


def count_adjustments(reasons: Iterable[str]) -> None:
    """Counts decided adjustments, as `count_trades`."""
    for reason, number in collections.Counter(reasons).items():
        adjustments(reason).inc(number)


def render(store: Store) -> bytes:
    """The text of /metrics: the counts of all workers, and what Redis holds now."""
    registry = REGISTRY
    if ValueClass._multiprocess:  # noqa: SLF001
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry) + generate_latest(_of_redis(store))


def _of_redis(store: Store) -> CollectorRegistry:
    now = CollectorRegistry()
    is_up = Gauge("haggle_redis_up", "Whether Redis answers; without it, what it holds is left out", registry=now)
    try:
        backlog, findings = store.backlog(), store.findings.read()
    except Unavailable:
        return now
    is_up.set(1)
    Gauge("haggle_outbox_events", "Events that wait for Kafka: the relay's lag", registry=now).set(backlog.events)
    Gauge("haggle_outbox_age_seconds", "Age of the oldest event that waits", registry=now).set(backlog.age_s)
    Gauge("haggle_sequence", "Newest event's sequence number", registry=now).set(backlog.sequence)
    _show_findings(findings, now)
    return now


def _show_findings(findings: Mapping[str, Finding], now: CollectorRegistry) -> None:
    """What audits and reports have found last; nothing of what there was none of."""
    label = ["finding"]
    ok = Gauge("haggle_finding_ok", "Whether the last one found all to be right", label, registry=now)
    at = Gauge("haggle_finding_timestamp_seconds", "When that was", label, registry=now)
    sequence = Gauge("haggle_finding_sequence", "Newest event that it looked at", label, registry=now)
    for name, finding in findings.items():
        ok.labels(name).set(finding.ok)
        at.labels(name).set(finding.at.timestamp())
        sequence.labels(name).set(finding.sequence)
