"""Every reason Haggle gives, by where it is given, with the sentence that explains it.

`Rejection`: a decided trade, offer or adjustment that was refused (HTTP 409 or 412, or `fail_reason`, the events
`…_rejected`, the columns `reason` of `trades`, `offers` and `adjustments`). `OfferOutcome`: how an offer ended without
a trade. `AdjustmentReason`: why the game gave or took (the column `adjustments.adjustment_reason`). `Problem`: a
request that was never decided (problem+json). `DeadLetter`: a Kafka record that is not a valid event (the column
`dead_letters.reason`).
"""

from enum import StrEnum
from typing import Self


class _Explained(StrEnum):
    """A string enum whose members carry the sentence that explains them."""

    help: str

    def __new__(cls, value: str, help_text: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.help = help_text
        return member


class Rejection(_Explained):
    """Why a trade, an offer or an adjustment was refused. Lua checks in this order and gives the first that holds."""

    BATCH_REFUSED = "batch_refused", "another trade of its all-or-nothing batch was refused"
    SAME_PLAYER = "same_player", "a trade needs two different players"
    EMPTY_TRADE = "empty_trade", "neither player gives anything"
    UNKNOWN_ITEM = "unknown_item", "an item is not in the catalog"
    UNKNOWN_PLAYER = "unknown_player", "a player does not exist"
    ACCOUNT_CLOSED = "account_closed", "a player was forgotten, and its account is closed"
    STALE_STATE = "stale_state", "a player is no longer in the state that the caller saw"
    INSUFFICIENT_GOLD = "insufficient_gold", "a player has less gold than it gives, without what its offers hold"
    INSUFFICIENT_ITEMS = (
        "insufficient_items",
        "a player has fewer units of an item than it gives, without what its offers hold",
    )
    GOLD_OVERFLOW = "gold_overflow", "a balance would exceed 2^53-1"
    CAPACITY_EXCEEDED = "capacity_exceeded", "a player would carry more item units than its capacity"
    TOO_MANY_OFFERS = "too_many_offers", "the player that offers has as many open offers as it may have"


class OfferOutcome(_Explained):
    """How an offer ended without a trade."""

    DECLINED = "declined", "player 2 refused it"
    CANCELLED = "cancelled", "player 1 took it back"
    EXPIRED = "expired", "nobody answered in time"
    ACCOUNT_CLOSED = "account_closed", "one of its players was forgotten"


class AdjustmentReason(_Explained):
    """Why the game gives or takes."""

    REWARD = "reward", "for what the player did"
    LOOT = "loot", "what the player found"
    PURCHASE = "purchase", "bought from the game, or sold to it"
    CRAFT = "craft", "made of other items"
    CONSUMPTION = "consumption", "used up"
    DECAY = "decay", "worn out, or spoilt"
    CORRECTION = "correction", "put right by the game's staff"


class Problem(_Explained):
    """Why a request was not decided at all."""

    INVALID_JSON = "invalid_json", "the body is not JSON"
    INVALID_REQUEST = "invalid_request", "the body or a parameter does not fit the schema"
    REQUEST_TOO_LARGE = "request_too_large", "the body is larger than REQUEST_MAX_BYTES"
    REQUEST_TIMEOUT = "request_timeout", "the body did not come within REQUEST_TIMEOUT_S"
    UNKNOWN_CLASS = "unknown_class", "there is no such player class"
    NOT_FOUND = "not_found", "there is no such resource"
    OFFER_NOT_OPEN = "offer_not_open", "the offer has been accepted, declined or cancelled, or has expired"
    UNAUTHENTICATED = "unauthenticated", "the request has no valid service key or player token"
    FORBIDDEN = "forbidden", "the caller may not do this"
    RATE_LIMITED = "rate_limited", "the caller has sent too many requests; try again after Retry-After"
    METHOD_NOT_ALLOWED = "method_not_allowed", "the route does not support this method"
    IDEMPOTENCY_MISMATCH = "idempotency_mismatch", "the name was used before with other content"
    ACCOUNT_CLOSED = "account_closed", "the player was forgotten, and its account is closed"
    EXTERNAL_ID_TAKEN = "external_id_taken", "another player of the realm has this external_id"
    CATALOG_REFUSED = "catalog_refused", "the realm does not take this engine's ECONOMY_FILE"
    STORE_UNAVAILABLE = "store_unavailable", "Redis does not answer or cannot write; try again"
    BATCH_CONTENDED = "batch_contended", "other trades kept changing the players of a large batch; try again"
    OUTBOX_FULL = "outbox_full", "too many events wait for Kafka; try again"
    INTERNAL = "internal", "a defect in the engine; its log has the traceback"


class DeadLetter(_Explained):
    """Why a Kafka record is not a valid event. Spark checks them in this order."""

    EMPTY_RECORD = "empty_record", "the record has no value"
    INVALID_JSON = "invalid_json", "the value is not JSON"
    UNKNOWN_EVENT_TYPE = "unknown_event_type", "event_type is missing or not in the contract"
    UNSUPPORTED_SCHEMA_VERSION = "unsupported_schema_version", "schema_version is missing or below 1"
    INVALID_FIELDS = "invalid_fields", "a field is missing, of another type, or out of range"
    WRONG_KEY = "wrong_key", "the record's key is not the event's realm"
    DUPLICATE_SEQUENCE = "duplicate_sequence", "this event of the realm, or a later one, has landed before"
