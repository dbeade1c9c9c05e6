"""The reviewers' desk: who is suspected, and what people decided about them, in the catalog's PostgreSQL.

A run of the detection replaces the realm's suspects; a review is never changed, and the newest of a player and cheat
counts. Nothing here changes a player: what follows from a review is the game's business.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import psycopg
from psycopg.rows import class_row

from app.errors import HaggleError
from app.settings import Settings
from jobs.economy.log import Cheat
from jobs.economy.suspect import Suspect
from jobs.lake.cut import Cut
from jobs.lake.ledger import connect


class Decision(StrEnum):
    """What a reviewer says of a suspicion."""

    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"


class Case(NamedTuple):
    """A suspicion, and its newest review (None: nobody has looked at it)."""

    player_id: int
    cheat: str
    score: float
    since: datetime
    why: str
    trades: list[int]
    found_at: datetime
    verdict: str | None
    reviewer: str | None
    reason: str | None
    reviewed_at: datetime | None


class Review(NamedTuple):
    """What a person decided of a suspicion, and why."""

    cheat: Cheat
    decision: Decision
    reviewer: str
    reason: str


class Search(NamedTuple):
    """A look at everything: up to which event, and when."""

    sequence: int
    at: datetime


_CASES = """
select
    s.player_id, s.cheat, s.score, s.since, s.why, s.trades, s.found_at,
    r.verdict, r.reviewer, r.reason, r.at as reviewed_at
from haggle.suspects as s
left join lateral (
    select * from haggle.suspect_reviews as r
    where r.realm = s.realm and r.player_id = s.player_id and r.cheat = s.cheat
    order by review_id desc limit 1
) as r on true
where s.realm = %s
order by s.score desc, s.player_id, s.cheat
"""


class Desk:
    """The desk of one realm, over one connection."""

    def __init__(self, connection: psycopg.Connection, realm: str) -> None:
        self._connection = connection
        self._realm = realm

    def put(self, suspects: Sequence[Suspect], cut: Cut) -> None:
        """Replaces the suspects by those that were found among the events of a cut.

        Who was found before keeps when. Who was reviewed stays, so that what was decided about them can be seen; and
        who was found for what is older than the cut, so that time does not clear anybody.
        """
        rows = [(self._realm, s.player_id, s.cheat, s.score, s.since, s.why, s.trades, cut.sequence) for s in suspects]
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute(
                "delete from haggle.suspects as s where realm = %s and not exists (select 1 from "
                "haggle.suspect_reviews as r where (r.realm, r.player_id, r.cheat) = (s.realm, s.player_id, s.cheat)) "
                "and (player_id, cheat) not in (select * from unnest(%s::bigint[], %s::text[])) "
                "and s.since >= coalesce(%s, '-infinity'::timestamptz)",
                (self._realm, [s.player_id for s in suspects], [str(s.cheat) for s in suspects], cut.since),
            )
            cursor.executemany(
                "insert into haggle.suspects (realm, player_id, cheat, score, since, why, trades, sequence) "
                "values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict (realm, player_id, cheat) do update set "
                "score = excluded.score, since = excluded.since, why = excluded.why, trades = excluded.trades, "
                "sequence = excluded.sequence",
                rows,
            )
            cursor.execute(
                "insert into haggle.suspect_searches (realm, sequence) values (%s, %s) "
                "on conflict (realm) do update set sequence = excluded.sequence, at = now()",
                (self._realm, cut.sequence),
            )

    def last_search(self) -> Search | None:
        """The newest search; None if nobody ever looked."""
        with self._connection.cursor(row_factory=class_row(Search)) as cursor:
            statement = "select sequence, at from haggle.suspect_searches where realm = %s"
            return cursor.execute(statement, (self._realm,)).fetchone()

    def cases(self) -> Iterator[Case]:
        """All suspicions, the gravest first."""
        with self._connection.cursor(row_factory=class_row(Case)) as cursor:
            yield from cursor.execute(_CASES, (self._realm,))

    def review(self, player_id: int, review: Review) -> None:
        """Keeps what a person decided. Raises HaggleError if the player is not suspected of it."""
        suspected = [Cheat(case.cheat) for case in self.cases() if case.player_id == player_id]
        if review.cheat not in suspected:
            of = f"only of {', '.join(suspected)}" if suspected else "of nothing"
            raise HaggleError(
                f"player {player_id} of realm {self._realm} is suspected {of}; see `haggle suspects list`"
            )
        self._connection.execute(
            "insert into haggle.suspect_reviews (realm, player_id, cheat, verdict, reviewer, reason) "
            "values (%s, %s, %s, %s, %s, %s)",
            (self._realm, player_id, *review),
        )


@contextmanager
def open_desk(settings: Settings) -> Iterator[Desk]:
    """The desk of the settings' realm; its tables are made if they are missing."""
    with connect(settings, "haggle-suspects") as connection:
        yield Desk(connection, settings.realm)
