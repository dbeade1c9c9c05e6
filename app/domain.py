"""What is decided on, and what is decided: the engine's words, whatever carries them. docs/glossary.md defines them.

HTTP makes these of requests (app/http/requests.py) and shows them (app/http/responses.py); the stores pack them for the
Lua functions, and make them of what those return (app/store/layout.py).
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from app.contract import events
from app.contract.limits import Amount
from app.contract.reasons import AdjustmentReason, Rejection

OfferStatus = Literal["open", "accepted", "declined", "cancelled", "expired", "account_closed"]

Versions = dict[int, int]
"""The version of each player whose state the caller saw."""


class Player(Struct, frozen=True):
    """A player's state. `items` and `held_items` map item_id to units, in the order of the ids.

    A player that was forgotten has no names, and its account is closed. What its open offers hold in escrow
    (`held_gold`, `held_items`) is among what it has, and cannot be given.
    """

    player_id: int
    username: str | None
    external_id: str | None
    player_class: str
    gold: int
    version: int
    max_capacity: int
    item_units: int
    items: dict[int, int]
    held_gold: int
    held_items: dict[int, int]
    is_closed: bool


class NewPlayer(Struct, frozen=True):
    """The command to create a player, `key` by name; without a username it is named after its id.

    Without a class it is of one that is drawn. `external_id`: what the game calls it.
    """

    player_class: str | None = None
    username: str | None = None
    external_id: str | None = None
    key: str | None = None


class Creation(Struct, frozen=True):
    """The player that was created; `is_replayed`: it was before, and is as it is now."""

    player: Player
    is_replayed: bool


class Side(Struct, frozen=True):
    """What one player gives. `items` maps item_id to units; `seen_*` is what the caller saw of the player, if given."""

    player_id: int
    gold: int
    items: dict[int, int]
    seen_version: int | None = None
    seen_state: str | None = None


class Trade(Struct, frozen=True):
    """The command to trade."""

    trade_id: str
    player_1: Side
    player_2: Side


class Decision(Struct, frozen=True):
    """What was decided of a trade: why it was refused, if it was, what either side gives, and both players after it.

    A player that does not exist is None. `is_replayed`: it was decided before. `is_recalled`: so long ago that its
    whole answer is kept no longer; then the players are as they are now, and the sides may be unknown (None).
    """

    trade_id: str
    offer_id: str | None
    sequence: int
    occurred_at: datetime
    reason: Rejection | None
    side_1: events.Side | None
    side_2: events.Side | None
    player_1: Player | None
    player_2: Player | None
    is_replayed: bool
    is_recalled: bool


class BatchResult(Struct, frozen=True, array_like=True):
    """What became of one trade of a batch: decided, replayed, recalled, mismatch, invalid or undecided.

    `reason` says why it was not accepted, '' if it was; `detail` says what is wrong with one that is invalid.
    """

    status: str
    sequence: int = 0
    reason: str = ""
    detail: str = ""


class Adjustment(Struct, frozen=True):
    """The command to give and take: `gold` and the units of `items` by item_id are given above 0, taken below."""

    adjustment_id: str
    player_id: int
    gold: int
    items: dict[int, int]
    reason: AdjustmentReason
    reference: str | None


class AdjustmentResult(Struct, frozen=True, array_like=True):
    """What became of an adjustment: decided, replayed, mismatch, invalid or undecided.

    `reason` says why it was not accepted, '' if it was; `detail` says what is wrong with one that is invalid.
    `occurred_at` is the text that Lua wrote.
    """

    status: str
    sequence: int = 0
    reason: str = ""
    occurred_at: str = ""
    detail: str = ""


class NewOffer(Struct, frozen=True):
    """The command to offer what player 1 gives for what player 2 is to give."""

    offer_id: str
    player_1: Side
    player_2: Side
    expires_in_s: int


class Offer(Struct, frozen=True):
    """An offer; `sequence` and `occurred_at` are those of its making, `trade_id` is there once it is accepted."""

    offer_id: str
    status: OfferStatus
    sequence: int
    occurred_at: datetime
    expires_at: datetime
    player_1: Side
    player_2: Side
    trade_id: str | None


class OfferDecision(Struct, frozen=True):
    """What was decided of an offer: why it was refused, if it was, or the offer and player 1 after it."""

    reason: Rejection | None
    offer: Offer | None
    player_1: Player | None
    is_replayed: bool


FindingName = Literal["audit", "report"]
_Topic = Annotated[str, Meta(max_length=60)]
_Words = Annotated[str, Meta(max_length=300)]


class Finding(Struct, frozen=True, forbid_unknown_fields=True):
    """What a job found in the lake last, up to the event `sequence`; `notes` say it in words, by what they are.

    They name players by their ids alone: nobody comes back to remove a forgotten player's name from them.
    """

    at: datetime
    sequence: Amount
    ok: bool = True
    notes: Annotated[dict[_Topic, _Words], Meta(max_length=10)] = {}
