"""Prometheus metrics of the engine, correct over several gunicorn workers.

prometheus_client keeps each worker's counts in files of PROMETHEUS_MULTIPROC_DIR, which
app/http/gunicorn.py sets before any worker starts; `render` adds them up.
"""

import collections
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
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
    now = CollectorRegistry()
    now.register(_OfRedis(store))
    return generate_latest(registry) + generate_latest(now)


class _OfRedis(Collector):
    """What Redis holds now. No gauges: each worker would keep its own beside, also when it has ended."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        """Without Redis only that it does not answer."""
        try:
            backlog, findings = self._store.backlog(), self._store.findings.read()
        except Unavailable:
            yield _gauge("haggle_redis_up", "Whether Redis answers; without it, what it holds is left out", 0)
            return
        yield _gauge("haggle_redis_up", "Whether Redis answers; without it, what it holds is left out", 1)
        yield _gauge("haggle_outbox_events", "Events that wait for Kafka: the relay's lag", backlog.events)
        yield _gauge("haggle_outbox_age_seconds", "Age of the oldest event that waits", backlog.age_s)
        yield _gauge("haggle_sequence", "Newest event's sequence number", backlog.sequence)
        yield from _of_findings(findings)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _of_findings(findings: Mapping[str, Finding]) -> Iterator[Metric]:
    """What audits and reports have found last; nothing of what there was none of."""
    label = ["finding"]
    ok = GaugeMetricFamily("haggle_finding_ok", "Whether the last one found all to be right", labels=label)
    at = GaugeMetricFamily("haggle_finding_timestamp_seconds", "When that was", labels=label)
    sequence = GaugeMetricFamily("haggle_finding_sequence", "Newest event that it looked at", labels=label)
    for name, finding in findings.items():
        ok.add_metric([name], finding.ok)
        at.add_metric([name], finding.at.timestamp())
        sequence.add_metric([name], finding.sequence)
    yield from (ok, at, sequence)
