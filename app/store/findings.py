"""What jobs have found in the lake last, for those who look at the game now: a key each, which a newer one replaces."""

from typing import Any, Final, get_args

import msgspec
from redis import Redis

from app.domain import Finding, FindingName
from app.store.client import store_errors
from app.store.keys import Keys

_NAMES: Final[tuple[FindingName, ...]] = get_args(FindingName)
_KEEP_S: Final = 30 * 86_400
_findings: Final = msgspec.msgpack.Decoder(Finding)


class Findings:
    """The newest finding of each name, for 30 days."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def write(self, name: FindingName, finding: Finding) -> None:
        """Replaces the one of that name."""
        with store_errors():
            self._client.set(self._keys.finding(name), msgspec.msgpack.encode(finding), ex=_KEEP_S)

    def read(self) -> dict[str, Finding]:
        """All that there are, by name."""
        with store_errors():
            packed: Any = self._client.mget([self._keys.finding(name) for name in _NAMES])
        return {name: _findings.decode(each) for name, each in zip(_NAMES, packed, strict=True) if each}
