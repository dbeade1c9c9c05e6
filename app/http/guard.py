"""What stands before every operation: who is calling, whether they may, and how often.

All of it follows from the operation (operations.py): whom it takes, and whose affairs it touches.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from flask import Response, g, request

from app.auth import ANYONE, Authenticator, Caller
from app.errors import Forbidden, NotFound, RateLimited, Unauthenticated, Unavailable
from app.http.addresses import Proxies, Strangers, host_of, is_loopback
from app.http.operations import OF_MANAGEMENT, OPERATIONS, Access, Operation, Owner
from app.settings import Settings
from app.store.rates import WINDOW_S, Rates
from app.store.tokens import Tokens

_MAY_BE_OPEN: Final = (Access.ORIGINAL, Access.LIVE)
_OWN_NAMES: Final = ("127.0.0.1", "localhost", "::1")
_READING: Final = ("GET", "HEAD")
_OPERATIONS: Final = {(operation.rule, operation.method): operation for operation in OPERATIONS}


class Guard:
    """The checks before a request, and the headers after it."""

    def __init__(self, settings: Settings, authenticator: Authenticator, rates: Rates, tokens: Tokens) -> None:
        self._settings = settings
        self._tokens = tokens
        self._authenticator = authenticator
        self._rates = rates
        self._proxies = Proxies(settings.trusted_proxies)
        self._strangers = Strangers(settings.stranger_rate)
        self._management_port = str(settings.engine_management_port)

    def before(self) -> None:
        """Sets `g.caller`; raises NotFound, Unauthenticated, Forbidden or RateLimited."""
        # looked up once: each look at `request` or `g` costs a microsecond
        environ, operation = request.environ, _operation()
        if environ.get("SERVER_PORT") == self._management_port:
            _check_management(operation)
            g.caller = ANYONE
            return
        caller = g.caller = self._caller(environ, operation.access if operation else Access.ANYONE)
        # before it is counted, or a stolen token would use up what its player may send
        if caller.player_id is not None and self._tokens.is_revoked(caller.player_id, caller.issued_at):
            self._count_stranger()
            raise Unauthenticated("the player token has been taken back; the game server issues a new one")
        self._count(caller)
        if operation and operation.access is not Access.ANYONE:
            _check_rights(operation, caller)

    def after(self, response: Response) -> Response:
        """Says what is left of the caller's allowance (draft-ietf-httpapi-ratelimit-headers)."""
        if allowance := g.get("allowance"):
            policy = "player" if g.caller.player_id is not None else "service"
            response.headers["RateLimit-Policy"] = f'"{policy}";q={allowance.limit};w={WINDOW_S}'
            response.headers["RateLimit"] = f'"{policy}";r={allowance.remaining};t={allowance.reset_s}'
        return response

    def _caller(self, environ: dict[str, Any], access: Access) -> Caller:
        if not self._authenticator.is_on or (access in _MAY_BE_OPEN and self._is_open(access)):
            return ANYONE
        if access is Access.ANYONE:
            self._count_stranger()
            return ANYONE
        try:
            return self._authenticator.caller(environ.get("HTTP_AUTHORIZATION"))
        except Unauthenticated:
            self._count_stranger()
            raise

    def _is_open(self, access: Access) -> bool:
        """Whether a route that wants a key otherwise wants none of this caller."""
        if access is Access.ORIGINAL:
            return self._settings.original_routes == "open"
        return self._settings.live_page == "open" and _is_of_this_machine()

    def _count_stranger(self) -> None:
        address = self._proxies.caller(request.remote_addr or "", request.headers.get("X-Forwarded-For", ""))
        if wait_s := self._strangers.wait_s(host_of(address)):
            raise RateLimited(wait_s, "requests without a valid key")

    def _count(self, caller: Caller) -> None:
        limit = self._settings.service_rate if caller.player_id is None else self._settings.player_rate
        if caller is ANYONE or not limit:
            return
        try:
            g.allowance = self._rates.count(caller.name, limit)
        except Unavailable:
            if request.method not in _READING:
                raise
            return  # Redis is full, and takes no count; it may still be read
        if g.allowance.is_exceeded:
            raise RateLimited(g.allowance.reset_s)

    def most_bytes(self, caller: Caller) -> int:
        """The largest body that the caller may send: of a player no more than its bytes of a minute."""
        limit, of_player = self._settings.request_max_bytes, self._settings.player_rate_bytes
        return limit if caller.player_id is None or not of_player else min(limit, of_player)

    def count_body(self, caller: Caller, size: int) -> None:
        """Counts the bytes of a player's body; raises RateLimited."""
        limit = self._settings.player_rate_bytes
        if caller.player_id is None or not limit:
            return
        allowance = self._rates.count_bytes(caller.name, limit, size)
        if allowance.is_exceeded:
            raise RateLimited(allowance.reset_s, "bytes")


def _is_of_this_machine() -> bool:
    """Whether a browser or program on this machine calls by its own name: no proxy, no page under another name."""
    is_forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    host = urlsplit(f"//{request.host}").hostname
    return is_loopback(request.remote_addr or "") and host in _OWN_NAMES and not is_forwarded


def _check_management(operation: Operation | None) -> None:
    if operation not in OF_MANAGEMENT:
        raise NotFound(f"this port has health and metrics only, and no {request.path}")


def _check_rights(operation: Operation, caller: Caller) -> None:
    asked = f"{operation.method} {operation.path}"
    if caller.player_id is not None and operation.access is not Access.PLAYER:
        raise Forbidden(f"{asked} is for the game server, not for players")
    if caller.player_id is None and operation.scope not in caller.scope:
        raise Forbidden(f"{asked} is for service keys of scope {operation.scope.words}")


def _operation() -> Operation | None:
    rule = request.url_rule
    method = "GET" if request.method == "HEAD" else request.method
    return _OPERATIONS.get((rule.rule, method)) if rule else None


def check_owner(operation: Operation, caller: Caller, path: dict[str, Any], body: Any) -> None:
    """Raises Forbidden if a player asks in another one's affairs."""
    if caller.player_id is None or operation.owner is Owner.OFFER:
        return
    owner = path["player_id"] if operation.owner is Owner.PATH else body.player_1.player_id
    if owner != caller.player_id:
        raise Forbidden(f"player {caller.player_id} may not act for others or see their affairs")
