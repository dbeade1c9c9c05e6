"""The OpenAPI 3.1 description of the engine, made of its operations. Served as /openapi.json."""

from functools import cache
from typing import Any, Final

import msgspec

from app.auth import Scope
from app.contract.reasons import Problem, Rejection
from app.http.operations import OPERATIONS, Access, Operation, Parameter
from app.http.requests import decoded_or_empty
from app.http.responses import ProblemDetails

_PROBLEM: Final = "application/problem+json"
_GUARD_PROBLEMS: Final = {
    Access.ANYONE: (429,),
    Access.ORIGINAL: (401, 403, 429),
    Access.LIVE: (401, 403, 429),
    Access.SERVICE: (401, 403, 429),
    Access.PLAYER: (401, 403, 429),
}
_MAY: Final = {
    Scope.READ: "read",
    Scope.TRADE: "trade",
    Scope.ADJUST: "adjust",
    Scope.REPORT: "report",
    Scope.ADMIN: "do everything",
}
_SECURITY_SCHEMES: Final = {
    "service_key": {"type": "http", "scheme": "bearer", "description": "a key of the game server or of a job"},
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
    unique = list(dict.fromkeys([*shapes, ProblemDetails]))
    schemas, components = msgspec.json.schema_components(unique, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(unique, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schema_of)
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
        answer["content"][_PROBLEM] = {"schema": schema_of[ProblemDetails]}
    described: dict[str, Any] = {
        "summary": operation.summary,
        "description": _whom(operation),
        "responses": responses,
        "security": _security(operation.access),
    }
    if operation.parameters:
        described["parameters"] = [_parameter(parameter) for parameter in operation.parameters]
    if operation.body:
        content = {"application/json": {"schema": schema_of[operation.body]}}
        described["requestBody"] = {"required": operation.decode is not decoded_or_empty, "content": content}
    return described


def _whom(operation: Operation) -> str:
    """Whom it takes, in a sentence."""
    access = operation.access.value
    if operation.access is not Access.ANYONE:
        access = access.replace("service keys", f"service keys that may {_MAY[operation.scope]}")
    return f"{access[:1].upper()}{access[1:]}."


def _parameter(parameter: Parameter) -> dict[str, Any]:
    is_required = parameter.place == "path"
    place = {"name": parameter.name, "in": parameter.place, "required": is_required}
    return {**place, "schema": parameter.schema, "description": parameter.help}


def _security(access: Access) -> list[dict[str, list[str]]]:
    if access is Access.ANYONE:
        return []
    schemes = ("service_key", "player_token") if access is Access.PLAYER else ("service_key",)
    return [{scheme: []} for scheme in schemes]


def _problem_help(status: int) -> str:
    return {
        400: "the body is not JSON",
        401: "the request has no valid key or token",
        403: "the caller may not do this",
        404: "there is no such resource",
        408: "the body did not come in time",
        409: "refused; `reason` says why",
        412: "refused, since a state named in If-Match has changed",
        413: "the body is too large",
        422: "the request does not fit the schema",
        429: "the caller has sent too many requests in this minute",
        503: "the engine cannot decide now; send the same request again after Retry-After",
    }[status]


def _reasons() -> str:
    lines = ["Reasons that a trade, an offer or an adjustment is refused for, in the order they are checked:", ""]
    lines += [f"- `{reason}`: {reason.help}" for reason in Rejection]
    lines += ["", "Reasons of requests that were not decided:", ""]
    lines += [f"- `{reason}`: {reason.help}" for reason in Problem]
    return "\n".join(lines)
