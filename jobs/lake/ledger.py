"""What audits found, up to where they were exact, and which losses were accepted: tables in the catalog's PostgreSQL.

They stand in a schema of their own, `haggle`, beside Iceberg's catalog; Trino reads them as `ledger.haggle`. `audits`
has a row per audit; `audited_players` is what the newest exact audit has proved of each player, on which the next one
builds; `accepted_losses` are ranges of sequence numbers that nobody has any more. `forgotten_players` says since when
no row of the lake has their names. `suspects`, `suspect_searches` and `suspect_reviews` are those of
jobs/economy/desk.py.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from app.errors import HaggleError
from app.settings import Settings
from jobs.lake.book import Player

_TIMEOUT_S: Final = 10
_KEPT: Final = 1_000
"""Audits of a realm that are kept, beside the newest exact one."""

_TABLES: Final = """
create schema if not exists haggle;
create table if not exists haggle.audits (
    audit_id bigint generated always as identity primary key,
    realm text not null,
    at timestamptz not null default now(),
    sequence bigint not null,
    ok boolean not null,
    is_full boolean not null,
    checks jsonb not null,
    kafka_topic_id text not null,
    kafka_offset bigint not null,
    kafka_sequence bigint not null
);
create index if not exists audits_by_realm on haggle.audits (realm, audit_id);
create table if not exists haggle.audited_players (
    realm text not null,
    player_id bigint not null,
    player jsonb not null,
    primary key (realm, player_id)
);
create table if not exists haggle.accepted_losses (
    realm text not null,
    first_sequence bigint not null,
    last_sequence bigint not null,
    at timestamptz not null default now(),
    reason text not null,
    primary key (realm, first_sequence)
);
create table if not exists haggle.forgotten_players (
    realm text not null,
    player_id bigint not null,
    forgotten_at timestamptz not null,
    cleared_at timestamptz not null,
    primary key (realm, player_id)
);
create table if not exists haggle.suspects (
    realm text not null,
    player_id bigint not null,
    cheat text not null,
    score double precision not null,
    since timestamptz not null,
    why text not null,
    trades bigint[] not null,
    sequence bigint not null,
    found_at timestamptz not null default now(),
    primary key (realm, player_id, cheat)
);
create table if not exists haggle.suspect_reviews (
    review_id bigint generated always as identity primary key,
    realm text not null,
    player_id bigint not null,
    cheat text not null,
    verdict text not null,
    reviewer text not null,
    reason text not null,
    at timestamptz not null default now()
);
create table if not exists haggle.suspect_searches (
    realm text primary key,
    sequence bigint not null,
    at timestamptz not null default now()
);
create index if not exists suspect_reviews_by_player on haggle.suspect_reviews (realm, player_id);
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where the topic was read: the next offset, and the newest event before it (0: none)."""

    topic_id: str = ""
    offset: int = 0
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Base:
    """What the newest exact audit has proved: all up to `sequence`, and what each player held then."""

    sequence: int
    place: Place
    players: dict[int, Player]


@dataclass(frozen=True, slots=True)
class Loss:
    """Sequence numbers that nobody has any more, and whose loss was accepted."""

    first: int
    last: int
    reason: str

    @property
    def count(self) -> int:
        """How many events that are."""
        return self.last - self.first + 1


class Cleared(NamedTuple):
    """A player that was forgotten, and when its names had left the newest snapshot of the lake."""

    realm: str
    player_id: int
    forgotten_at: datetime
    cleared_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one audit, as it is kept: `checks` are {name, ok, seen}."""

    at: datetime
    sequence: int
    ok: bool
    is_full: bool
    checks: list[dict[str, Any]]


NOTHING: Final = Base(0, Place(), {})
"""What is proved before the first audit."""


class Ledger:
    """The ledger of one realm, over one connection. Its errors are HaggleErrors."""

    def __init__(self, connection: psycopg.Connection, realm: str) -> None:
        self._connection = connection
        self._realm = realm

    def claim(self) -> None:
        """Makes this the one audit of the realm, until the connection ends; raises HaggleError if another one runs."""
        name = f"haggle audit {self._realm}"
        row = self._connection.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", (name,)).fetchone()
        if row != (True,):
            raise HaggleError(f"another audit of realm {self._realm} runs; wait for it to end")

    def newest(self) -> Outcome | None:
        """The result of the newest audit; None before the first."""
        row = self._connection.execute(
            "select at, sequence, ok, is_full, checks from haggle.audits where realm = %s "
            "order by audit_id desc limit 1",
            (self._realm,),
        ).fetchone()
        return Outcome(*row) if row else None

    def base(self) -> Base:
        """What the newest exact audit has proved."""
        row = self._connection.execute(
            "select sequence, kafka_topic_id, kafka_offset, kafka_sequence from haggle.audits "
            "where realm = %s and ok order by audit_id desc limit 1",
            (self._realm,),
        ).fetchone()
        if not row:
            return NOTHING
        rows = self._connection.execute(
            "select player_id, player::text from haggle.audited_players where realm = %s", (self._realm,)
        )
        players = {player_id: msgspec.json.decode(player, type=Player) for player_id, player in rows}
        return Base(row[0], Place(*row[1:]), players)

    def write(
        self, base: Base, checks: list[dict[str, Any]], *, ok: bool, is_full: bool, changed: Iterable[int]
    ) -> None:
        """Keeps a result. If it is exact, the next audit builds on `base`, of whose players `changed` are new."""
        with self._connection.transaction():
            self._connection.execute(
                "insert into haggle.audits (realm, sequence, ok, is_full, checks, kafka_topic_id, kafka_offset, "
                "kafka_sequence) values (%s, %s, %s, %s, %s, %s, %s, %s)",
                (self._realm, base.sequence, ok, is_full, Jsonb(checks), *_columns(base.place)),
            )
            if ok:
                self._write_players(base, changed, is_full=is_full)
            self._forget()

    def _write_players(self, base: Base, changed: Iterable[int], *, is_full: bool) -> None:
        if is_full:
            self._connection.execute("delete from haggle.audited_players where realm = %s", (self._realm,))
            changed = base.players
        self._connection.execute("create temporary table changed (player_id bigint, player jsonb) on commit drop")
        with self._connection.cursor().copy("copy changed from stdin") as copy:
            for player_id in changed:
                copy.write_row((player_id, msgspec.json.encode(base.players[player_id]).decode()))
        self._connection.execute(
            "insert into haggle.audited_players select %s, player_id, player from changed "
            "on conflict (realm, player_id) do update set player = excluded.player",
            (self._realm,),
        )

    def _forget(self) -> None:
        self._connection.execute(
            "delete from haggle.audits where realm = %(realm)s and audit_id < (select min(audit_id) from (select "
            "audit_id from haggle.audits where realm = %(realm)s order by audit_id desc limit %(kept)s) as newest) "
            "and audit_id <> coalesce((select max(audit_id) from haggle.audits where realm = %(realm)s and ok), 0)",
            {"realm": self._realm, "kept": _KEPT},
        )

    def losses(self) -> list[Loss]:
        """The accepted losses, in the order of their sequence numbers."""
        rows = self._connection.execute(
            "select first_sequence, last_sequence, reason from haggle.accepted_losses where realm = %s "
            "order by first_sequence",
            (self._realm,),
        )
        return [Loss(*row) for row in rows]

    def accept(self, loss: Loss) -> None:
        """Keeps an accepted loss."""
        self._connection.execute(
            "insert into haggle.accepted_losses (realm, first_sequence, last_sequence, reason) values (%s, %s, %s, %s)",
            (self._realm, loss.first, loss.last, loss.reason),
        )

    # ------------------------------------------------------------ forgotten players, of any realm

    def clear(self, players: Iterable[Cleared]) -> None:
        """Keeps since when the newest snapshot has no names of these players."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(
                "insert into haggle.forgotten_players values (%s, %s, %s, %s) on conflict (realm, player_id) "
                "do update set cleared_at = excluded.cleared_at",
                list(players),
            )

    def cleared(self) -> list[Cleared]:
        """All of them."""
        rows = self._connection.execute(
            "select realm, player_id, forgotten_at, cleared_at from haggle.forgotten_players order by forgotten_at"
        )
        return [Cleared(*row) for row in rows]


def _columns(place: Place) -> tuple[str, int, int]:
    return place.topic_id, place.offset, place.sequence


@contextmanager
def open_ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger of the settings' realm; its tables are made if they are missing."""
    with connect(settings, "haggle-audit") as connection:
        try:
            yield Ledger(connection, settings.realm)
        finally:
            # the server frees a claim some time after the connection is closed, and the next audit may come sooner
            with suppress(psycopg.Error):
                connection.execute("select pg_advisory_unlock_all()")


@contextmanager
def connect(settings: Settings, name: str) -> Iterator[psycopg.Connection]:
    """A connection to where the ledger's tables are, under a name; they are made if they are missing."""
    password = psycopg.conninfo.conninfo_to_dict(settings.catalog_url).get("password") or settings.catalog_password
    try:
        with psycopg.connect(
            settings.catalog_url,
            password=password,
            autocommit=True,
            connect_timeout=_TIMEOUT_S,
            application_name=name,
            options="-c client_min_messages=warning",
        ) as connection:
            with connection.transaction():
                # two that make the same table at once would fail
                connection.execute("select pg_advisory_xact_lock(hashtextextended('haggle ledger', 0))")
                connection.execute(_TABLES)
            yield connection
    except psycopg.Error as error:
        where = psycopg.conninfo.conninfo_to_dict(settings.catalog_url).get("host")
        raise HaggleError(
            f"the catalog's PostgreSQL at {where} does not serve: {' '.join(str(error).split())}"
        ) from error
