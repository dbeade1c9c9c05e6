"""One moment of a realm, so that questions asked one after another are answered of the same events.

A view has no parameters. So the views that a statement asks are written into it, over the events up to the moment.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from app.contract.tables import CATALOG, EVENTS, SCHEMA, VIEWS

_SCHEMA = f"{CATALOG}.{SCHEMA}"
_VIEWS = {view.name: view for view in VIEWS}
_ASKED = re.compile(rf"\b{re.escape(_SCHEMA)}\.(\w+)\b")


@dataclass(frozen=True, slots=True)
class Cut:
    """The events of `realm` up to `sequence` that occurred from `since` to `until` (None: whenever they occurred)."""

    realm: str
    sequence: int
    until: datetime | None = None
    since: datetime | None = None

    @property
    def condition(self) -> str:
        """What holds of these events, in SQL."""
        realm = self.realm.replace("'", "''")
        condition = f"realm = '{realm}' and sequence <= {self.sequence}"
        for sign, bound in ((">=", self.since), ("<=", self.until)):
            if bound:
                condition += f" and occurred_at {sign} timestamp '{bound.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC'"
        return condition


def at(cut: Cut, sql: str) -> str:
    """The statement, asked of the cut alone. It begins with `with` or `select`, perhaps after lines of comment.

    Its own names within `with` must not be those of views.
    """
    comment, body = _split(sql)
    asked = [name for name in dict.fromkeys(_ASKED.findall(body)) if name in _VIEWS or name == EVENTS.name]
    parts = [f"{EVENTS.name} as (\nselect * from {_SCHEMA}.{EVENTS.name}\nwhere {cut.condition}\n)"]
    parts += [f"{name} as (\n{_over_cut(_VIEWS[name].query())}\n)" for name in asked if name in _VIEWS]
    first, rest = body.split(None, 1)
    joined = f",\n\n{rest}" if first.lower() == "with" else f"\n\n{body}"
    return f"{comment}with " + ",\n\n".join(parts) + _over_cut(joined, {*asked})


def _split(sql: str) -> tuple[str, str]:
    """The lines of comment that a statement begins with, and the statement."""
    lines = sql.splitlines(keepends=True)
    start = next(n for n, line in enumerate(lines) if line.strip() and not line.startswith("--"))
    return "".join(lines[:start]), "".join(lines[start:])


def _over_cut(sql: str, asked: set[str] | None = None) -> str:
    names = asked or {EVENTS.name}
    return _ASKED.sub(lambda match: match[1] if match[1] in names else match[0], sql)
