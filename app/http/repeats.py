"""Names that were used again: counted, and written to the log with who used them.

No event tells of them: nothing was decided, and whoever repeats a command would fill the lake. Most repeats are those
of a client that got no answer; many of one caller, or names that come with other content, are somebody who tries.
"""

import logging
from collections.abc import Sequence
from typing import Final

from flask import g

from app.http import metrics

_NAMED_MAX: Final = 10

_log = logging.getLogger(__name__)


def note(outcome: str, names: Sequence[str]) -> None:
    """Notes that the caller used these names again. `outcome`: replayed, recalled or mismatch."""
    if names:
        metrics.REPEATS.labels(outcome).inc(len(names))
        context = {
            "caller": g.caller.name,
            "outcome": outcome,
            "count": len(names),
            "names": list(names[:_NAMED_MAX]),
        }
        _log.info("names were used again", extra={"context": context})


def note_batch(names: Sequence[str], statuses: Sequence[str]) -> None:
    """The same for the commands of a batch."""
    for outcome in ("replayed", "recalled", "mismatch"):
        note(outcome, [name for name, status in zip(names, statuses, strict=True) if status == outcome])
