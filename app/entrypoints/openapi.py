"""The OpenAPI 3.1 description of the engine, derived from the shapes in commands.py and answers.py.

`OPERATIONS` lists the routes; a test compares it with Flask's own list. Served as /openapi.json.
"""

from enum import Enum
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec

from app import answers, commands, handlers
from app.contract.reasons import Problem, Rejection

_PROBLEM: Final = "application/problem+json"
_INT_MAX: Final = 2**53 - 1


class Access(Enum):
    """Whom a route takes; guard.py enforces it."""

    ANYONE = "needs no key"
    ORIGINAL = "for the service key; without a key where ORIGINAL_ROUTES=open"
    SERVICE = "for the service key"
    PLAYER = "for the service key, and for players in their own affairs"


class Operation(NamedTuple):
    """One route: what it takes and which answers it gives. `answers` maps status to shape (None: text)."""

    path: str
    method: str
    access: Access
    summary: str
    answers: dict[int, Any]
    body: Any = None
    parameters: tuple[dict[str, Any], ...] = ()
    problems: tuple[int, ...] = ()


def _integer(name: str, place: str, low: int, high: int, help_text: str) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": low, "maximum": high}
    return {"name": name, "in": place, "required": place == "path", "schema": schema, "description": help_text}


def _name(name: str, place: str, help_text: str) -> dict[str, Any]:
    schema = msgspec.json.schema(commands.TradeId) if place != "path" else {"type": "string", "minLength": 1}
    return {"name": name, "in": place, "required": place == "path", "schema": schema, "description": help_text}


_KEY: Final = _name(
    "Idempotency-Key",
    "header",
    "names the command: a repeat with the same content gets the stored answer, other content a 422",
)
_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "schema": {"type": "string", "pattern": r'^"\d{1,16}\.\d{1,16}"(, *"\d{1,16}\.\d{1,16}")*$'},
    "description": "the ETag of each player state that the command depends on; if one has changed, 412",
}
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "schema": {"type": "string"},
    "description": "the ETag of the state that the caller has; if it is still that, 304",
}
_PLAYER_ID: Final = _integer("player_id", "path", 1, _INT_MAX, "the player")
_TRADE_ID: Final = _name("trade_id", "path", "the trade")
_OFFER_ID: Final = _name("offer_id", "path", "the offer")
_COMMAND: Final = (400, 413, 422, 503)


def _page(cursor: dict[str, Any], most: int, usual: int) -> tuple[dict[str, Any], ...]:
    return cursor, _integer("limit", "query", 1, most, f"most on the page; {usual} unless given")


_NUMBER_CURSOR: Final = _integer("cursor", "query", 0, _INT_MAX, "next_cursor of the page before; 0 for the first")
_NAME_CURSOR: Final = _name("cursor", "query", "next_cursor of the page before; left out for the first")

OPERATIONS: Final = (
    Operation("/create_player", "put", Access.ORIGINAL, "Create a player (original route)", {200: None},
              commands.PlayerRequest, problems=_COMMAND),
    Operation("/trade", "post", Access.ORIGINAL, "Decide a trade (original route)",
              {200: answers.OriginalTradeResult}, commands.OriginalTradeRequest, (_KEY,), _COMMAND),
    Operation("/v1/players", "post", Access.SERVICE, "Create a player", {201: commands.Player},
              commands.PlayerRequest, problems=_COMMAND),
    Operation("/v1/players", "get", Access.SERVICE, "List players", {200: answers.PlayerPage},
              parameters=_page(_NUMBER_CURSOR, handlers.MAX_PAGE, 100), problems=(422, 503)),
    Operation("/v1/players/{player_id}", "get", Access.PLAYER, "Get a player", {200: commands.Player, 304: None},
              parameters=(_PLAYER_ID, _IF_NONE_MATCH), problems=(404, 503)),
    Operation("/v1/players/{player_id}/tokens", "post", Access.SERVICE, "Issue a player's token",
              {201: answers.Token}, parameters=(_PLAYER_ID,), problems=(404, 409, 503)),
    Operation("/v1/players/{player_id}/trades", "get", Access.PLAYER,
              "List a player's accepted trades, newest first, as far back as answers are kept",
              {200: answers.TradePage}, parameters=(_PLAYER_ID, *_page(_NAME_CURSOR, handlers.MAX_TRADES_PAGE, 20)),
              problems=(404, 422, 503)),
    Operation("/v1/players/{player_id}/offers", "get", Access.PLAYER,
              "List a player's open offers, made and received", {200: answers.OfferPage},
              parameters=(_PLAYER_ID, *_page(_NUMBER_CURSOR, handlers.MAX_TRADES_PAGE, 20)), problems=(404, 422, 503)),
    Operation("/v1/trades", "post", Access.SERVICE, "Decide a trade: 201 accepted, 409 or 412 refused",
              {201: answers.TradeResult}, commands.TradeRequest, (_KEY, _IF_MATCH), (400, 409, 412, 413, 422, 503)),
    Operation("/v1/trades/batch", "post", Access.SERVICE, "Decide many trades, each for itself or all together",
              {200: answers.BatchResults}, commands.BatchRequest, (_KEY,), _COMMAND),
    Operation("/v1/trades/{trade_id}", "get", Access.SERVICE, "Get a decided trade", {200: answers.TradeResult},
              parameters=(_TRADE_ID,), problems=(404, 503)),
    Operation("/v1/offers", "post", Access.PLAYER, "Make an offer: 201 made, 409 or 412 refused",
              {201: answers.OfferResult}, commands.OfferRequest, (_KEY, _IF_MATCH), (400, 409, 412, 413, 422, 503)),
    Operation("/v1/offers/{offer_id}", "get", Access.PLAYER, "Get an offer", {200: answers.Offer},
              parameters=(_OFFER_ID,), problems=(404, 503)),
    Operation("/v1/offers/{offer_id}/accept", "post", Access.PLAYER,
              "Accept an offer: 201 traded, 409 or 412 refused (it stays open) or closed", {201: answers.TradeResult},
              parameters=(_OFFER_ID, _KEY, _IF_MATCH), problems=(404, 409, 412, 422, 503)),
    Operation("/v1/offers/{offer_id}/decline", "post", Access.PLAYER, "Decline an offer", {200: answers.OfferResult},
              parameters=(_OFFER_ID,), problems=(404, 409, 503)),
    Operation("/v1/offers/{offer_id}/cancel", "post", Access.PLAYER, "Cancel an offer", {200: answers.OfferResult},
              parameters=(_OFFER_ID,), problems=(404, 409, 503)),
    Operation("/v1/items", "get", Access.ANYONE, "List the catalog of items", {200: answers.ItemList}),
    Operation("/v1/classes", "get", Access.ANYONE, "List the player classes", {200: answers.ClassList}),
    Operation("/livez", "get", Access.ANYONE, "Is the process alive?", {200: answers.Liveness}),
    Operation("/readyz", "get", Access.ANYONE, "Are commands taken?", {200: answers.Health, 503: answers.Health},
              problems=(503,)),
    Operation("/metrics", "get", Access.ANYONE, "Prometheus metrics", {200: None}, problems=(503,)),
)  # fmt: skip


_GUARD_PROBLEMS: Final = {
    Access.ANYONE: (),
    Access.ORIGINAL: (401, 403, 429),
    Access.SERVICE: (401, 403, 429),
    Access.PLAYER: (401, 403, 429),
}
_SECURITY_SCHEMES: Final = {
    "service_key": {"type": "http", "scheme": "bearer", "description": "a key of the game server, from SERVICE_KEYS"},
    "player_token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "a token of one player, from POST /v1/players/{player_id}/tokens",
    },
}


@cache
def description() -> dict[str, Any]:
    """The OpenAPI document."""
    shapes = [shape for operation in OPERATIONS for shape in (*operation.answers.values(), operation.body) if shape]
    unique = list(dict.fromkeys([*shapes, answers.ProblemDetails]))
    schemas, components = msgspec.json.schema_components(unique, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(unique, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Haggle engine", "version": "1", "description": _reasons()},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SECURITY_SCHEMES},
    }


def _operation(operation: Operation, schema_of: dict[Any, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, shape in operation.answers.items():
        kind, schema = ("application/json", schema_of[shape]) if shape else ("text/plain", {"type": "string"})
        content = {} if status == 304 else {kind: {"schema": schema}}
        responses[str(status)] = {"description": operation.summary, "content": content}
    for status in sorted({*operation.problems, *_GUARD_PROBLEMS[operation.access]}):
        answer = responses.setdefault(str(status), {"description": _problem_help(status), "content": {}})
        answer["content"][_PROBLEM] = {"schema": schema_of[answers.ProblemDetails]}
    described: dict[str, Any] = {
        "summary": operation.summary,
        "description": f"{operation.access.value[:1].upper()}{operation.access.value[1:]}.",
        "responses": responses,
        "security": _security(operation.access),
    }
    if operation.parameters:
        described["parameters"] = list(operation.parameters)
    if operation.body:
        content = {"application/json": {"schema": schema_of[operation.body]}}
        described["requestBody"] = {"required": operation.body is not commands.PlayerRequest, "content": content}
    return described


def _security(access: Access) -> list[dict[str, list[str]]]:
    schemes = {Access.ANYONE: (), Access.SERVICE: ("service_key",)}.get(access, ("service_key", "player_token"))
    return [{scheme: []} for scheme in schemes if access is not Access.ORIGINAL or scheme == "service_key"]


def _problem_help(status: int) -> str:
    return {
        400: "the body is not JSON",
        401: "the request has no valid key or token",
        403: "the caller may not do this",
        404: "there is no such resource",
        409: "refused; `reason` says why",
        412: "refused, since a state named in If-Match has changed",
        413: "the body is too large",
        422: "the request does not fit the schema",
        429: "the caller has sent too many requests in this minute",
        503: "the engine cannot decide now; send the same request again after Retry-After",
    }[status]


def _reasons() -> str:
    lines = ["Reasons that a trade or an offer is refused for, in the order they are checked:", ""]
    lines += [f"- `{reason}`: {reason.help}" for reason in Rejection]
    lines += ["", "Reasons of requests that were not decided:", ""]
    lines += [f"- `{reason}`: {reason.help}" for reason in Problem]
    return "\n".join(lines)
