"""What the engine can be asked: each route once, with whom it takes, whose affairs it touches, and all its shapes.

Flask's routes (routes.py), the checks before them (guard.py), the OpenAPI description and docs/http.md come from here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, get_args

import msgspec

from app.auth import Scope
from app.contract.limits import MAX_AMOUNT, MAX_PAGE, MAX_PLAYERS_PAGE, ExternalId, Name, Place
from app.domain import Finding, FindingName
from app.errors import InvalidRequest
from app.http import requests, responses
from app.http.requests import decoded, decoded_adjustments, decoded_batch, decoded_or_empty
from app.live.shapes import Live


class Access(Enum):
    """Whom a route takes."""

    ANYONE = "needs no key"
    ORIGINAL = "for service keys; without a key where ORIGINAL_ROUTES=open"
    LIVE = "for service keys; without a key on the engine's own machine where LIVE_PAGE=open"
    SERVICE = "for service keys"
    PLAYER = "for service keys, and for players in their own affairs"


class Owner(Enum):
    """Whose affairs a route touches: where the player is named that may ask for it beside the game server."""

    NOBODY = "nobody's"
    GAME = "the game's"
    PATH = "of the player in the path"
    PLAYER_1 = "of player 1 in the body"
    OFFER = "of the offer's players, which the Lua functions see to"


# ---------------------------------------------------------------- parameters


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a request says beside its body. `read` makes a value of its text, None if it is not given."""

    name: str
    place: str
    schema: dict[str, Any]
    help: str
    read: Callable[[str | None], Any]


def _integer(name: str, place: str, bounds: tuple[int, int], help_text: str, usual: int | None = None) -> Parameter:
    low, high = bounds

    def read(text: str | None) -> int | None:
        if text is None:
            return usual
        if not (text.isascii() and text.isdigit() and len(text) <= 16 and low <= int(text) <= high):
            raise InvalidRequest(f"{name}={text!r} is not a whole number of {low} to {high}")
        return int(text)

    return Parameter(name, place, {"type": "integer", "minimum": low, "maximum": high}, help_text, read)


def _name(name: str, place: str, help_text: str, form: Any = Name) -> Parameter:
    def read(text: str | None) -> str | None:
        try:
            return None if text is None else msgspec.convert(text, form)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"bad {name}{' header' if place == 'header' else ''}: {error}") from None

    return Parameter(name, place, msgspec.json.schema(form), help_text, read)


def _text(name: str, place: str, help_text: str, **schema: Any) -> Parameter:
    return Parameter(name, place, {"type": "string", **schema}, help_text, lambda text: text)


KEY: Final = _name(
    "Idempotency-Key",
    "header",
    "names the command: a repeat with the same content gets the answer of then, other content a 422",
)
IF_MATCH: Final = _text(
    "If-Match",
    "header",
    "the ETag of each player state that the command depends on; if one has changed, 412",
    pattern=r'^"\d{1,16}\.\d{1,16}"(, *"\d{1,16}\.\d{1,16}")*$',
)
IF_NONE_MATCH: Final = _text(
    "If-None-Match", "header", "the ETag of the state that the caller has; if it is still that, 304"
)
PLAYER_ID: Final = _integer("player_id", "path", (1, MAX_AMOUNT), "the player")
TRADE_ID: Final = _text("trade_id", "path", "the trade", minLength=1)
OFFER_ID: Final = _text("offer_id", "path", "the offer", minLength=1)
EXTERNAL_ID: Final = _name("external_id", "query", "what the game calls the player", ExternalId)
AFTER: Final = _integer("cursor", "query", (0, MAX_AMOUNT), "next_cursor of the page before; 0 for the first", 0)
FIRST: Final = _name("cursor", "query", "next_cursor of the page before; left out for the first", Place)


def _limit(most: int, usual: int) -> Parameter:
    return _integer("limit", "query", (1, most), f"most on the page; {usual} unless given", usual)


FINDING: Final = _text("finding", "path", "which job's finding it is", enum=list(get_args(FindingName)))
LIMIT: Final = _limit(MAX_PAGE, 20)
PLAYERS_LIMIT: Final = _limit(MAX_PLAYERS_PAGE, 100)


# ---------------------------------------------------------------- operations


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One route. `answers` maps each status to its shape (None: text), `problems` lists those of errors.

    `needs`: the scope of service keys, if it is not to read for a GET and to trade for others. `decode` makes what the
    route works on of a body of the shape `body`.
    """

    method: str
    path: str
    access: Access
    owner: Owner
    summary: str
    answers: dict[int, Any]
    parameters: tuple[Parameter, ...] = ()
    body: Any = None
    decode: Callable[[bytes, Any], Any] = decoded
    problems: tuple[int, ...] = ()
    needs: Scope | None = None

    def __post_init__(self) -> None:
        allowed = {
            Access.ANYONE: {Owner.NOBODY},
            Access.ORIGINAL: {Owner.GAME},
            Access.LIVE: {Owner.GAME},
            Access.SERVICE: {Owner.GAME},
            Access.PLAYER: {Owner.PATH, Owner.PLAYER_1, Owner.OFFER},
        }[self.access]
        if self.owner not in allowed:
            raise ValueError(f"{self.method} {self.path} is {self.access.value}, so it touches no affairs {self.owner}")

    @property
    def scope(self) -> Scope:
        """What a service key must have for it."""
        return self.needs or (Scope.READ if self.method == "GET" else Scope.TRADE)

    @property
    def rule(self) -> str:
        """The path, as Flask spells it."""
        rule = self.path
        for parameter in self.parameters:
            converter = "int:" if parameter.schema["type"] == "integer" else ""
            rule = rule.replace(f"{{{parameter.name}}}", f"<{converter}{parameter.name}>")
        return rule


_COMMAND: Final = (400, 408, 413, 422, 503)
_EXCHANGE: Final = (400, 408, 409, 412, 413, 422, 503)
_Anyone, _Original, _Service, _Player = Access.ANYONE, Access.ORIGINAL, Access.SERVICE, Access.PLAYER

CREATE_PLAYER_ORIGINAL: Final = Operation(
    "PUT", "/create_player", _Original, Owner.GAME, "Create a player (original route)", {200: None},
    body=requests.OriginalPlayerRequest, decode=decoded_or_empty, problems=_COMMAND,
)  # fmt: skip
TRADE_ORIGINAL: Final = Operation(
    "POST", "/trade", _Original, Owner.GAME, "Decide a trade (original route)", {200: responses.OriginalTradeResult},
    (KEY,), requests.OriginalTradeRequest, problems=_COMMAND,
)  # fmt: skip
CREATE_PLAYER: Final = Operation(
    "POST", "/v1/players", _Service, Owner.GAME, "Create a player", {201: responses.Player},
    (KEY,), requests.PlayerRequest, decoded_or_empty, (400, 408, 409, 413, 422, 503),
)  # fmt: skip
RENAME_PLAYER: Final = Operation(
    "PATCH", "/v1/players/{player_id}", _Service, Owner.GAME, "Give a player another username",
    {200: responses.Player}, (PLAYER_ID,), requests.RenameRequest, problems=(400, 404, 408, 409, 413, 422, 503),
)  # fmt: skip
FORGET_PLAYER: Final = Operation(
    "DELETE", "/v1/players/{player_id}", _Service, Owner.GAME,
    "Forget a player: its names are gone, and its account is closed", {200: responses.Player}, (PLAYER_ID,),
    problems=(404, 503), needs=Scope.ADMIN,
)  # fmt: skip
LIST_PLAYERS: Final = Operation(
    "GET", "/v1/players", _Service, Owner.GAME, "List players, or find the one of an external_id",
    {200: responses.PlayerPage}, (AFTER, PLAYERS_LIMIT, EXTERNAL_ID), problems=(422, 503),
)  # fmt: skip
GET_PLAYER: Final = Operation(
    "GET", "/v1/players/{player_id}", _Player, Owner.PATH, "Get a player", {200: responses.Player, 304: None},
    (PLAYER_ID, IF_NONE_MATCH), problems=(404, 503),
)  # fmt: skip
CREATE_TOKEN: Final = Operation(
    "POST", "/v1/players/{player_id}/tokens", _Service, Owner.GAME, "Issue a player's token", {201: responses.Token},
    (PLAYER_ID,), problems=(404, 409, 503), needs=Scope.ADMIN,
)  # fmt: skip
REVOKE_TOKENS: Final = Operation(
    "DELETE", "/v1/players/{player_id}/tokens", _Service, Owner.GAME, "Take back all tokens of a player",
    {200: responses.Revoked}, (PLAYER_ID,), problems=(404, 503), needs=Scope.ADMIN,
)  # fmt: skip
LIST_TRADES: Final = Operation(
    "GET", "/v1/players/{player_id}/trades", _Player, Owner.PATH,
    "List a player's accepted trades, newest first, as far back as whole answers are kept", {200: responses.TradePage},
    (PLAYER_ID, FIRST, LIMIT), problems=(404, 422, 503),
)  # fmt: skip
LIST_OFFERS: Final = Operation(
    "GET", "/v1/players/{player_id}/offers", _Player, Owner.PATH, "List a player's open offers, made and received",
    {200: responses.OfferPage}, (PLAYER_ID, AFTER, LIMIT), problems=(404, 422, 503),
)  # fmt: skip
CREATE_TRADE: Final = Operation(
    "POST", "/v1/trades", _Service, Owner.GAME, "Decide a trade: 201 accepted, 409 or 412 refused",
    {201: responses.TradeResult}, (KEY, IF_MATCH), requests.TradeRequest, problems=_EXCHANGE,
)  # fmt: skip
CREATE_TRADES: Final = Operation(
    "POST", "/v1/trades/batch", _Service, Owner.GAME, "Decide many trades, each for itself or all together",
    {200: responses.BatchResults}, (KEY,), requests.BatchRequest, decoded_batch, _COMMAND,
)  # fmt: skip
GET_TRADE: Final = Operation(
    "GET", "/v1/trades/{trade_id}", _Service, Owner.GAME, "Get a decided trade", {200: responses.TradeResult},
    (TRADE_ID,), problems=(404, 503),
)  # fmt: skip
CREATE_ADJUSTMENT: Final = Operation(
    "POST", "/v1/adjustments", _Service, Owner.GAME, "Give a player gold and items, or take them: 201, 409 refused",
    {201: responses.AdjustmentResult}, (KEY,), requests.AdjustmentRequest,
    problems=(400, 408, 409, 413, 422, 503), needs=Scope.ADJUST,
)  # fmt: skip
CREATE_ADJUSTMENTS: Final = Operation(
    "POST", "/v1/adjustments/batch", _Service, Owner.GAME, "Give and take many times, each for itself",
    {200: responses.AdjustmentResults}, (KEY,), requests.AdjustmentBatchRequest, decoded_adjustments, _COMMAND,
    Scope.ADJUST,
)  # fmt: skip
CREATE_OFFER: Final = Operation(
    "POST", "/v1/offers", _Player, Owner.PLAYER_1, "Make an offer: 201 made, 409 or 412 refused",
    {201: responses.OfferResult}, (KEY, IF_MATCH), requests.OfferRequest, problems=_EXCHANGE,
)  # fmt: skip
GET_OFFER: Final = Operation(
    "GET", "/v1/offers/{offer_id}", _Player, Owner.OFFER, "Get an offer", {200: responses.Offer}, (OFFER_ID,),
    problems=(404, 503),
)  # fmt: skip
ACCEPT_OFFER: Final = Operation(
    "POST", "/v1/offers/{offer_id}/accept", _Player, Owner.OFFER,
    "Accept an offer: 201 traded, 409 or 412 refused (it stays open) or closed", {201: responses.TradeResult},
    (OFFER_ID, KEY, IF_MATCH), problems=(404, 409, 412, 422, 503),
)  # fmt: skip
DECLINE_OFFER: Final = Operation(
    "POST", "/v1/offers/{offer_id}/decline", _Player, Owner.OFFER, "Decline an offer", {200: responses.OfferResult},
    (OFFER_ID,), problems=(404, 409, 503),
)  # fmt: skip
CANCEL_OFFER: Final = Operation(
    "POST", "/v1/offers/{offer_id}/cancel", _Player, Owner.OFFER, "Cancel an offer", {200: responses.OfferResult},
    (OFFER_ID,), problems=(404, 409, 503),
)  # fmt: skip
LIST_ITEMS: Final = Operation(
    "GET", "/v1/items", _Anyone, Owner.NOBODY, "List the catalog of items", {200: responses.ItemList}
)
LIST_CLASSES: Final = Operation(
    "GET", "/v1/classes", _Anyone, Owner.NOBODY, "List the player classes", {200: responses.ClassList}
)
LIVE_NOW: Final = Operation(
    "GET", "/v1/live", Access.LIVE, Owner.GAME,
    "See what happens now; with `Accept: text/event-stream` once a second, as server-sent events", {200: Live},
)  # fmt: skip
PUT_FINDING: Final = Operation(
    "PUT", "/v1/findings/{finding}", _Service, Owner.GAME, "Say what an audit or a report has found in the lake",
    {200: Finding}, (FINDING,), Finding, problems=(400, 404, 408, 413, 422, 503), needs=Scope.REPORT,
)  # fmt: skip
LIVE: Final = Operation("GET", "/livez", _Anyone, Owner.NOBODY, "Is the process alive?", {200: responses.Liveness})
READY: Final = Operation(
    "GET", "/readyz", _Anyone, Owner.NOBODY, "Is it served, and are commands taken?", {200: responses.Health},
    problems=(503,),
)  # fmt: skip
METRICS: Final = Operation("GET", "/metrics", _Anyone, Owner.NOBODY, "Prometheus metrics", {200: None})

OPERATIONS: Final = (
    CREATE_PLAYER_ORIGINAL, TRADE_ORIGINAL, CREATE_PLAYER, LIST_PLAYERS, GET_PLAYER, RENAME_PLAYER, FORGET_PLAYER,
    CREATE_TOKEN, REVOKE_TOKENS, LIST_TRADES, LIST_OFFERS, CREATE_TRADE, CREATE_TRADES, GET_TRADE, CREATE_ADJUSTMENT,
    CREATE_ADJUSTMENTS, CREATE_OFFER, GET_OFFER, ACCEPT_OFFER,
    DECLINE_OFFER, CANCEL_OFFER, LIST_ITEMS, LIST_CLASSES, LIVE_NOW, PUT_FINDING, LIVE, READY, METRICS,
)  # fmt: skip

OF_MANAGEMENT: Final = (LIVE, READY, METRICS)
"""What the port of management serves (ENGINE_MANAGEMENT_PORT), and nothing else."""
