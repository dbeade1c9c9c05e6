"""A plan in a folder, as a foreign game hands over its log: events, who cheats, and who only looks like it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from app.contract.economy import Economy
from app.errors import HaggleError
from jobs.economy.behaviours.events import event_lines
from jobs.economy.behaviours.plan import Plan, Setting, plan
from jobs.economy.log import EVENTS_FILE, INNOCENT_FILE, LABELS_FILE, Innocent, Label

_REALM: Final = "planned"


def write_plan(economy: Economy, setting: Setting, folder: Path) -> Plan:
    """Draws a plan and writes it: events.jsonl, labels.jsonl and innocent.jsonl. Raises HaggleError."""
    drawn = plan(economy, setting)
    write_lines(folder / EVENTS_FILE, event_lines(economy, drawn.acts, f"{_REALM}-{setting.seed}"))
    write_truth(folder, drawn.labels, drawn.innocents)
    return drawn


def write_truth(folder: Path, labels: Iterable[Label], innocents: Iterable[Innocent]) -> None:
    """Writes who is to be found, and who is not."""
    write_lines(folder / LABELS_FILE, map(msgspec.json.encode, labels))
    write_lines(folder / INNOCENT_FILE, map(msgspec.json.encode, innocents))


def write_lines(path: Path, lines: Iterable[bytes]) -> None:
    """A file of these lines, whole or not at all; its folder is made if need be."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.writelines(line + b"\n" for line in lines)
        part.replace(path)
    except OSError as error:
        raise HaggleError(f"{path} cannot be written: {error.strerror}") from None
