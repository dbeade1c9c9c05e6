"""The OpenAPI 3.1 description of the engine, derived from the shapes in commands.py and answers.py.

`OPERATIONS` lists the routes; a test compares it with Flask's own list. Served as /openapi.json.
"""

from functools import cache
from typing import Any, Final, NamedTuple

import msgspec

from app import answers, commands, handlers
from app.contract.reasons import Problem, Rejection

_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": msgspec.json.schema(commands.TradeId),
    "description": "names the trade: a repeat with the same content gets the stored answer, with other content a 422",
}
_PROBLEM: Final = "application/problem+json"


class Operation(NamedTuple):
    """One route: what it takes and which answers it gives. `answers` maps status to shape (None: text)."""

    path: str
    method: str
    summary: str
    answers: dict[int, Any]
    body: Any = None
    parameters: tuple[dict[str, Any], ...] = ()
    problems: tuple[int, ...] = ()


def _integer(name: str, place: str, low: int, high: int, help_text: str) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": low, "maximum": high}
    return {"name": name, "in": place, "required": place == "path", "schema": schema, "description": help_text}


_COMMAND_PROBLEMS: Final = (400, 413, 422, 503)
_PLAYER_ID: Final = _integer("player_id", "path", 1, 2**53 - 1, "the player")
_TRADE_ID: Final = {"name": "trade_id", "in": "path", "required": True, "schema": {"type": "string"}}
_PAGE: Final = (
    _integer("cursor", "query", 0, 2**53 - 1, "next_cursor of the page before; 0 for the first"),
    _integer("limit", "query", 1, handlers.MAX_PAGE, "most players on the page; 100 unless given"),
)

OPERATIONS: Final = (
    Operation("/create_player", "put", "Create a player (original route)", {200: None}, commands.PlayerRequest,
              problems=_COMMAND_PROBLEMS),
    Operation("/trade", "post", "Decide a trade (original route)", {200: answers.OriginalTradeResult},
              commands.OriginalTradeRequest, (_IDEMPOTENCY_KEY,), _COMMAND_PROBLEMS),
    Operation("/v1/players", "post", "Create a player", {201: commands.Player}, commands.PlayerRequest,
              problems=_COMMAND_PROBLEMS),
    Operation("/v1/players", "get", "List players", {200: answers.PlayerPage}, parameters=_PAGE, problems=(422, 503)),
    Operation("/v1/players/{player_id}", "get", "Get a player", {200: commands.Player}, parameters=(_PLAYER_ID,),
              problems=(404, 503)),
    Operation("/v1/trades", "post", "Decide a trade: 201 accepted, 409 refused", {201: answers.TradeResult},
              commands.TradeRequest, (_IDEMPOTENCY_KEY,), (400, 409, 413, 422, 503)),
    Operation("/v1/trades/{trade_id}", "get", "Get a decided trade", {200: answers.TradeResult},
              parameters=(_TRADE_ID,), problems=(404, 503)),
    Operation("/v1/items", "get", "List the catalog of items", {200: answers.ItemList}),
    Operation("/v1/classes", "get", "List the player classes", {200: answers.ClassList}),
    Operation("/livez", "get", "Is the process alive?", {200: answers.Liveness}),
    Operation("/readyz", "get", "Are commands taken?", {200: answers.Health, 503: answers.Health}, problems=(503,)),
    Operation("/metrics", "get", "Prometheus metrics", {200: None}, problems=(503,)),
)  # fmt: skip


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
        "components": {"schemas": components},
    }


def _operation(operation: Operation, schema_of: dict[Any, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, shape in operation.answers.items():
        kind, schema = ("application/json", schema_of[shape]) if shape else ("text/plain", {"type": "string"})
        responses[str(status)] = {"description": operation.summary, "content": {kind: {"schema": schema}}}
    for status in operation.problems:
        answer = responses.setdefault(str(status), {"description": _problem_help(status), "content": {}})
        answer["content"][_PROBLEM] = {"schema": schema_of[answers.ProblemDetails]}
    described: dict[str, Any] = {"summary": operation.summary, "responses": responses}
    if operation.parameters:
        described["parameters"] = list(operation.parameters)
    if operation.body:
        content = {"application/json": {"schema": schema_of[operation.body]}}
        described["requestBody"] = {"required": operation.body is not commands.PlayerRequest, "content": content}
    return described


def _problem_help(status: int) -> str:
    return {
        400: "the body is not JSON",
        404: "there is no such resource",
        409: "the trade was decided and refused; `reason` says why",
        413: "the body is too large",
        422: "the request does not fit the schema",
        503: "the engine cannot decide now; send the same request again after Retry-After",
    }[status]


def _reasons() -> str:
    lines = ["Reasons that a trade is refused for, in the order they are checked:", ""]
    lines += [f"- `{reason}`: {reason.help}" for reason in Rejection]
    lines += ["", "Reasons of requests that were not decided:", ""]
    lines += [f"- `{reason}`: {reason.help}" for reason in Problem]
    return "\n".join(lines)
