"""Errors that Haggle raises on purpose. Each knows its reason, HTTP status and context.

HTTP renders them as problem+json in one place (app/http/responses.py); the command prints them as one sentence.
A refused trade is a result, not an error.
"""

from collections.abc import Sequence

from app.contract.reasons import Problem


class HaggleError(Exception):
    """An error with a message for people that says what was wrong, where, and what to do."""


class SettingsError(HaggleError):
    """Environment variables with bad values, all of them."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("bad settings in the environment:\n  " + "\n  ".join(problems))


class RequestError(HaggleError):
    """A request that was not decided."""

    status = 400

    def __init__(self, reason: Problem, detail: str, *, status: int | None = None, retry_after_s: int | None = None):
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.status = status or self.status
        self.retry_after_s = retry_after_s


class InvalidRequest(RequestError):
    """The body or a parameter does not fit the schema."""

    status = 422

    def __init__(self, detail: str, reason: Problem = Problem.INVALID_REQUEST):
        super().__init__(reason, detail)


class NotFound(RequestError):
    """There is no such resource."""

    status = 404

    def __init__(self, detail: str):
        super().__init__(Problem.NOT_FOUND, detail)


class IdempotencyMismatch(RequestError):
    """A name that was used before, with other content."""

    status = 422

    def __init__(self, name: str):
        super().__init__(
            Problem.IDEMPOTENCY_MISMATCH,
            f"the name {name!r} was used before with other content; use a new one for a new command",
        )
        self.name = name


class NoSuchOffer(NotFound):
    """An offer that there is not, or that the caller has no part in, which is not told apart."""

    def __init__(self, offer_id: str):
        super().__init__(f"there is no offer {offer_id!r}: it was never made here, or it ended too long ago")


class OfferNotOpen(RequestError):
    """An offer that has ended already."""

    status = 409

    def __init__(self, offer_id: str, status: str):
        super().__init__(Problem.OFFER_NOT_OPEN, f"offer {offer_id!r} is {status} already")


class Unauthenticated(RequestError):
    """Nobody knows who is calling."""

    status = 401

    def __init__(self, detail: str):
        super().__init__(Problem.UNAUTHENTICATED, detail)


class Forbidden(RequestError):
    """The caller is known, and may not do this."""

    status = 403

    def __init__(self, detail: str):
        super().__init__(Problem.FORBIDDEN, detail)


class RateLimited(RequestError):
    """The caller has used up its requests, or the bytes of their bodies, of a minute."""

    status = 429

    def __init__(self, retry_after_s: int, what: str = "requests"):
        super().__init__(Problem.RATE_LIMITED, f"too many {what} in a minute", retry_after_s=retry_after_s)


class Unavailable(RequestError):
    """The engine cannot decide now; the same request may be sent again later."""

    status = 503

    def __init__(self, reason: Problem, detail: str, retry_after_s: int = 1):
        super().__init__(reason, detail, retry_after_s=retry_after_s)


class StoreFull(Unavailable):
    """Redis has no room for a command; it may still be read."""

    def __init__(self) -> None:
        super().__init__(Problem.STORE_UNAVAILABLE, "Redis is full; send the same request again later", 5)


class CatalogRefused(Unavailable):
    """The realm does not take this engine's economy."""

    def __init__(self, detail: str) -> None:
        super().__init__(Problem.CATALOG_REFUSED, detail, 30)


def outbox_full() -> Unavailable:
    """Too many events wait for Kafka."""
    return Unavailable(Problem.OUTBOX_FULL, "too many events wait for Kafka; send the same request again")


class ExternalIdTaken(RequestError):
    """Another player has this external_id."""

    status = 409

    def __init__(self, external_id: str, player_id: int):
        super().__init__(
            Problem.EXTERNAL_ID_TAKEN,
            f"external_id {external_id!r} is that of player {player_id}; each has one of its own",
        )


class AccountClosed(RequestError):
    """The player was forgotten."""

    status = 409

    def __init__(self, player_id: int):
        super().__init__(Problem.ACCOUNT_CLOSED, f"the account of player {player_id} is closed: it was forgotten")


class BatchContended(Unavailable):
    """Other trades kept changing the players of a large batch that is decided together."""

    def __init__(self) -> None:
        super().__init__(
            Problem.BATCH_CONTENDED,
            "other trades kept changing the players of this batch; send it again, or smaller ones",
        )
