"""Answers and errors as HTTP responses. Every error becomes problem+json (RFC 9457) here. Used by http.py."""

import logging

import msgspec
from flask import Response, current_app, request
from msgspec import UNSET, UnsetType
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app.answers import DecidedTrade, ProblemDetails
from app.contract.reasons import Problem
from app.errors import RequestError, Unauthenticated

_log = logging.getLogger(__name__)
_DRAIN_BYTES = 16 * 2**20


def json(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(body), status, headers, content_type="application/json")


def text(body: str) -> Response:
    """A text answer."""
    return Response(body, content_type="text/plain; charset=utf-8")


def problem(
    status: int,
    reason: str,
    detail: str,
    headers: dict[str, str] | None = None,
    trade: DecidedTrade | UnsetType = UNSET,
) -> Response:
    """An error; `trade` is the trade that was decided and refused, if that is the error."""
    details = ProblemDetails("about:blank", reason.replace("_", " ").capitalize(), status, reason, detail, trade)
    return Response(msgspec.json.encode(details), status, headers, content_type="application/problem+json")


def render_request_error(error: RequestError) -> Response:
    """An error that Haggle raised."""
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return problem(error.status, error.reason, error.detail, headers)


def render_http_error(error: HTTPException) -> Response:
    """An error that Flask raised, such as 404 for an unknown path."""
    status = error.code or 500
    if isinstance(error, RequestEntityTooLarge):
        drain_body()
        limit = current_app.config["MAX_CONTENT_LENGTH"]
        return problem(status, Problem.REQUEST_TOO_LARGE, f"the body is larger than {limit} bytes")
    if status == 405:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        detail = f"{request.path} does not support {request.method}"
        return problem(status, Problem.METHOD_NOT_ALLOWED, detail, {"Allow": allowed})
    if status == 404:
        return problem(status, Problem.NOT_FOUND, f"there is no {request.path}; see /docs")
    return problem(status, Problem.INVALID_REQUEST, error.description or error.name)


def render_defect(error: Exception) -> Response:
    """Anything else is a defect."""
    _log.error("defect in a request", exc_info=error, extra={"context": {"path": request.path}})
    return problem(500, Problem.INTERNAL, "a defect in the engine; its log has the traceback")


def drain_body() -> None:
    """Reads a refused body to its end, within a bound: a client that still writes would not see the answer."""
    stream, left = request.environ["wsgi.input"], _DRAIN_BYTES
    while left > 0 and (chunk := stream.read(min(left, 65_536))):
        left -= len(chunk)
