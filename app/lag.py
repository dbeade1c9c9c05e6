"""How far behind each stage is, from the metrics of relay and streams."""

import http.client
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from app.contract.metrics import FILES_REWRITTEN, LAG_EVENTS, LAG_SECONDS, LAKE_SEQUENCE, RELAY_SEQUENCE, Stage
from app.settings import Settings

_TIMEOUT_S: Final = 2

_Samples = dict[tuple[str, str, str], float]
"""Values by name, stage and realm."""


@dataclass(frozen=True, slots=True)
class StageLag:
    """Events that wait at a stage, and since when the oldest does, in seconds at most; None: its server is silent."""

    stage: str
    events: int | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Lag:
    """All stages in the order of an event's way; the newest event in the lake, and of all decided (None: unknown)."""

    stages: list[StageLag]
    lake_sequence: int | None
    decided_sequence: int | None = None


def read_lag(settings: Settings) -> Lag:
    """What relay and streams say now; what is down or says nothing is unknown."""
    relay = _scrape(settings.relay_host, settings.relay_metrics_port)
    outbox = _stage(relay, Stage.OUTBOX, settings.realm)
    published = relay.get((RELAY_SEQUENCE, "", ""))
    is_known = published is not None and outbox.events is not None
    decided = int(published or 0) + (outbox.events or 0) if is_known else None
    streams = read_lag_of_streams(settings)
    return Lag([outbox, *streams.stages], streams.lake_sequence, decided)


def read_lag_of_streams(settings: Settings) -> Lag:
    """What the streams say now: the stages from Kafka on."""
    streams = _scrape(settings.streams_host, settings.streams_metrics_port)
    landed = streams.get((LAKE_SEQUENCE, "", settings.realm))
    # of these, all realms are counted together
    stages = [_stage(streams, stage, "") for stage in (Stage.KAFKA, Stage.LAKE)]
    return Lag(stages, None if landed is None else int(landed))


def read_files_rewritten_at(settings: Settings) -> float | None:
    """When Redis' files were last made anew for the sake of forgotten players (seconds since 1970); None: unknown."""
    return _scrape(settings.relay_host, settings.relay_metrics_port).get((FILES_REWRITTEN, "", ""))


def _stage(samples: _Samples, stage: Stage, realm: str) -> StageLag:
    events = samples.get((LAG_EVENTS, stage, realm))
    seconds = samples.get((LAG_SECONDS, stage, realm))
    return StageLag(stage, None if events is None else int(events), seconds if seconds is None else round(seconds, 1))


def _scrape(host: str, port: int) -> _Samples:
    """The samples of a server; none if it does not answer."""
    try:
        with urlopen(f"http://{host}:{port}/metrics", timeout=_TIMEOUT_S) as answer:
            return dict(_samples(answer.read().decode()))
    except (OSError, http.client.HTTPException):
        return {}


def _samples(text: str) -> Iterator[tuple[tuple[str, str, str], float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = sample.labels
            yield (sample.name, labels.get("stage", ""), labels.get("realm", "")), sample.value
