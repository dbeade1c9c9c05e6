"""A game's log in a folder, as a foreign game hands it over: events, who cheated, and who only looks like it.

`events.jsonl` has events of the contract in the order of their sequence, `labels.jsonl` everyone who is to be found
(victims too, since they need help), and `innocent.jsonl`, which may be missing, players who do what cheats do for
honest reasons. Each line is an object in JSON.
"""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from app.contract.events import (
    AdjustmentRejected,
    CatalogPublished,
    Event,
    PlayerAdjusted,
    PlayerCreated,
    PlayerForgotten,
    PlayerRenamed,
    decode_event,
)
from app.errors import HaggleError

EVENTS_FILE: Final = "events.jsonl"
LABELS_FILE: Final = "labels.jsonl"
INNOCENT_FILE: Final = "innocent.jsonl"

_Row = TypeVar("_Row")


class Cheat(StrEnum):
    """What a player may be suspected of."""

    WASH_TRADING = "wash_trading"
    GOLD_SELLING = "gold_selling"
    PRICE_MANIPULATION = "price_manipulation"
    DUPLICATION = "duplication"
    BOTTING = "botting"
    ACCOUNT_THEFT = "account_theft"


class Label(Struct, frozen=True):
    """A player who is to be found: `instance` names those who acted together, `evasive` that they hid it."""

    player_id: int
    cheat: Cheat
    role: str
    instance: str
    evasive: bool = False


class Innocent(Struct, frozen=True):
    """A player who must not be flagged, and what kind of look-alike it is."""

    player_id: int
    kind: str


class GameLog(NamedTuple):
    """A log that was read: where its events are, of which realm and up to which they are, and the truth about them."""

    events: Path
    realm: str
    sequence: int
    players: set[int]
    labels: list[Label]
    innocents: list[Innocent]


def read_log(folder: Path) -> GameLog:
    """Reads a folder. Raises HaggleError, which names the file and the line, for what is not as it should be."""
    events = folder / EVENTS_FILE
    realm, sequence, players = _check_events(events)
    labels = list(_rows(folder / LABELS_FILE, Label))
    innocents = list(_rows(folder / INNOCENT_FILE, Innocent)) if (folder / INNOCENT_FILE).exists() else []
    for name, rows in ((LABELS_FILE, labels), (INNOCENT_FILE, innocents)):
        if unknown := sorted({row.player_id for row in rows} - players):
            raise HaggleError(f"{folder / name} names player {unknown[0]}, of whom {EVENTS_FILE} knows nothing")
    return GameLog(events, realm, sequence, players, labels, innocents)


def _check_events(path: Path) -> tuple[str, int, set[int]]:
    """Realm, last sequence and players of a file of events."""
    realm, sequence = "", 0
    players: set[int] = set()
    for place, line in _lines(path):
        try:
            event = decode_event(line)
        except msgspec.DecodeError as error:
            raise HaggleError(f"{place} is no event of the contract: {error}; docs/events.md has its form") from None
        if event.sequence <= sequence:
            raise HaggleError(f"{place} has sequence {event.sequence} after {sequence}: sort the events by it")
        if realm and event.realm != realm:
            raise HaggleError(f"{place} is of realm {event.realm}, and those before it are of {realm}: judge one alone")
        realm, sequence = event.realm, event.sequence
        players.update(_players_of(event))
    if not realm:
        raise HaggleError(f"{path} has no events")
    return realm, sequence, players


def _players_of(event: Event) -> tuple[int, ...]:
    match event:
        case CatalogPublished():
            return ()
        case PlayerCreated() | PlayerRenamed() | PlayerForgotten() | PlayerAdjusted() | AdjustmentRejected():
            return (event.player_id,)
        case _:
            return event.player_1.player_id, event.player_2.player_id


def _rows(path: Path, kind: type[_Row]) -> Iterator[_Row]:
    decoder = msgspec.json.Decoder(kind)
    for place, line in _lines(path):
        try:
            yield decoder.decode(line)
        except msgspec.DecodeError as error:
            raise HaggleError(f"{place} is not as docs/economy.md says: {error}") from None


def _lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """The lines that are not blank, each with its place."""
    try:
        with path.open("rb") as file:
            yield from ((f"{path} line {number}", line) for number, line in enumerate(file, start=1) if line.strip())
    except OSError as error:
        raise HaggleError(f"{path} cannot be read: {error.strerror}") from None
