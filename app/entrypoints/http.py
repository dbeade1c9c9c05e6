"""The HTTP engine: routes, and the rendering of answers and errors. Served by gunicorn (`create_app()`).

A body is decoded into a structure of commands.py, handed to handlers.py, and the answer encoded. Every error
becomes problem+json (RFC 9457) in one place.
"""

import logging
import os
import time
from typing import NamedTuple, TypeVar

import msgspec
from flask import Blueprint, Flask, Response, current_app, g, request
from flask_swagger_ui import get_swaggerui_blueprint
from msgspec import UNSET, UnsetType
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app import handlers
from app.adapters.redis import Answer, Store, connect
from app.answers import (
    CatalogItem,
    ClassList,
    DecidedTrade,
    Health,
    ItemList,
    Liveness,
    OriginalTradeResult,
    PlayerPage,
    ProblemDetails,
    StartingClass,
    TradeResult,
    decided_trade,
)
from app.commands import ItemQuantity, OriginalTradeRequest, Player, PlayerRequest, TradeId, TradeRequest
from app.contract.economy import CLASSES, ITEMS
from app.contract.events import TradeRejected
from app.contract.reasons import Problem
from app.entrypoints import metrics, openapi
from app.errors import InvalidRequest, RequestError, Unavailable
from app.logs import configure_logs
from app.settings import Settings, load_settings

_log = logging.getLogger(__name__)
_DRAIN_BYTES = 16 * 2**20

T = TypeVar("T")
routes = Blueprint("haggle", __name__)


class Services(NamedTuple):
    """What the routes use."""

    settings: Settings
    store: Store


def create_app(settings: Settings | None = None) -> Flask:
    """The composition root of the engine: settings from the environment unless given."""
    settings = settings or load_settings(os.environ)
    configure_logs(settings.log_level)
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.request_max_bytes
    app.extensions["haggle"] = Services(settings, Store(connect(settings), settings))
    app.register_blueprint(routes)
    app.register_blueprint(get_swaggerui_blueprint("/docs", "/openapi.json", {"app_name": "Haggle engine"}))
    app.register_error_handler(RequestError, _render_request_error)
    app.register_error_handler(HTTPException, _render_http_error)
    app.register_error_handler(Exception, _render_defect)
    app.before_request(_start_clock)
    app.after_request(_count_request)
    return app


def _services() -> Services:
    services: Services = current_app.extensions["haggle"]
    return services


# ---------------------------------------------------------------- original routes


@routes.put("/create_player")
def create_player_original() -> Response:
    """Creates a player; a text answer, as the original route gave."""
    player = _create_player()
    return _text(
        f"New {player.player_class} (player_id = {player.player_id}) with username = {player.username} created.\n"
    )


@routes.post("/trade")
def trade_original() -> Response:
    """Decides a trade; 200 in every case, with `fail_reason` if it was refused."""
    answer = handlers.original_trade(_services().store, _body(OriginalTradeRequest), _idempotency_key())
    _count_trade(answer)
    fail_reason = answer.event.reason if isinstance(answer.event, TradeRejected) else UNSET
    result = OriginalTradeResult(answer.player_1, answer.player_2, answer.event.occurred_at, fail_reason)
    return _json(200, result, _replayed(answer))


# ---------------------------------------------------------------- v1


@routes.post("/v1/players")
def create_player() -> Response:
    """Creates a player."""
    player = _create_player()
    return _json(201, player, {"Location": f"/v1/players/{player.player_id}"})


@routes.get("/v1/players/<int:player_id>")
def get_player(player_id: int) -> Response:
    """A player's state."""
    return _json(200, handlers.find_player(_services().store, player_id))


@routes.get("/v1/players")
def list_players() -> Response:
    """A page of players by id."""
    cursor = _int_argument("cursor", 0, 0, 2**53 - 1)
    limit = _int_argument("limit", 100, 1, handlers.MAX_PAGE)
    players, next_cursor = handlers.list_players(_services().store, cursor, limit)
    return _json(200, PlayerPage(players, next_cursor))


@routes.post("/v1/trades")
def create_trade() -> Response:
    """Decides a trade: 201 accepted, 409 refused."""
    answer = handlers.trade(_services().store, _body(TradeRequest), _idempotency_key())
    _count_trade(answer)
    if isinstance(answer.event, TradeRejected):
        reason = answer.event.reason
        return _problem(409, reason, reason.help, _replayed(answer), decided_trade(answer))
    return _json(201, TradeResult(decided_trade(answer), answer.player_1, answer.player_2), _replayed(answer))


@routes.get("/v1/trades/<trade_id>")
def get_trade(trade_id: str) -> Response:
    """The stored answer of a trade, accepted or refused."""
    answer = handlers.find_trade(_services().store, trade_id)
    return _json(200, TradeResult(decided_trade(answer), answer.player_1, answer.player_2))


@routes.get("/v1/items")
def list_items() -> Response:
    """The catalog of items."""
    items = [CatalogItem(item.item_id, item.name, item.level, item.value) for item in ITEMS.values()]
    return _json(200, ItemList(items))


@routes.get("/v1/classes")
def list_classes() -> Response:
    """The classes that players are drawn from."""
    classes = [
        StartingClass(kind.name, kind.weight, kind.gold, [ItemQuantity(*line) for line in kind.items.items()])
        for kind in CLASSES.values()
    ]
    return _json(200, ClassList(classes))


# ---------------------------------------------------------------- operations


@routes.get("/livez")
def live() -> Response:
    """The process answers."""
    return _json(200, Liveness("ok"))


@routes.get("/readyz")
def ready() -> Response:
    """Redis answers and the outbox has room; otherwise 503."""
    services = _services()
    try:
        waiting, sequence = services.store.backlog()
    except Unavailable as error:
        # says why, such as a wrong password: the answer itself does not
        _log.warning("not ready", extra={"context": {"detail": error.detail, "cause": str(error.__cause__)}})
        raise
    if waiting >= services.settings.outbox_max_entries:
        return _json(503, Health("outbox full", waiting, sequence))
    return _json(200, Health("ok", waiting, sequence))


@routes.get("/metrics")
def prometheus() -> Response:
    """Prometheus metrics."""
    services = _services()
    return Response(metrics.render(services.store), content_type="text/plain; version=0.0.4")


@routes.get("/openapi.json")
def describe() -> Response:
    """The OpenAPI description of these routes."""
    return _json(200, openapi.description())


# ---------------------------------------------------------------- requests


def _create_player() -> Player:
    player = handlers.create_player(_services().store, _body(PlayerRequest, empty=PlayerRequest()))
    metrics.PLAYERS.inc()
    return player


def _body(kind: type[T], empty: T | None = None) -> T:
    raw = request.get_data(cache=False)
    if not raw.strip() and empty is not None:
        return empty
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise InvalidRequest(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(Problem.INVALID_JSON, f"the body is not JSON: {error}") from None


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    try:
        return None if key is None else msgspec.convert(key, TradeId)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"bad Idempotency-Key header: {error}") from None


def _int_argument(name: str, default: int, low: int, high: int) -> int:
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and low <= int(text) <= high):
        raise InvalidRequest(f"{name}={text!r} is not a whole number of {low} to {high}")
    return int(text)


# ---------------------------------------------------------------- answers


def _json(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, headers, content_type="application/json")


def _text(body: str) -> Response:
    return Response(body, content_type="text/plain; charset=utf-8")


def _problem(
    status: int,
    reason: str,
    detail: str,
    headers: dict[str, str] | None = None,
    trade: DecidedTrade | UnsetType = UNSET,
) -> Response:
    problem = ProblemDetails("about:blank", reason.replace("_", " ").capitalize(), status, reason, detail, trade)
    return Response(msgspec.json.encode(problem), status, headers, content_type="application/problem+json")


def _replayed(answer: Answer) -> dict[str, str]:
    return {"Idempotent-Replayed": "true"} if answer.replayed else {}


# ---------------------------------------------------------------- errors and metrics


def _render_request_error(error: RequestError) -> Response:
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else None
    return _problem(error.status, error.reason, error.detail, headers)


def _render_http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if isinstance(error, RequestEntityTooLarge):
        _drain_body()
        limit = _services().settings.request_max_bytes
        return _problem(status, Problem.REQUEST_TOO_LARGE, f"the body is larger than {limit} bytes")
    if status == 405:
        return _problem(status, Problem.METHOD_NOT_ALLOWED, f"{request.path} does not support {request.method}")
    if status == 404:
        return _problem(status, Problem.NOT_FOUND, f"there is no {request.path}; see /docs")
    return _problem(status, Problem.INVALID_REQUEST, error.description or error.name)


def _render_defect(error: Exception) -> Response:
    _log.error("defect in a request", exc_info=error, extra={"context": {"path": request.path}})
    return _problem(500, Problem.INTERNAL, "a defect in the engine; its log has the traceback")


def _drain_body() -> None:
    """Reads a refused body to its end, within a bound: a client that still writes would not see the answer."""
    stream, left = request.environ["wsgi.input"], _DRAIN_BYTES
    while left > 0 and (chunk := stream.read(min(left, 65_536))):
        left -= len(chunk)


def _start_clock() -> None:
    g.started_at = time.perf_counter()


def _count_request(response: Response) -> Response:
    route = request.url_rule.rule if request.url_rule else "none"
    metrics.REQUESTS.labels(route, request.method, response.status_code).inc()
    metrics.LATENCY.labels(route).observe(time.perf_counter() - g.started_at)
    return response


def _count_trade(answer: Answer) -> None:
    if not answer.replayed:
        rejected = isinstance(answer.event, TradeRejected)
        reason = answer.event.reason if isinstance(answer.event, TradeRejected) else ""
        metrics.TRADES.labels("rejected" if rejected else "accepted", reason).inc()
