"""Callers by their address: how much of a worker one may take before it has shown a valid key.

It is counted in the memory of each worker, for itself: to refuse a stranger costs nothing that others share.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from app.errors import SettingsError

_WINDOW_S: Final = 60
_MOST_ADDRESSES: Final = 10_000
_THE_REST: Final = "the rest"
_IPV6_HOST_BITS: Final = 64
"""A host has a /64 of IPv6 for itself, and could call from any address in it."""


class Proxies:
    """The proxies that stand before the engine: what they say of their callers' addresses is believed."""

    def __init__(self, addresses: str) -> None:
        """`addresses`: addresses and networks, comma-separated; raises SettingsError."""
        try:
            self._networks = [ip_network(each.strip()) for each in addresses.split(",") if each.strip()]
        except ValueError as error:
            raise SettingsError([f"TRUSTED_PROXIES={addresses!r}: {error}"]) from None

    def has(self, address: str) -> bool:
        """Whether a proxy calls from the address."""
        return bool(self._networks) and _is_in(address, self._networks)

    def caller(self, peer: str, forwarded_for: str) -> str:
        """The nearest address that is no proxy: of those in X-Forwarded-For, each was written by the one after it."""
        hops = [*(_without_port(hop.strip()) for hop in forwarded_for.split(",") if hop.strip()), peer]
        return next((hop for hop in reversed(hops) if not self.has(hop)), peer)


def _without_port(hop: str) -> str:
    """The address of `1.2.3.4:5678` and `[2001:db8::1]:5678`."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _read(address: str) -> IPv4Address | IPv6Address | None:
    """The address; None if it is none. One of IPv4 may come written as one of IPv6."""
    try:
        found = ip_address(address)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _is_in(address: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    found = _read(address)
    return found is not None and any(found in network for network in networks)


def is_loopback(address: str) -> bool:
    """Whether who calls from there is on this machine."""
    found = _read(address)
    return found is not None and found.is_loopback


def host_of(address: str) -> str:
    """The address, or of IPv6 the network that one host may call from."""
    found = _read(address) if ":" in address else None
    if not isinstance(found, IPv6Address):
        return str(found or address)
    return str(ip_network((found, _IPV6_HOST_BITS), strict=False))


class Places:
    """Connections of each address, of which it may have so many at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()

    def take(self, host: str) -> bool:
        """Takes a place; False if the host has as many as it may."""
        if self._taken[host] >= self._most:
            return False
        self._taken[host] += 1
        return True

    def give_back(self, host: str) -> None:
        """Ends what `take` began."""
        self._taken[host] -= 1
        if not self._taken[host]:
            del self._taken[host]


class Strangers:
    """Requests of each address without a valid key, of which it may send so many in any minute.

    A window slides as in store/rates.py. Of more addresses than are kept, the rest count together.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`most`: requests a minute, 0 for any number."""
        self._most = most
        self._clock = clock
        self._minute = 0
        self._counts: tuple[Counter[str], Counter[str]] = Counter(), Counter()

    def wait_s(self, host: str) -> int:
        """Counts one request of the host. 0 if it is welcome, else the time after which it may come again."""
        minute, second = divmod(self._clock(), _WINDOW_S)
        self._turn(int(minute))
        before, now = self._counts
        if host not in now and len(now) >= _MOST_ADDRESSES:
            host = _THE_REST
        if self._most and before[host] * (1 - second / _WINDOW_S) + now[host] >= self._most:
            return max(1, round(_WINDOW_S - second))
        now[host] += 1
        return 0

    def _turn(self, minute: int) -> None:
        if minute != self._minute:
            before = self._counts[1] if minute == self._minute + 1 else Counter[str]()
            self._minute, self._counts = minute, (before, Counter())
