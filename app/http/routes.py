"""What each operation does with a request: a function each, which calls a use case and shows its result."""

import logging
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, get_args

from flask import Response, g, request
from msgspec import UNSET
from werkzeug.exceptions import RequestEntityTooLarge

from app import usecases
from app.auth import Authenticator, Caller
from app.contract.reasons import Problem, Rejection
from app.domain import (
    Adjustment,
    AdjustmentResult,
    BatchResult,
    Creation,
    Decision,
    FindingName,
    NewPlayer,
    OfferDecision,
    Player,
    Trade,
    Versions,
)
from app.errors import Forbidden, InvalidRequest, NotFound, RequestError, Unavailable
from app.http import metrics, operations, repeats, requests, responses
from app.http.guard import Guard, check_owner
from app.http.operations import Operation, Parameter
from app.live.hub import Hub
from app.settings import Settings
from app.store import Store
from app.store.client import advice

_log = logging.getLogger(__name__)
EVENT_STREAM: Final = "text/event-stream"
_ENTITY_TAG: Final = re.compile(r'"(\d{1,16})\.(\d{1,16})"')


class Services(NamedTuple):
    """What the routes use."""

    settings: Settings
    store: Store
    authenticator: Authenticator
    guard: Guard
    hub: Hub


class Call(NamedTuple):
    """A request to an operation, as far as the caller may make it."""

    services: Services
    caller: Caller
    path: dict[str, Any]
    body: Any

    @property
    def store(self) -> Store:
        """The stores of the realm."""
        return self.services.store

    def value(self, parameter: Parameter) -> Any:
        """What the request says of the parameter; raises InvalidRequest."""
        if parameter.place == "path":
            return self.path[parameter.name]
        given = request.args if parameter.place == "query" else request.headers
        return parameter.read(given.get(parameter.name))

    def name(self, of_body: str | None = None, field: str = "") -> str | None:
        """The name that the caller gives its command, in the body or as Idempotency-Key; None: the engine names it."""
        key = self.value(operations.KEY)
        if of_body and key and of_body != key:
            raise InvalidRequest(f"{field} and Idempotency-Key differ; send one of them, or the same in both")
        given = of_body or key
        return given and self.caller.own_name(given)

    def seen_versions(self) -> Versions:
        """The players and versions of If-Match, which lists the entity tags of the states that the caller saw."""
        header = self.value(operations.IF_MATCH)
        if header is None:
            return {}
        found = [_ENTITY_TAG.fullmatch(tag.strip()) for tag in header.split(",")]
        versions = {int(tag[1]): int(tag[2]) for tag in found if tag}
        if len(versions) != len(found):
            raise InvalidRequest('If-Match lists the ETag of each state that the request depends on, as "12.3", "7.1"')
        if self.caller.player_id is not None and versions.keys() - {self.caller.player_id}:
            raise Forbidden("a player names the version of its own state only; it is told nothing of others'")
        return versions

    def shown(self, player: Player | None) -> responses.Player | None:
        """A player's state, if it is the caller's to see: a player sees its own only."""
        is_seen = player and self.caller.player_id in (None, player.player_id)
        return responses.player(player, self.store.economy) if player and is_seen else None


Route = Callable[[Call], Response]
_ROUTES: Final[dict[Operation, Route]] = {}


def _route(operation: Operation) -> Callable[[Route], Route]:
    """Says that the function is what the operation does."""

    def register(function: Route) -> Route:
        _ROUTES[operation] = function
        return function

    return register


def view(operation: Operation, services: Services) -> Callable[..., Response]:
    """Flask's view of an operation: reads and checks the request, and hands it to the operation's function."""
    function, guard = _ROUTES[operation], services.guard

    def answer(**path: Any) -> Response:
        caller, body = g.caller, None
        if operation.body:
            content = _content(guard.most_bytes(caller))
            guard.count_body(caller, len(content))
            body = operation.decode(content, operation.body)
        check_owner(operation, caller, path, body)
        return function(Call(services, caller, path, body))

    return answer


def _content(limit_bytes: int) -> bytes:
    """The body of the request, read once; raises RequestEntityTooLarge."""
    environ = request.environ
    if int(environ.get("CONTENT_LENGTH") or 0) <= limit_bytes:
        # a body in chunks has no length, and one more byte than is allowed is enough to see that it is too large
        content: bytes = environ["wsgi.input"].read(limit_bytes + 1)
        if len(content) <= limit_bytes:
            return content
    raise RequestEntityTooLarge


# ---------------------------------------------------------------- original routes


@_route(operations.CREATE_PLAYER_ORIGINAL)
def create_player_original(call: Call) -> Response:
    """Creates a player; a text answer, as the original route gave."""
    player = _create_player(call, NewPlayer(call.body.player_class, call.body.username)).player
    return responses.text(
        f"New {player.player_class} (player_id = {player.player_id}) with username = {player.username} created.\n"
    )


@_route(operations.TRADE_ORIGINAL)
def trade_original(call: Call) -> Response:
    """Decides a trade; 200 in every case, with `fail_reason` if it was refused."""
    sides = requests.original_sides(call.body, call.store.economy)
    decision = _counted(usecases.decide_trade(call.store, call.name(), sides))
    one, two = (responses.player_or_none(each, call.store.economy) for each in (decision.player_1, decision.player_2))
    result = responses.OriginalTradeResult(one, two, decision.occurred_at, decision.reason or UNSET)
    return responses.json(200, result, _replayed(decision, decision.trade_id))


# ---------------------------------------------------------------- players


@_route(operations.CREATE_PLAYER)
def create_player(call: Call) -> Response:
    """Creates a player."""
    body: requests.PlayerRequest = call.body
    creation = _create_player(call, NewPlayer(body.player_class, body.username, body.external_id, call.name()))
    player = creation.player
    headers = {
        "Location": f"/v1/players/{player.player_id}",
        "ETag": _entity_tag(player),
        **_replayed(creation, call.name() or ""),
    }
    return responses.json(201, responses.player(player, call.store.economy), headers)


def _create_player(call: Call, new: NewPlayer) -> Creation:
    creation = usecases.create_player(call.store, new)
    if not creation.is_replayed:
        metrics.PLAYERS.inc()
    return creation


@_route(operations.RENAME_PLAYER)
def rename_player(call: Call) -> Response:
    """Gives a player another username."""
    player = usecases.rename_player(call.store, call.value(operations.PLAYER_ID), call.body.username)
    return responses.json(200, responses.player(player, call.store.economy), {"ETag": _entity_tag(player)})


@_route(operations.FORGET_PLAYER)
def forget_player(call: Call) -> Response:
    """Removes a player's names, and closes its account."""
    player = usecases.forget_player(call.store, call.value(operations.PLAYER_ID))
    _log.info("a player is forgotten", extra={"context": {"player_id": player.player_id, "caller": call.caller.name}})
    return responses.json(200, responses.player(player, call.store.economy), {"ETag": _entity_tag(player)})


@_route(operations.GET_PLAYER)
def get_player(call: Call) -> Response:
    """A player's state; 304 if the caller has it already."""
    player = usecases.find_player(call.store, call.value(operations.PLAYER_ID))
    headers = {"ETag": _entity_tag(player)}
    if headers["ETag"] in (call.value(operations.IF_NONE_MATCH) or ""):
        return Response(status=304, headers=headers)
    return responses.json(200, responses.player(player, call.store.economy), headers)


@_route(operations.LIST_PLAYERS)
def list_players(call: Call) -> Response:
    """A page of players by id; or the one of an external_id."""
    cursor, limit, external_id = (call.value(each) for each in operations.LIST_PLAYERS.parameters)
    if external_id is not None:
        players, next_cursor = usecases.find_external(call.store, external_id), None
    else:
        players, next_cursor = usecases.list_players(call.store, cursor, limit)
    shown = [responses.player(player, call.store.economy) for player in players]
    return responses.json(200, responses.PlayerPage(shown, next_cursor))


@_route(operations.CREATE_TOKEN)
def create_token(call: Call) -> Response:
    """A token with which the player's client may act for the player."""
    authenticator, player_id = call.services.authenticator, call.value(operations.PLAYER_ID)
    if not authenticator.is_on:
        raise RequestError(Problem.INVALID_REQUEST, "authentication is off: there are no tokens", status=409)
    usecases.find_player(call.store, player_id)
    token = responses.Token(*authenticator.token(player_id))
    _log.info("a token was issued", extra={"context": {"player_id": player_id, "caller": call.caller.name}})
    return responses.json(201, token, {"Cache-Control": "no-store"})


@_route(operations.REVOKE_TOKENS)
def revoke_tokens(call: Call) -> Response:
    """Takes back the tokens of a player: those of others stay good."""
    player_id = call.value(operations.PLAYER_ID)
    usecases.revoke_tokens(call.store, player_id)
    _log.info("tokens were taken back", extra={"context": {"player_id": player_id, "caller": call.caller.name}})
    return responses.json(200, responses.Revoked(player_id))


@_route(operations.LIST_TRADES)
def list_trades(call: Call) -> Response:
    """A page of a player's accepted trades, newest first."""
    player_id, first, limit = (call.value(each) for each in operations.LIST_TRADES.parameters)
    decisions, next_cursor = usecases.list_trades(call.store, player_id, first or "", limit)
    trades = [responses.decided_trade(decision) for decision in decisions]
    return responses.json(200, responses.TradePage(trades, next_cursor))


@_route(operations.LIST_OFFERS)
def list_offers(call: Call) -> Response:
    """A page of a player's open offers, made and received."""
    player_id, after, limit = (call.value(each) for each in operations.LIST_OFFERS.parameters)
    offers, next_cursor = usecases.list_offers(call.store, player_id, after, limit)
    return responses.json(200, responses.OfferPage([responses.offer(offer) for offer in offers], next_cursor))


# ---------------------------------------------------------------- trades


@_route(operations.CREATE_TRADE)
def create_trade(call: Call) -> Response:
    """Decides a trade: 201 accepted, 409 refused."""
    name, sides = call.name(call.body.trade_id, "trade_id"), requests.sides(call.body, call.seen_versions())
    return _trade_response(call, usecases.decide_trade(call.store, name, sides))


@_route(operations.CREATE_TRADES)
def create_trades(call: Call) -> Response:
    """Decides many trades: a result for each, in order."""
    batch: requests.Batch = call.body
    names = usecases.batch_names(call.name(), [item.trade_id for item in batch.items])
    if batch.mode == "all_or_nothing":
        requests.check_names(names)
        trades = [_trade(name, item) for name, item in zip(names, batch.items, strict=True)]
        results = usecases.decide_together(call.store, trades)
    else:
        due = [_trade_or_result(name, item) for name, item in zip(names, batch.items, strict=True)]
        results = usecases.decide_each(call.store, due)
    _count([(name, result.reason) for name, result in zip(names, results, strict=True) if result.status == "decided"])
    repeats.note_batch(names, [result.status for result in results])
    shown = [responses.batch_result(name, result) for name, result in zip(names, results, strict=True)]
    return responses.json(200, responses.BatchResults(shown))


def _trade(name: str, item: requests.BatchItem) -> Trade:
    """A trade of a batch; raises InvalidRequest."""
    if item.request is None:
        raise InvalidRequest(item.problem)
    return Trade(name, *requests.sides(item.request, {}))


def _trade_or_result(name: str, item: requests.BatchItem) -> Trade | BatchResult:
    try:
        return _trade(name, item)
    except InvalidRequest as error:
        return BatchResult("invalid", detail=error.detail)


@_route(operations.GET_TRADE)
def get_trade(call: Call) -> Response:
    """What is known of a trade, accepted or refused."""
    return _trade_result(200, call, usecases.find_trade(call.store, call.value(operations.TRADE_ID)), {})


# ---------------------------------------------------------------- adjustments


@_route(operations.CREATE_ADJUSTMENT)
def create_adjustment(call: Call) -> Response:
    """Gives and takes: 201 done, 409 refused."""
    name = call.name(call.body.adjustment_id, "adjustment_id") or usecases.new_name()
    adjustment = requests.adjustment(call.body, name)
    result, player = usecases.adjust(call.store, adjustment)
    headers, decided = _replayed(result, name), responses.adjustment(adjustment, result)
    if result.status == "decided":
        metrics.count_adjustments([result.reason])
    if result.reason:
        reason = Rejection(result.reason)
        return responses.problem(409, reason, reason.help, headers, decided)
    return responses.json(201, responses.AdjustmentResult(decided, call.shown(player)), headers)


@_route(operations.CREATE_ADJUSTMENTS)
def create_adjustments(call: Call) -> Response:
    """Gives and takes many times: a result for each, in order."""
    items: list[requests.AdjustmentItem] = call.body
    names = usecases.batch_names(call.name(), [item.adjustment_id for item in items])
    due = [_adjustment_or_result(*each) for each in zip(names, items, range(len(items)), strict=True)]
    results = usecases.adjust_each(call.store, due)
    metrics.count_adjustments(result.reason for result in results if result.status == "decided")
    repeats.note_batch(names, [result.status for result in results])
    shown = [responses.adjustment_result(name, result) for name, result in zip(names, results, strict=True)]
    return responses.json(200, responses.AdjustmentResults(shown))


def _adjustment_or_result(name: str, item: requests.AdjustmentItem, place: int) -> Adjustment | AdjustmentResult:
    if item.request is None:
        return AdjustmentResult("invalid", detail=item.problem)
    try:
        return requests.adjustment(item.request, name)
    except InvalidRequest as error:
        return AdjustmentResult("invalid", detail=error.detail.replace("`$", f"`$.adjustments[{place}]"))


# ---------------------------------------------------------------- offers


@_route(operations.CREATE_OFFER)
def create_offer(call: Call) -> Response:
    """Makes an offer: 201 made, 409 refused."""
    name, sides = call.name(call.body.offer_id, "offer_id"), requests.sides(call.body, call.seen_versions())
    if call.caller.player_id is not None and call.body.player_2.version is not None:
        raise Forbidden("a player names the version of its own state only; it is told nothing of others'")
    longest_s = call.services.settings.offer_ttl_s
    decision = usecases.make_offer(call.store, name, sides, call.body.expires_in_s, longest_s)
    if reason := decision.reason:
        return responses.problem(_refused_status(reason), reason, reason.help, _replayed(decision, name))
    return _offer_result(201, call, decision)


@_route(operations.GET_OFFER)
def get_offer(call: Call) -> Response:
    """An offer, for the game server and its two players."""
    offer = usecases.find_offer(call.store, call.value(operations.OFFER_ID), call.caller.player_id)
    return responses.json(200, responses.offer(offer))


@_route(operations.ACCEPT_OFFER)
def accept_offer(call: Call) -> Response:
    """Player 2 accepts: 201 with the trade, 409 refused, and the offer stays open."""
    offer_id, seen = call.value(operations.OFFER_ID), call.seen_versions()
    decision = usecases.accept_offer(call.store, offer_id, call.name(), seen, call.caller.player_id)
    return _trade_response(call, decision)


@_route(operations.DECLINE_OFFER)
def decline_offer(call: Call) -> Response:
    """Player 2 declines."""
    offer_id = call.value(operations.OFFER_ID)
    return _offer_result(200, call, usecases.decline_offer(call.store, offer_id, call.caller.player_id))


@_route(operations.CANCEL_OFFER)
def cancel_offer(call: Call) -> Response:
    """Player 1 cancels."""
    offer_id = call.value(operations.OFFER_ID)
    return _offer_result(200, call, usecases.cancel_offer(call.store, offer_id, call.caller.player_id))


# ---------------------------------------------------------------- catalog and operations


@_route(operations.LIST_ITEMS)
def list_items(call: Call) -> Response:
    """The catalog of items that is in force."""
    return responses.json(200, responses.catalog(call.store.economy_in_force()))


@_route(operations.LIST_CLASSES)
def list_classes(call: Call) -> Response:
    """The classes that players are drawn from."""
    return responses.json(200, responses.classes(call.store.economy_in_force()))


@_route(operations.LIVE_NOW)
def live_now(call: Call) -> Response:
    """What happens now: a snapshot, or as long as the caller listens an event with one each second."""
    hub = call.services.hub
    if request.accept_mimetypes.best != EVENT_STREAM:
        return responses.json(200, hub.snapshot(), {"Cache-Control": "no-store"})
    viewer = hub.watch(request.environ.get("haggle.is_ending", lambda: False))
    request.environ["haggle.is_stream"] = True
    # a proxy must not wait for more
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Response(viewer, mimetype=EVENT_STREAM, headers=headers, direct_passthrough=True)


@_route(operations.PUT_FINDING)
def put_finding(call: Call) -> Response:
    """Keeps what a job has found."""
    name = call.value(operations.FINDING)
    if name not in get_args(FindingName):
        raise NotFound(f"there is no finding {name!r}, but {' and '.join(get_args(FindingName))}")
    call.store.findings.write(name, call.body)
    return responses.json(200, call.body)


@_route(operations.LIVE)
def live(_call: Call) -> Response:
    """The process answers."""
    return responses.json(200, responses.Liveness("ok"))


@_route(operations.READY)
def ready(call: Call) -> Response:
    """Redis answers, and whether commands are taken: while they are not, reads are served still."""
    settings, store = call.services.settings, call.store
    try:
        is_full, backlog, memory = store.is_full(), store.backlog(), store.memory()
    except Unavailable as error:
        # says why, such as a wrong password: the answer itself does not
        context = {"detail": advice(settings, error.__cause__), "error": str(error.__cause__)}
        _log.warning("not ready", extra={"context": context})
        raise
    is_behind = backlog.events >= settings.outbox_max_events
    status: responses.Commands = "redis_full" if is_full else "outbox_full" if is_behind else "ok"
    full_in_s = memory.full_in_s if memory else None
    return responses.json(200, responses.Health(status, backlog.events, backlog.age_s, backlog.sequence, full_in_s))


@_route(operations.METRICS)
def prometheus(call: Call) -> Response:
    """Prometheus metrics."""
    return Response(metrics.render(call.store), content_type="text/plain; version=0.0.4")


# ---------------------------------------------------------------- answers


def _counted(decision: Decision) -> Decision:
    if not decision.is_replayed:
        _count([(decision.trade_id, decision.reason or "")])
    return decision


def _count(decided: Sequence[tuple[str, str]]) -> None:
    """Counts trades decided now, given as trade_id and reason. With LOG_LEVEL=DEBUG the log has a line of each."""
    metrics.count_trades(reason for _, reason in decided)
    if _log.isEnabledFor(logging.DEBUG):
        for trade_id, reason in decided:
            _log.debug("trade decided", extra={"context": {"trade_id": trade_id, "reason": reason}})


def _trade_response(call: Call, decision: Decision) -> Response:
    _counted(decision)
    headers = _replayed(decision, decision.trade_id)
    if reason := decision.reason:
        trade = responses.decided_trade(decision)
        return responses.problem(_refused_status(reason), reason, reason.help, headers, trade)
    return _trade_result(201, call, decision, headers)


def _trade_result(status: int, call: Call, decision: Decision, headers: dict[str, str]) -> Response:
    trade = responses.decided_trade(decision)
    players = (call.shown(decision.player_1), call.shown(decision.player_2))
    result = responses.TradeResult(trade, *players, "now" if decision.is_recalled else "trade")
    return responses.json(status, result, headers)


def _offer_result(status: int, call: Call, decision: OfferDecision) -> Response:
    assert decision.offer, "an offer that was made or has ended is there"
    headers = _replayed(decision, decision.offer.offer_id)
    if status == 201:
        headers["Location"] = f"/v1/offers/{decision.offer.offer_id}"
    result = responses.OfferResult(responses.offer(decision.offer), call.shown(decision.player_1))
    return responses.json(status, result, headers)


def _refused_status(reason: Rejection) -> int:
    """412 where the caller asked with If-Match, else 409."""
    return 412 if reason is Rejection.STALE_STATE and "If-Match" in request.headers else 409


def _replayed(decision: Decision | OfferDecision | Creation | AdjustmentResult, name: str | None) -> dict[str, str]:
    is_replayed = decision.status == "replayed" if isinstance(decision, AdjustmentResult) else decision.is_replayed
    if not is_replayed:
        return {}
    repeats.note("recalled" if isinstance(decision, Decision) and decision.is_recalled else "replayed", [name or ""])
    return {"Idempotent-Replayed": "true"}


def _entity_tag(player: Player) -> str:
    return f'"{player.player_id}.{player.version}"'
