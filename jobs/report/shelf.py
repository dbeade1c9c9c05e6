"""The folder that reports are kept in: one folder each, named by time, and `newest`."""

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

NEWEST: Final = "newest"
_FORM: Final = "%Y-%m-%dT%H%M%SZ"
_NAME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z")


def shelf_name(made_at: datetime) -> str:
    """The name of a report's folder; names sort by time."""
    return made_at.astimezone(UTC).strftime(_FORM)


def tidy(shelf: Path, keep: int, keep_bytes: int, keep_days: int) -> list[Path]:
    """Lets `newest` lead to the newest report, in one step, and removes the oldest ones.

    Those beyond `keep` reports or `keep_bytes` go, and those that are older than the newest by `keep_days`, since they
    may name players that were forgotten; never the newest. What is not named like a report stays. Returns the folders
    of those that are left, newest first.
    """
    reports = sorted((path for path in shelf.iterdir() if _NAME.fullmatch(path.name)), reverse=True)
    link = shelf / ".newest"
    link.unlink(missing_ok=True)
    link.symlink_to(reports[0].name)
    link.rename(shelf / NEWEST)
    oldest = shelf_name(datetime.strptime(reports[0].name, _FORM).replace(tzinfo=UTC) - timedelta(days=keep_days))
    room, kept = keep_bytes, []
    for number, report in enumerate(reports):
        room -= sum(path.stat().st_size for path in report.rglob("*") if path.is_file())
        if number >= keep or (room < 0 and number) or report.name < oldest:
            shutil.rmtree(report)
        else:
            kept.append(report)
    return kept
