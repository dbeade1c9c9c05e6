"""Makes snapshots: reads what Redis has that is new, and puts it beside what the jobs and the streams have said."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from app.contract.metrics import Stage
from app.errors import Unavailable
from app.lag import Lag
from app.live.game import Game
from app.live.shapes import Live, Second, StageState
from app.settings import Settings
from app.store import Store

if TYPE_CHECKING:
    from app.domain import Finding
    from app.store.outbox import Backlog

_NEWEST_S: Final = 5
"""Seconds of the curve that each snapshot has: the events of the last ones may come late."""
_MOST_EVENTS: Final = 200
"""Events that are looked at for one snapshot; these take some 5 ms."""
_FIRST_EVENTS: Final = 2_000
REPORT: Final = "report"


class Snapshots:
    """Makes one after the other. While Redis is away they show what was last."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._game = Game()
        self._findings: dict[str, Finding] = {}
        self._backlog: Backlog | None = None
        self._read_at = 0.0
        self._events_per_s = 0.0
        self._looked_at_percent = 100

    def curve(self) -> list[Second]:
        """All seconds of the curve, for whoever has none of them yet."""
        return self._game.seconds(time.time())

    def make(self, lag: Lag | None) -> Live:
        """The snapshot of now, with the newest seconds of the curve; `lag` is what the streams said."""
        missing = {}
        try:
            self._read()
        except Unavailable:
            missing["redis"] = "Redis does not answer: trades, offers, prices and the outbox are as they were last"
        if lag is None or lag.lake_sequence is None:
            missing["streams"] = "The streams do not answer: how far the lake is, is not known"
        return self._live(lag, missing)

    def _read(self) -> None:
        backlog, now = self._store.backlog(), time.monotonic()
        before = self._backlog or backlog._replace(sequence=max(0, backlog.sequence - _FIRST_EVENTS))
        new = backlog.sequence - before.sequence
        if new > 0:
            most = _MOST_EVENTS if self._backlog else _FIRST_EVENTS
            events = self._store.newest_events(before.sequence, backlog.sequence, most)
            self._looked_at_percent = min(100, 100 * len(events) // new)
            self._game.take(events, new / len(events) if events and self._backlog else 1.0)
        else:
            self._looked_at_percent = 100
        self._events_per_s = new / (now - self._read_at) if self._backlog else 0.0
        self._findings = self._store.findings.read()
        self._backlog, self._read_at = backlog, now

    def _live(self, lag: Lag | None, missing: dict[str, str]) -> Live:
        now, economy, game = time.time(), self._store.economy, self._game
        return Live(
            at=datetime.fromtimestamp(now, UTC),
            realm=self._settings.realm,
            sequence=self._backlog.sequence if self._backlog else 0,
            events_per_s=round(self._events_per_s, 1),
            looked_at_percent=self._looked_at_percent,
            seconds=game.seconds(now, _NEWEST_S),
            refused=game.refused(now),
            offers=game.offers(now),
            trades=game.newest_trades(economy),
            newest_offers=game.newest_offers(economy),
            prices=game.prices(now, economy),
            stages=list(self._stages(lag, now)),
            audit=self._findings.get("audit"),
            report=self._findings.get(REPORT),
            missing=missing,
        )

    def _stages(self, lag: Lag | None, now: float) -> Iterable[StageState]:
        settings, backlog, report = self._settings, self._backlog, self._findings.get(REPORT)
        events, age_s = (backlog.events, round(backlog.age_s, 1)) if backlog else (None, None)
        # then commands are refused
        yield StageState(Stage.OUTBOX, events, age_s, bound_events=settings.outbox_max_events)
        # then what nobody has read yet goes
        bounds = {Stage.KAFKA: settings.kafka_retention_hours * 3_600.0 or None}
        of_streams = {each.stage: each for each in lag.stages} if lag else {}
        for stage in (Stage.KAFKA, Stage.LAKE):
            said = of_streams.get(stage)
            events, seconds = (said.events, said.seconds) if said else (None, None)
            yield StageState(stage, events, seconds, bound_seconds=bounds.get(stage))
        if report and backlog:
            age_s = round(max(0.0, now - report.at.timestamp()), 1)
            yield StageState(REPORT, max(0, backlog.sequence - report.sequence), age_s)
        else:
            yield StageState(REPORT, None, None)
