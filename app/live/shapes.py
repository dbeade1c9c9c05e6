"""The shapes of what the live page shows: one snapshot, of GET /v1/live, as JSON or once a second as an event."""

from datetime import datetime

from msgspec import Struct

from app.domain import Finding


class Second(Struct, frozen=True):
    """Trades that were decided in one second; `at` in seconds since 1970."""

    at: int
    accepted: int
    refused: int


class NewestTrade(Struct, frozen=True):
    """A decided trade; what either player gave is in words."""

    sequence: int
    occurred_at: datetime
    player_1: int
    gave_1: str
    player_2: int
    gave_2: str
    reason: str | None


class NewestOffer(Struct, frozen=True):
    """What became of an offer: made, refused, or the outcome with which it ended."""

    sequence: int
    occurred_at: datetime
    status: str
    player_1: int
    gives: str
    player_2: int
    wants: str


class Price(Struct, frozen=True):
    """What a unit of an item was sold for in the last minutes, in gold: priced trades as `haggle ask q_price` has."""

    item_id: int
    name: str
    sales: int
    last: float
    median: float
    value: int | None


class StageState(Struct, frozen=True):
    """Events that wait at a stage of their way, since when the oldest does, and what it can bear (null: unknown)."""

    stage: str
    events: int | None
    seconds: float | None
    bound_events: int | None = None
    bound_seconds: float | None = None


class Live(Struct, frozen=True):
    """What happens in a realm now. `missing` says of each part that does not answer what is left out or old.

    Counts of trades and offers are estimates while fewer than all events are looked at (`looked_at_percent`).
    """

    at: datetime
    realm: str
    sequence: int
    events_per_s: float
    looked_at_percent: int
    seconds: list[Second]
    refused: dict[str, int]
    offers: dict[str, int]
    trades: list[NewestTrade]
    newest_offers: list[NewestOffer]
    prices: list[Price]
    stages: list[StageState]
    audit: Finding | None
    report: Finding | None
    missing: dict[str, str]
