"""The audit: proves, while trades go on, that every decision is in Kafka and the lake, once, and that balances agree.

It reads the head of the realm, then every player with its version, then the head again, and waits until the lake has
come past that. Then it goes through the events, from the newest exact audit on or all of them, up to the first head:
each state must follow from the one before it. What came after, it adds to each player up to the version that was read,
which must give what Redis said. What the game brought in, less what it took, is what is held. All queries of an audit
are bounded by sequence numbers. Rows are only ever added, and those of a realm in the order of their sequence, so all
queries see the same rows, whatever is appended meanwhile.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

from app.errors import HaggleError
from app.settings import Settings
from jobs import engine
from jobs.lake.book import GOLD, Amounts, Book, InRedis, add, broken_state
from jobs.lake.compare import Compared, Comparison, tail_of
from jobs.lake.ledger import NOTHING, Base, Loss, Place, open_ledger
from jobs.lake.log import Log, Read
from jobs.lake.moment import newest_sequence
from jobs.lake.trino import Lake

WAIT_S: Final = 60.0
"""How long an audit waits for the lake, unless it is told otherwise."""

_PAGE: Final = 1_000
_PART: Final = 1_000_000
"""Events that one query goes through; the memory of Trino holds twice as many states at a time."""
_POLL_S: Final = 0.5
_LONG_POLL_S: Final = 1.0
_NAMED: Final = 10
_NOTE_LENGTH: Final = 300

Part = tuple[int, int]
"""The sequence numbers above the first and up to the second."""

Catalogs = dict[int, dict[int, int]]
"""By the event from which on a catalog holds: the value of each item."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked, and what was seen."""

    name: str
    ok: bool
    seen: str


@dataclass(frozen=True, slots=True)
class Head:
    """What the engine says of its realm: the newest sequence number, and how many events wait for Kafka."""

    sequence: int
    outbox_events: int

    @property
    def published(self) -> int:
        """The newest event that Kafka has been given; it may have been given later ones."""
        return self.sequence - self.outbox_events


@dataclass(frozen=True, slots=True)
class Arrival:
    """How far the lake has come: `newest`, of which the audit looks at no more than `until`."""

    newest: int
    until: int
    behind_events: int
    waited_s: float
    moved: bool


def audit(settings: Settings, *, full: bool = False, wait_s: float = WAIT_S) -> list[Check]:
    """All checks of the realm, from the newest exact audit on, or of everything; the result goes into the ledger.

    The engine is told, for those who look at its live page or its metrics. Raises HaggleError when a server does not
    answer, or another audit of the realm runs.
    """
    with open_ledger(settings) as ledger:
        ledger.claim()
        base = NOTHING if full else ledger.base()
        run = _Audit(settings, base, ledger.losses())
        checks = run.check(wait_s)
        ok = all(check.ok for check in checks)
        ledger.write(
            run.proved(), [asdict(check) for check in checks], ok=ok, is_full=not base.sequence, changed=run.changed()
        )
    notes = {check.name: check.seen[:_NOTE_LENGTH] for check in checks if not check.ok}
    engine.tell(settings, "audit", run.proved().sequence, ok=ok, notes=dict(list(notes.items())[:_NAMED]))
    return checks


class _Audit:
    """One audit, which builds on `base`."""

    def __init__(self, settings: Settings, base: Base, losses: Sequence[Loss]) -> None:
        self._settings = settings
        self._realm = settings.realm
        self._lake = Lake(settings, "haggle audit")
        self._base = base
        self._losses = losses
        self._book = Book(base.players, losses, base.sequence)
        self._place = base.place

    def proved(self) -> Base:
        """What the next audit can build on, if this one is exact."""
        return Base(self._book.sequence, self._place, self._book.players)

    def changed(self) -> set[int]:
        """Players of whom more is proved than before."""
        return self._book.changed

    def check(self, wait_s: float) -> list[Check]:
        """Reads, waits and checks."""
        before = read_head(self._settings)
        players = {player["player_id"]: _in_redis(player) for player in _players(self._settings)}
        after = read_head(self._settings)
        arrival = self._wait(after, wait_s)
        with closing(Log(self._settings)) as log:
            kafka = self._check_kafka(log, before, arrival)
        until = max(self._base.sequence, min(before.sequence, arrival.until))
        catalogs = self._ask_catalogs(until)
        self._book = Book(
            self._base.players, self._losses, self._base.sequence, _in_force(catalogs, self._base.sequence)
        )
        events = self._check_events(arrival.until)
        for part in _at_catalogs(_parts(self._base.sequence, until, self._losses), catalogs):
            self._follow(part, catalogs)
        self._book.sequence = until
        tail = tail_of(self._ask("changes", 4, (until, max(until, arrival.until))).rows)
        compared = Comparison(self._book, tail, is_behind=arrival.behind_events > 0).compare(players)
        return [
            _lag(before, arrival),
            kafka,
            events,
            self._check_states(compared.lost_versions),
            self._check_dead_letters(),
            *self._compare(compared),
        ]

    def _ask(self, name: str, times: int, part: Part) -> Any:
        return self._lake.ask(f"audit/{name}", (self._realm, *part) * times)

    # ------------------------------------------------------------ how far the lake is

    def _wait(self, head: Head, wait_s: float) -> Arrival:
        """Waits until the lake has come to the head, for so long at most."""
        started = time.monotonic()
        first = newest = newest_sequence(self._lake, self._realm, 0)
        while newest < head.sequence and time.monotonic() < started + wait_s:
            time.sleep(_POLL_S)
            newest = newest_sequence(self._lake, self._realm, newest)
        behind = max(0, head.sequence - newest)
        waited_s = time.monotonic() - started
        return Arrival(newest, min(newest, head.sequence), behind, waited_s, moved=newest > first or not behind)

    # ------------------------------------------------------------ Kafka

    def _check_kafka(self, log: Log, head: Head, arrival: Arrival) -> Check:
        start = log.start(self._base.place)
        landed = self._lake.ask("audit/landed", (log.topic_id, log.partition, start)).rows[0][0]
        read = log.read(self._base.place, landed)
        self._place = Place(read.topic_id, max(read.start, landed + 1), read.last_counted)
        faults = [f"events {_ranges(self._not_accepted(read.gaps))} are missing"] * bool(self._not_accepted(read.gaps))
        if read.again:
            named = _named([f"{sequence:,} (offset {offset:,})" for sequence, offset in read.again])
            faults.append(f"events stand there again: {named}")
        faults += self._nowhere(head, arrival, read)
        faults += self._disagreement(read)
        seen = f"events {read.first:,} to {read.last:,} in order, each once" if read.events else "no new events"
        seen += f", {read.others:,} other records; all {read.records:,} records are in the lake"
        return Check("kafka", not faults, "; ".join(faults) or seen)

    def _not_accepted(self, ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        return [left for each in ranges for left in _without(each, self._losses)]

    def _nowhere(self, head: Head, arrival: Arrival, read: Read) -> Iterator[str]:
        """Published events that neither Kafka holds nor the lake."""
        next_in_kafka = read.first if read.events else head.published + 1
        lost = [(arrival.newest + 1, min(next_in_kafka - 1, head.published))]
        if read.events and read.last < head.published:
            lost.append((max(arrival.newest, read.last) + 1, head.published))
        if left := self._not_accepted(each for each in lost if each[0] <= each[1]):
            yield f"events {_ranges(left)} were published, and neither Kafka nor the lake holds them"

    def _disagreement(self, read: Read) -> Iterator[str]:
        """Records of Kafka that the lake does not have, or has twice."""
        parameters = (read.topic_id, read.partition, read.start, read.counted, self._realm, self._realm)
        (row,) = self._lake.ask("audit/records", parameters).records()
        due = read.records - self._refilled(read)
        if row["records"] != row["different"]:
            yield f"{row['records'] - row['different']:,} records stand in the lake twice"
        if row["different"] != due:
            yield f"the lake holds {row['different']:,} of {due:,} records up to offset {read.counted:,}"

    def _refilled(self, read: Read) -> int:
        """Events of a topic that was filled again which the lake had already: it has left them out."""
        if not read.events:
            return 0
        former: int = self._lake.ask("audit/former_topics", (self._realm, read.topic_id)).rows[0][0]
        return max(0, min(former, read.last_counted) - read.first + 1)

    # ------------------------------------------------------------ events and states

    def _check_events(self, until: int) -> Check:
        """1 … `until`, each once: part by part what is new, and by number and sum what was audited before."""
        missing: list[tuple[int, int]] = []
        again: list[tuple[int, int]] = []
        for part in _parts(self._base.sequence, until, self._losses):
            (row,) = self._ask("sequences", 1, part).records()
            if row["different"] != part[1] - part[0]:
                missing += self._ask_gaps(part)
            if row["events"] != row["different"]:
                again += self._ask("duplicates", 1, part).rows
        faults = [f"events {_ranges(missing)} are missing"] * bool(missing)
        if again:
            faults.append(f"events stand there again: {_named([f'{sequence:,}' for sequence, _ in again])}")
        faults += self._changed_before()
        lost = sum(loss.count for loss in self._losses if loss.last <= until)
        seen = f"1 to {until:,}, each once"
        if lost:
            ranges = _ranges([(loss.first, loss.last) for loss in self._losses])
            seen += f", but for {lost:,} whose loss was accepted: {ranges}"
        if self._base.sequence:
            seen += f"; looked through from {self._base.sequence + 1:,} on, what was audited before is still there"
        return Check("events", not faults, "; ".join(faults) or seen)

    def _ask_gaps(self, part: Part) -> list[tuple[int, int]]:
        parameters = (part[0], part[1] + 1, self._realm, *part)
        return [(first, last) for first, last in self._lake.ask("audit/gaps", parameters).rows]

    def _changed_before(self) -> Iterator[str]:
        until = self._base.sequence
        if not until:
            return
        lost = [loss for loss in self._losses if loss.last <= until]
        (row,) = self._lake.ask("audit/totals", (self._realm, until)).records()
        replayed = [self._ask_totals(loss) for loss in lost]
        events = until - sum(loss.count for loss in lost) + sum(count for count, _ in replayed)
        total = until * (until + 1) // 2 - sum(
            (loss.first + loss.last) * (loss.last - loss.first + 1) // 2 for loss in lost
        )
        total += sum(sequences for _, sequences in replayed)
        if (row["events"], row["sum_of_sequences"]) != (events, total):
            yield (
                f"of events 1 to {until:,}, audited before, there are {row['events']:,} rows where {events:,} are due, "
                "or others: `haggle audit --full` names what differs"
            )

    def _ask_totals(self, loss: Loss) -> tuple[int, int]:
        """Events of an accepted loss that came later after all, such as a dead letter that was replayed."""
        upper, lower = (
            self._lake.ask("audit/totals", (self._realm, until)).rows[0] for until in (loss.last, loss.first - 1)
        )
        return upper[0] - lower[0], upper[1] - lower[1]

    def _ask_catalogs(self, until: int) -> Catalogs:
        catalogs: Catalogs = {}
        for sequence, item_id, value in self._lake.ask("audit/catalogs", (self._realm, until)).rows:
            catalogs.setdefault(sequence, {})[item_id] = value
        return catalogs

    def _follow(self, part: Part, catalogs: Catalogs) -> None:
        if values := catalogs.get(part[0] + 1):
            self._book.revalue(values)
        states = self._ask("states", 3, part).records()
        items = self._ask("items", 3, part).records()
        self._book.follow(part[1], states, items, self._ask("holds", 1, part).rows)
        self._book.bring(self._ask("supply", 3, part).rows)
        self._name_broken(part)

    def _name_broken(self, part: Part) -> None:
        """Names the states that do not follow, of the first players of whom there are some."""
        book = self._book
        for query, players in (("broken_states", book.unlinked), ("broken_items", book.unlinked_items)):
            if not players:
                continue
            parameters = (*(self._realm, *part) * 3, sorted(players)[:_NAMED])
            for row in self._lake.ask(f"audit/{query}", parameters).records():
                what = f"item {row['item_id']}" if "item_id" in row else ""
                book.broken.append(broken_state(row["player_id"], row["version"], row["sequence"], what))
            book.broken += [f"states of player {player_id}" for player_id in sorted(players)[_NAMED:]]
            players.clear()

    def _check_states(self, lost_versions: int) -> Check:
        book = self._book
        missing = book.missing_versions + lost_versions
        lost = sum(loss.count for loss in self._losses)
        broken = list(book.broken)
        if missing > 2 * lost:
            broken.append(f"{missing:,} versions are missing, more than {lost:,} lost events can have made")
        if broken:
            return Check("states", ok=False, seen=f"do not follow from the ones before: {_named(broken)}")
        seen = f"{book.states:,} states of {len(book.changed):,} players, each follows from the one before"
        if missing:
            seen += f", but for {missing:,} that went with accepted losses"
        return Check("states", ok=True, seen=seen)

    def _check_dead_letters(self) -> Check:
        rows = self._lake.ask("audit/dead_letters", (self._settings.kafka_topic,)).records()
        ok = all(row["dead_letters"] == row["different"] for row in rows)
        reasons = ", ".join(f"{row['dead_letters']:,} {row['reason']}" for row in rows)
        twice = sum(row["dead_letters"] - row["different"] for row in rows)
        seen = f"{sum(row['different'] for row in rows):,} records that are not valid events, each kept once"
        seen += f": {reasons}" if rows else ""
        return Check("dead letters", ok, seen if ok else f"{twice:,} are kept more than once ({reasons})")

    # ------------------------------------------------------------ balances

    def _compare(self, found: Compared) -> Iterator[Check]:
        players = len(self._book.players)
        seen = f"{found.amounts:,} amounts of {players:,} players, by the events, equal Redis"
        if found.adopted:
            seen += (
                f"; of {found.adopted:,} players touched by accepted losses, gold and totals of items are proved where "
                "a later state gives them, and the items themselves are taken from Redis"
            )
        if found.pending:
            seen += f"; {found.pending:,} more have changed since, which the lake does not show yet"
        yield Check("balances", not found.differences, _named(found.differences) or seen)
        seen = f"{found.held_amounts:,} amounts that open offers hold, by the events, equal Redis"
        yield Check("held by offers", not found.held_differences, _named(found.held_differences) or seen)
        yield self._conservation(found)

    def _conservation(self, found: Compared) -> Check:
        """Σ created + Σ given - Σ taken = Σ held at one event, for gold and each item, by the states."""
        supply: Amounts = dict(self._book.supply)
        if found.created:
            start = _starts(self._settings)
            for player_class in found.created:
                add(supply, start.get(player_class, {}))
        unproved = sum(player.unproved for player in self._book.players.values())
        held = self._book.held_amounts()
        at = f"at event {self._book.sequence:,}"
        if unproved:
            return Check("conservation", ok=True, seen=f"not comparable {at}: {unproved:,} players are not proved")
        different = [
            f"{'gold' if key == GOLD else f'item {key}'}: {supply.get(key, 0):,} created and given, less what was "
            f"taken, {held.get(key, 0):,} held"
            for key in sorted(supply.keys() | held.keys())
            if supply.get(key, 0) != held.get(key, 0)
        ]
        if different and (found.adopted or self._book.missing_versions):
            seen = f"not comparable {at}: what the game gave or took may be among the events whose loss was accepted"
            return Check("conservation", ok=True, seen=seen)
        units = sum(held.values()) - held.get(GOLD, 0)
        seen = f"{held.get(GOLD, 0):,} gold and {units:,} item units held {at}: created and given, less what was taken"
        return Check("conservation", not different, f"{at}: {_named(different)}" if different else seen)


# ---------------------------------------------------------------- accepting a loss


def accept_loss(settings: Settings, loss: Loss) -> None:
    """Writes into the ledger that these events are lost; raises HaggleError unless all are missing for good.

    The lake lands a realm's events in their order, so one that it has come past without is not on its way.
    """
    if not 1 <= loss.first <= loss.last:
        raise HaggleError(f"{loss.first} to {loss.last} is no range of sequence numbers")
    lake = Lake(settings, "haggle audit")
    with open_ledger(settings) as ledger:
        ledger.claim()
        newest = newest_sequence(lake, settings.realm, 0)
        if loss.last >= newest:
            raise HaggleError(f"the lake has only come to event {newest:,}: what follows may be on its way")
        part = (loss.first - 1, loss.last)
        (row,) = lake.ask("audit/sequences", (settings.realm, *part)).records()
        if row["different"]:
            raise HaggleError(f"the lake holds {row['different']:,} of the events {loss.first:,} to {loss.last:,}")
        if any(loss.first <= other.last and other.first <= loss.last for other in ledger.losses()):
            raise HaggleError("the loss of some of these events was accepted before")
        ledger.accept(loss)


# ---------------------------------------------------------------- the head, and waiting for the lake


def wait_until_queryable(settings: Settings, timeout_s: float, progress: Callable[[int, int], None]) -> int:
    """Waits until every event decided so far is in the lake; returns their number. Raises HaggleError at timeout.

    Calls `progress(newest event in the lake, newest event decided)` after each look.
    """
    lake = Lake(settings, "haggle audit")
    deadline = time.monotonic() + timeout_s
    decided = read_head(settings).sequence
    arrived = 0
    while True:
        try:
            arrived = newest_sequence(lake, settings.realm, arrived)
        except HaggleError:  # the table is not there before the first start of the streams
            if time.monotonic() > deadline:
                raise
        progress(min(arrived, decided), decided)
        if arrived >= decided:
            return decided
        if time.monotonic() > deadline:
            raise HaggleError(
                f"after {timeout_s:.0f} s the lake has come to event {arrived:,} of {decided:,}; "
                "see `haggle status` and the logs of relay and streams"
            )
        time.sleep(_LONG_POLL_S)


def read_head(settings: Settings) -> Head:
    """What the engine's /readyz says."""
    answer = engine.get(settings, "/readyz")
    return Head(answer["sequence"], answer["outbox_events"])


def _lag(head: Head, arrival: Arrival) -> Check:
    waiting = f"{head.outbox_events:,} events waited in the outbox"
    if not arrival.behind_events:
        seen = f"{waiting}; the lake came to event {arrival.until:,} within {arrival.waited_s:.1f} s"
        return Check("lag", ok=True, seen=seen)
    behind = f"the lake is {arrival.behind_events:,} events behind after {arrival.waited_s:.0f} s"
    if arrival.moved:
        return Check("lag", ok=True, seen=f"{waiting}; {behind}, and goes on: checked up to event {arrival.until:,}")
    still = f"{behind}, and stands still at event {arrival.until:,}; see `haggle status`"
    return Check("lag", ok=False, seen=f"{waiting}; {still}")


# ---------------------------------------------------------------- players


def _players(settings: Settings) -> Iterator[dict[str, Any]]:
    cursor: int | None = 0
    while cursor is not None:
        page = engine.get(settings, f"/v1/players?cursor={cursor}&limit={_PAGE}")
        cursor = page["next_cursor"]
        yield from page["players"]


def _starts(settings: Settings) -> dict[str, Amounts]:
    """What a player of each class starts with, as the engine has it."""
    return {name: {**each.items, GOLD: each.gold} for name, each in engine.economy(settings).classes.items()}


def _in_redis(player: dict[str, Any]) -> InRedis:
    held = player.get("held") or {"gold": 0, "items": []}
    owned = _amounts(player["gold"], player["inventory"]["items"])
    return InRedis(player["player_class"], player["version"], owned, _amounts(held["gold"], held["items"]))


def _amounts(gold: int, items: list[dict[str, int]]) -> Amounts:
    amounts = {item["item_id"]: item["quantity"] for item in items}
    return amounts | ({GOLD: gold} if gold else {})


# ---------------------------------------------------------------- ranges and words


def _parts(after: int, until: int, losses: Sequence[Loss]) -> Iterator[Part]:
    """What lies between, in parts of bounded size, without what is lost."""
    for first, last in _without((after + 1, until), losses):
        for start in range(first - 1, last, _PART):
            yield start, min(start + _PART, last)


def _at_catalogs(parts: Iterable[Part], catalogs: Catalogs) -> Iterator[Part]:
    """The parts, of which another begins with each event that publishes a catalog."""
    for first, last in parts:
        cuts = [first, *(each - 1 for each in sorted(catalogs) if first < each - 1 < last), last]
        yield from pairwise(cuts)


def _in_force(catalogs: Catalogs, sequence: int) -> dict[int, int]:
    """The values by the newest catalog up to an event."""
    newest = max((each for each in catalogs if each <= sequence), default=0)
    return catalogs.get(newest, {})


def _without(whole: tuple[int, int], losses: Sequence[Loss]) -> Iterator[tuple[int, int]]:
    """The ranges of `whole` (both ends included) that are no accepted loss."""
    first, last = whole
    for loss in losses:
        if loss.last < first or loss.first > last:
            continue
        if loss.first > first:
            yield first, loss.first - 1
        first = loss.last + 1
    if first <= last:
        yield first, last


def _ranges(ranges: Sequence[tuple[int, int]]) -> str:
    """The first ranges, and how many numbers there are in all."""
    count = sum(last - first + 1 for first, last in ranges)
    texts = [f"{first:,}" if first == last else f"{first:,}-{last:,}" for first, last in ranges[:_NAMED]]
    more = f" and {len(ranges) - _NAMED:,} more ranges" if len(ranges) > _NAMED else ""
    return f"{', '.join(texts)}{more} ({count:,})"


def _named(texts: Sequence[str]) -> str:
    """The first ten, and how many there are."""
    if not texts:
        return ""
    more = f" and {len(texts) - _NAMED:,} more" if len(texts) > _NAMED else ""
    return f"{len(texts):,}: {'; '.join(texts[:_NAMED])}{more}"
