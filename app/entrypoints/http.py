"""The HTTP engine: its composition root and its routes. Served by gunicorn (`create_app()`).

A request passes guard.py, its body is decoded into a structure of commands.py and handed to handlers.py, and
rendering.py makes the response.
"""

import logging
import os
import re
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import msgspec
from flask import Blueprint, Flask, Response, current_app, g, request
from flask_swagger_ui import get_swaggerui_blueprint
from msgspec import UNSET
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app import handlers
from app.adapters.rates import Rates
from app.adapters.redis import Answer, Result, Store, StoredOffer, advice, connect
from app.answers import (
    BatchResult,
    BatchResults,
    CatalogItem,
    ClassList,
    Health,
    ItemList,
    Liveness,
    OfferPage,
    OfferResult,
    OriginalTradeResult,
    PlayerPage,
    StartingClass,
    Token,
    TradePage,
    TradeResult,
    decided_trade,
    shown_offer,
)
from app.auth import Authenticator
from app.commands import (
    MAX_BATCH,
    BatchRequest,
    ItemQuantity,
    OfferRequest,
    OriginalTradeRequest,
    Player,
    PlayerRequest,
    TradeId,
    TradeRequest,
)
from app.contract.economy import CLASSES, ITEMS
from app.contract.reasons import OfferOutcome, Problem, Rejection
from app.entrypoints import metrics, openapi, rendering
from app.entrypoints.guard import Guard, require_player
from app.errors import InvalidRequest, RequestError, Unavailable
from app.handlers import BatchItem, Versions
from app.logs import configure_logs
from app.settings import Settings, load_settings

_log = logging.getLogger(__name__)
_ENTITY_TAG = re.compile(r'"(\d{1,16})\.(\d{1,16})"')

T = TypeVar("T")
routes = Blueprint("haggle", __name__)


class Services(NamedTuple):
    """What the routes use."""

    settings: Settings
    store: Store
    authenticator: Authenticator


class _Engine(Flask):
    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """As it is: Flask would ask of every function of every request whether it is a coroutine, and none is."""
        return func


class _RawBatch(msgspec.Struct):
    """A batch of which some trades may be invalid."""

    mode: str
    trades: list[msgspec.Raw]


def create_app(settings: Settings | None = None) -> Flask:
    """The composition root of the engine: settings from the environment unless given."""
    settings = settings or load_settings(os.environ)
    configure_logs(settings.log_level)
    client, authenticator = connect(settings), Authenticator(settings)
    guard = Guard(settings, authenticator, Rates(client, settings.realm))
    app = _Engine(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.request_max_bytes
    app.extensions["haggle"] = Services(settings, Store(client, settings), authenticator)
    app.register_blueprint(routes)
    app.register_blueprint(get_swaggerui_blueprint("/docs", "/openapi.json", {"app_name": "Haggle engine"}))
    app.register_error_handler(RequestError, rendering.render_request_error)
    app.register_error_handler(HTTPException, rendering.render_http_error)
    app.register_error_handler(Exception, rendering.render_defect)
    app.before_request(_start_clock)
    app.before_request(guard.before)
    app.after_request(guard.after)
    app.after_request(_count_request)
    return app


def _services() -> Services:
    services: Services = current_app.extensions["haggle"]
    return services


def _store() -> Store:
    return _services().store


# ---------------------------------------------------------------- original routes


@routes.put("/create_player")
def create_player_original() -> Response:
    """Creates a player; a text answer, as the original route gave."""
    player = _create_player()
    return rendering.text(
        f"New {player.player_class} (player_id = {player.player_id}) with username = {player.username} created.\n"
    )


@routes.post("/trade")
def trade_original() -> Response:
    """Decides a trade; 200 in every case, with `fail_reason` if it was refused."""
    answer = handlers.original_trade(_store(), _body(OriginalTradeRequest), _idempotency_key())
    _count_answer(answer)
    result = OriginalTradeResult(answer.player_1, answer.player_2, answer.occurred_at, answer.reason or UNSET)
    return rendering.json(200, result, _replayed(answer.replayed))


# ---------------------------------------------------------------- players


@routes.post("/v1/players")
def create_player() -> Response:
    """Creates a player."""
    player = _create_player()
    return rendering.json(201, player, {"Location": f"/v1/players/{player.player_id}", "ETag": _entity_tag(player)})


@routes.get("/v1/players/<int:player_id>")
def get_player(player_id: int) -> Response:
    """A player's state; 304 if the caller has it already."""
    require_player(player_id)
    player = handlers.find_player(_store(), player_id)
    headers = {"ETag": _entity_tag(player)}
    if _entity_tag(player) in request.headers.get("If-None-Match", ""):
        return Response(status=304, headers=headers)
    return rendering.json(200, player, headers)


@routes.get("/v1/players")
def list_players() -> Response:
    """A page of players by id."""
    cursor = _int_argument("cursor", 0, 0, 2**53 - 1)
    limit = _int_argument("limit", 100, 1, handlers.MAX_PAGE)
    players, next_cursor = handlers.list_players(_store(), cursor, limit)
    return rendering.json(200, PlayerPage(players, next_cursor))


@routes.post("/v1/players/<int:player_id>/tokens")
def create_token(player_id: int) -> Response:
    """A token with which the player's client may act for the player."""
    if not _services().authenticator.is_on:
        raise RequestError(Problem.INVALID_REQUEST, "authentication is off: there are no tokens", status=409)
    handlers.find_player(_store(), player_id)
    return rendering.json(201, Token(*_services().authenticator.token(player_id)), {"Cache-Control": "no-store"})


@routes.get("/v1/players/<int:player_id>/trades")
def list_trades(player_id: int) -> Response:
    """A page of a player's accepted trades, newest first."""
    require_player(player_id)
    cursor = _id_argument("cursor")
    limit = _int_argument("limit", 20, 1, handlers.MAX_TRADES_PAGE)
    trades, next_cursor = handlers.list_trades(_store(), player_id, cursor, limit)
    return rendering.json(200, TradePage([decided_trade(answer) for answer in trades], next_cursor))


@routes.get("/v1/players/<int:player_id>/offers")
def list_offers(player_id: int) -> Response:
    """A page of a player's open offers, made and received."""
    require_player(player_id)
    cursor = _int_argument("cursor", 0, 0, 2**53 - 1)
    limit = _int_argument("limit", 20, 1, handlers.MAX_TRADES_PAGE)
    offers, next_cursor = handlers.list_offers(_store(), player_id, cursor, limit)
    return rendering.json(200, OfferPage([shown_offer(offer) for offer in offers], next_cursor))


# ---------------------------------------------------------------- trades


@routes.post("/v1/trades")
def create_trade() -> Response:
    """Decides a trade: 201 accepted, 409 refused."""
    answer = handlers.trade(_store(), _body(TradeRequest), _idempotency_key(), _seen_versions())
    return _trade_response(answer)


@routes.post("/v1/trades/batch")
def create_trades() -> Response:
    """Decides many trades: a result for each, in order."""
    mode, items = _batch()
    if mode == "all_or_nothing":
        results: list[Any] = handlers.batch_together(_store(), items)
    else:
        results = handlers.independent_batch(_store(), items)
    shown = [_batch_result(item.trade_id, result) for item, result in zip(items, results, strict=True)]
    _count_results(results)
    return rendering.json(200, BatchResults(shown))


@routes.get("/v1/trades/<trade_id>")
def get_trade(trade_id: str) -> Response:
    """The stored answer of a trade, accepted or refused."""
    answer = handlers.find_trade(_store(), trade_id)
    return rendering.json(200, TradeResult(decided_trade(answer), answer.player_1, answer.player_2))


# ---------------------------------------------------------------- offers


@routes.post("/v1/offers")
def create_offer() -> Response:
    """Makes an offer: 201 made, 409 refused."""
    body = _body(OfferRequest)
    require_player(body.player_1.player_id)
    longest_s = _services().settings.offer_ttl_s
    answer = handlers.make_offer(_store(), body, _idempotency_key(), _seen_versions(), longest_s)
    headers = _replayed(answer.replayed)
    if reason := answer.reason:
        return rendering.problem(_refused_status(reason), reason, reason.help, headers)
    offer = shown_offer(handlers.find_offer(_store(), answer.offer_id))
    headers["Location"] = f"/v1/offers/{offer.offer_id}"
    return rendering.json(201, OfferResult(offer, answer.player_1), headers)


@routes.get("/v1/offers/<offer_id>")
def get_offer(offer_id: str) -> Response:
    """An offer, for the game server and its two players."""
    return rendering.json(200, shown_offer(_offer_of(offer_id, 1, 2)))


@routes.post("/v1/offers/<offer_id>/accept")
def accept_offer(offer_id: str) -> Response:
    """Player 2 accepts: 201 with the trade, 409 refused, and the offer stays open."""
    offer = _offer_of(offer_id, 2)
    return _trade_response(handlers.accept_offer(_store(), offer, _idempotency_key(), _seen_versions()))


@routes.post("/v1/offers/<offer_id>/decline")
def decline_offer(offer_id: str) -> Response:
    """Player 2 declines."""
    return _close_offer(offer_id, 2, OfferOutcome.DECLINED)


@routes.post("/v1/offers/<offer_id>/cancel")
def cancel_offer(offer_id: str) -> Response:
    """Player 1 cancels."""
    return _close_offer(offer_id, 1, OfferOutcome.CANCELLED)


# ---------------------------------------------------------------- catalog and operations


@routes.get("/v1/items")
def list_items() -> Response:
    """The catalog of items."""
    items = [CatalogItem(item.item_id, item.name, item.level, item.value) for item in ITEMS.values()]
    return rendering.json(200, ItemList(items))


@routes.get("/v1/classes")
def list_classes() -> Response:
    """The classes that players are drawn from."""
    classes = [
        StartingClass(kind.name, kind.weight, kind.gold, [ItemQuantity(*line) for line in kind.items.items()])
        for kind in CLASSES.values()
    ]
    return rendering.json(200, ClassList(classes))


@routes.get("/livez")
def live() -> Response:
    """The process answers."""
    return rendering.json(200, Liveness("ok"))


@routes.get("/readyz")
def ready() -> Response:
    """Redis takes commands and the outbox has room; otherwise 503."""
    services = _services()
    try:
        services.store.assert_takes_commands()
        backlog = services.store.backlog()
    except Unavailable as error:
        # says why, such as a wrong password: the answer itself does not
        context = {"detail": advice(services.settings, error.__cause__), "error": str(error.__cause__)}
        _log.warning("not ready", extra={"context": context})
        raise
    is_full = backlog.entries >= services.settings.outbox_max_entries
    status = "outbox full" if is_full else "ok"
    return rendering.json(503 if is_full else 200, Health(status, backlog.entries, backlog.age_s, backlog.sequence))


@routes.get("/metrics")
def prometheus() -> Response:
    """Prometheus metrics."""
    return Response(metrics.render(_store()), content_type="text/plain; version=0.0.4")


@routes.get("/openapi.json")
def describe() -> Response:
    """The OpenAPI description of these routes."""
    return rendering.json(200, openapi.description())


# ---------------------------------------------------------------- requests


def _create_player() -> Player:
    player = handlers.create_player(_store(), _body(PlayerRequest, empty=PlayerRequest()))
    metrics.PLAYERS.inc()
    return player


def _content() -> bytes:
    """The body of the request, read once; raises RequestEntityTooLarge."""
    limit = _services().settings.request_max_bytes
    if (request.content_length or 0) <= limit:
        # a body in chunks has no length, and one more byte than is allowed is enough to see that it is too large
        content: bytes = request.environ["wsgi.input"].read(limit + 1)
        if len(content) <= limit:
            return content
    raise RequestEntityTooLarge


def _body(kind: type[T], empty: T | None = None) -> T:
    content = _content()
    if empty is not None and not content.strip():
        return empty
    return _decoded(content, kind)


def _decoded(raw: bytes | msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise InvalidRequest(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(Problem.INVALID_JSON, f"the body is not JSON: {error}") from None


def _batch() -> tuple[str, list[BatchItem]]:
    """The batch's mode and trades; in an independent one, some may be invalid."""
    mode: str
    found: list[TradeRequest | str]
    content = _content()
    try:
        body = _decoded(content, BatchRequest)
        mode, found = body.mode, list(body.trades)
    except InvalidRequest:
        raw = _decoded(content, _RawBatch)
        if raw.mode != "independent" or not 1 <= len(raw.trades) <= MAX_BATCH:
            raise
        mode, found = raw.mode, [_trade_or_problem(trade, place) for place, trade in enumerate(raw.trades)]
    given = [None if isinstance(trade, str) else trade.trade_id for trade in found]
    ids = handlers.batch_ids(given, _idempotency_key())
    return mode, [
        BatchItem(trade_id, None, trade) if isinstance(trade, str) else BatchItem(trade_id, trade)
        for trade_id, trade in zip(ids, found, strict=True)
    ]


def _trade_or_problem(raw: msgspec.Raw, place: int) -> TradeRequest | str:
    try:
        return _decoded(raw, TradeRequest)
    except InvalidRequest as error:
        return error.detail.replace("`$", f"`$.trades[{place}]")


def _offer_of(offer_id: str, *sides: int) -> StoredOffer:
    """The offer, for the game server and the players of the given sides; raises Forbidden."""
    offer = handlers.find_offer(_store(), offer_id)
    players = {1: offer.player_1.player_id, 2: offer.player_2.player_id}
    require_player(*(players[side] for side in sides))
    return offer


def _close_offer(offer_id: str, side: int, outcome: OfferOutcome) -> Response:
    replayed = handlers.close_offer(_store(), _offer_of(offer_id, side), outcome)
    offer = shown_offer(handlers.find_offer(_store(), offer_id))
    player_1 = _store().player(offer.player_1.player_id)
    return rendering.json(200, OfferResult(offer, player_1), _replayed(replayed))


def _idempotency_key() -> str | None:
    return _checked_id("Idempotency-Key header", request.headers.get("Idempotency-Key"))


def _id_argument(name: str) -> str:
    return _checked_id(name, request.args.get(name)) or ""


def _checked_id(name: str, text: str | None) -> str | None:
    try:
        return None if text is None else msgspec.convert(text, TradeId)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"bad {name}: {error}") from None


def _int_argument(name: str, default: int, low: int, high: int) -> int:
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and low <= int(text) <= high):
        raise InvalidRequest(f"{name}={text!r} is not a whole number of {low} to {high}")
    return int(text)


def _entity_tag(player: Player) -> str:
    return f'"{player.player_id}.{player.version}"'


def _seen_versions() -> Versions:
    """The players and versions of If-Match, which lists the entity tags of the states that the caller saw."""
    header = request.headers.get("If-Match")
    if header is None:
        return {}
    found = [_ENTITY_TAG.fullmatch(tag.strip()) for tag in header.split(",")]
    versions = {int(tag[1]): int(tag[2]) for tag in found if tag}
    if len(versions) != len(found):
        raise InvalidRequest('If-Match lists the ETag of each state that the request depends on, as "12.3", "7.1"')
    return versions


# ---------------------------------------------------------------- answers


def _trade_response(answer: Answer) -> Response:
    _count_answer(answer)
    headers = _replayed(answer.replayed)
    if reason := answer.reason:
        return rendering.problem(_refused_status(reason), reason, reason.help, headers, decided_trade(answer))
    return rendering.json(201, TradeResult(decided_trade(answer), answer.player_1, answer.player_2), headers)


def _refused_status(reason: Rejection) -> int:
    """412 where the caller asked with If-Match, else 409."""
    return 412 if reason is Rejection.STALE_STATE and "If-Match" in request.headers else 409


def _batch_result(trade_id: str, result: Result | str) -> BatchResult:
    if isinstance(result, str):
        return BatchResult(trade_id, "invalid", reason=Problem.INVALID_REQUEST, detail=result)
    if result.status == "undecided":
        return BatchResult(trade_id, "undecided", reason=result.reason)
    if result.status == "mismatch":
        reason = Problem.IDEMPOTENCY_MISMATCH
        return BatchResult(trade_id, "invalid", reason=reason, detail=reason.help)
    replayed = result.status == "replayed"
    if result.reason:
        return BatchResult(trade_id, "rejected", result.sequence, result.reason, replayed=replayed)
    return BatchResult(trade_id, "accepted", result.sequence, replayed=replayed)


def _replayed(replayed: bool) -> dict[str, str]:  # noqa: FBT001 it is the one thing to say
    return {"Idempotent-Replayed": "true"} if replayed else {}


# ---------------------------------------------------------------- metrics


def _start_clock() -> None:
    g.started_at = time.perf_counter()


def _count_request(response: Response) -> Response:
    rule = request.url_rule
    route, method = (rule.rule, request.method) if rule else ("none", "none")
    metrics.requests(route, method, response.status_code).observe(time.perf_counter() - g.started_at)
    return response


def _count_answer(answer: Answer) -> None:
    if not answer.replayed:
        metrics.trades(answer.reason or "").inc()


def _count_results(results: list[Any]) -> None:
    decided = [result.reason for result in results if isinstance(result, Result) and result.status == "decided"]
    for reason in set(decided):
        metrics.trades(reason).inc(decided.count(reason))
