"""A kept-alive HTTP/1.1 connection of the simulation to the engine.

A general client takes three times the processor time of this one, and on one machine it takes it from the engine. In
turn this one reads just what the engine sends: answers with a Content-Length.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

_TIMEOUT_S: Final = 30
_HEAD: Final = re.compile(rb"HTTP/1\.1 (\d{3}) .*\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE | re.DOTALL)
_CLOSE: Final = re.compile(rb"\r\nconnection: *close\r\n", re.IGNORECASE)


class Connection:
    """One request at a time; opened by the first, and again by the next after it was closed."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._address = urlsplit(url)
        lines = {"Host": self._address.netloc, "Content-Type": "application/json", **headers}
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, body: bytes, key: str = "") -> tuple[int, bytes]:
        """Status and body of the answer; raises ConnectionError if there is none. `key`: the idempotency key, or ""."""
        start = f"{method} {self._address.path.rstrip('/')}{path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n"
        if key:
            start += f"Idempotency-Key: {key}\r\n"
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await self._exchange(start.encode() + self._headers + b"\r\n" + body)
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            self.close()
            raise ConnectionError(repr(error)) from error

    async def _exchange(self, message: bytes) -> tuple[int, bytes]:
        reader, writer = await self._opened()
        writer.write(message)
        head = await reader.readuntil(b"\r\n\r\n")
        match = _HEAD.match(head)
        if not match:
            raise ConnectionError(f"the answer has no Content-Length: {head[:200]!r}")
        content = await reader.readexactly(int(match[2]))
        if _CLOSE.search(head):
            self.close()
        return int(match[1]), content

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams and self._streams[0].at_eof():
            # the engine has closed it, as it does after a while without requests
            self.close()
        if not self._streams:
            secure = self._address.scheme == "https"
            port = self._address.port or (443 if secure else 80)
            self._streams = await asyncio.open_connection(self._address.hostname, port, ssl=secure or None)
        return self._streams

    def close(self) -> None:
        """Closes it, if it is open."""
        if self._streams:
            self._streams[1].close()
        self._streams = None
