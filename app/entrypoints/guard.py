"""What stands before every route: who is calling, whether they may, and how often. Registered by http.py.

Which callers a route takes is written where the route is described, `Operation.access` in openapi.py; a route that is
not described there takes the service key only.
"""

from functools import cache
from typing import Final

from flask import Response, g, request

from app.adapters.rates import WINDOW_S, Rates
from app.auth import ANYONE, Authenticator, Caller
from app.entrypoints.openapi import OPERATIONS, Access
from app.errors import Forbidden, RateLimited
from app.settings import Settings

_ACCESS: Final = {(operation.path, operation.method.upper()): operation.access for operation in OPERATIONS}
_OPEN_PAGES: Final = ("/docs", "/openapi.json")


class Guard:
    """The checks before a request, and the headers after it."""

    def __init__(self, settings: Settings, authenticator: Authenticator, rates: Rates) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._rates = rates

    def before(self) -> None:
        """Sets `g.caller`; raises Unauthenticated, Forbidden or RateLimited."""
        access, caller = self._access(), ANYONE
        if access is not Access.ANYONE:
            caller = self._authenticator.caller(request.headers.get("Authorization"))
        g.caller = caller
        self._count(caller)
        if access is Access.SERVICE and caller.player_id is not None:
            raise Forbidden(f"{request.method} {request.path} is for the game server, not for players")

    def after(self, response: Response) -> Response:
        """Says what is left of the caller's allowance (draft-ietf-httpapi-ratelimit-headers)."""
        if allowance := g.get("allowance"):
            policy = "player" if g.caller.player_id is not None else "service"
            response.headers["RateLimit-Policy"] = f'"{policy}";q={allowance.limit};w={WINDOW_S}'
            response.headers["RateLimit"] = f'"{policy}";r={allowance.remaining};t={allowance.reset_s}'
        return response

    def _access(self) -> Access:
        rule = request.url_rule
        access = _access(rule.rule, request.method) if rule else Access.ANYONE
        if access is Access.ORIGINAL:
            return Access.ANYONE if self._settings.original_routes == "open" else Access.SERVICE
        return access

    def _count(self, caller: Caller) -> None:
        limit = self._settings.service_rate if caller.player_id is None else self._settings.player_rate
        if caller is ANYONE or not limit:
            return
        g.allowance = self._rates.count(caller.name, limit)
        if g.allowance.is_exceeded:
            raise RateLimited(g.allowance.reset_s)


@cache
def _access(rule: str, method: str) -> Access:
    if rule.startswith(_OPEN_PAGES):
        return Access.ANYONE
    path = rule.replace("<int:", "{").replace("<", "{").replace(">", "}")
    return _ACCESS.get((path, "GET" if method == "HEAD" else method), Access.SERVICE)


def require_player(*player_ids: int) -> None:
    """Lets the game server pass, and a player that is one of `player_ids`; raises Forbidden."""
    own = g.caller.player_id
    if own is not None and own not in player_ids:
        raise Forbidden(f"player {own} may not act for others or see their affairs")
