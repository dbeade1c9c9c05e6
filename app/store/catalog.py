"""The catalog of a realm: which economy is in force, and how an engine's own comes into force.

Redis holds it, and decides all commands by it (lua/catalog.lua). An engine knows it to show it: each call says which
one the caller knows, and is refused if that is another (`Functions.call`), so that the caller learns it (`refresh`).
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from app.contract.economy import Economy
from app.errors import CatalogRefused, outbox_full
from app.store.layout import pack_catalog, read_catalog

_log = logging.getLogger(__name__)
_UNKNOWN: Final = "?"

Call = Callable[..., list[Any]]
"""Calls a Lua function, whatever catalog is in force."""


class Catalog:
    """The economy in force, as this engine knows it.

    `offered` is that of ECONOMY_FILE, which is published if it is newer. `is_new`: the realm has not taken this
    engine's yet, so that an offer of an older version is a mistake; later, others may have published newer ones.
    """

    def __init__(self, call: Call, offered: Economy, *, is_new: bool = True) -> None:
        self._call = call
        self._offered = offered
        self._is_new = is_new
        self._known = offered
        self._lock = threading.Lock()
        self.tag = _UNKNOWN
        """Of the catalog that is known; as each call says it."""

    @property
    def economy(self) -> Economy:
        """The economy in force; before the first call that of the file."""
        return self._known

    def refresh(self, tag: str) -> None:
        """Learns which catalog is in force, after a call with `tag` was refused; publishes the engine's own if newer.

        Raises CatalogRefused if the realm does not take the engine's own, and Unavailable.
        """
        with self._lock:
            if self.tag != tag:
                return  # another request was quicker
            self._offer()
            in_force, packed = self._call("catalog")
            self._known, self.tag, self._is_new = read_catalog(packed), in_force.decode(), False
            _log.info("a catalog is in force", extra={"context": {"version": self._known.version}})

    def _offer(self) -> None:
        own = self._offered
        status, *rest = self._call("publish_catalog", own.version, own.digest, own.max_capacity, *pack_catalog(own))
        if status == b"outbox_full":
            raise outbox_full()
        if status == b"published":
            _log.info("a catalog is published", extra={"context": {"version": own.version, "digest": own.digest}})
        elif status != b"same" and not (status == b"before" and not self._is_new):
            raise CatalogRefused(_why(status, own, [word.decode() for word in rest]))


def _why(status: bytes, own: Economy, rest: Sequence[str]) -> str:
    in_force, *items = rest
    version = in_force.split(".")[0]
    start = f"ECONOMY_FILE holds version {own.version:,}"
    match status:
        case b"held":
            return f"{start}, which lacks items that players hold: {', '.join(items)}; put them back"
        case b"other_content":
            return f"{start}, which was published with other content; give what has changed a version of its own"
        case _:
            return f"{start}, and version {version} is in force, which does not go back: raise the version above that"
