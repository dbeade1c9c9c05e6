"""What callers may ask for: the shapes of request bodies, checked on decoding, and the commands made of them.

entrypoints/http.py decodes bodies into these structures; handlers.py turns them into the commands,
`CreatePlayer`, `Trade` and `MakeOffer`, that adapters/redis.py hands to the Lua functions. Shapes, types and ranges are
checked here; the rules of a trade are the Lua function's.
"""

from collections.abc import Iterable
from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from app.contract.economy import ITEMS, MAX_AMOUNT
from app.contract.events import Amount, Id, Quantity
from app.errors import InvalidRequest

MAX_LINES: Final = 100
"""Most item lines on a side of a trade."""

MAX_BATCH: Final = 4_096
"""Most trades of a batch."""

# (?!\n): Python's $ also matches before a last newline
Username = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
TradeId = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:-]+$(?!\n)")]


class ItemQuantity(Struct, frozen=True, forbid_unknown_fields=True):
    """Units of one item."""

    item_id: Id
    quantity: Quantity


Lines = Annotated[list[ItemQuantity], Meta(max_length=MAX_LINES)]


class PlayerRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of PUT /create_player and POST /v1/players."""

    username: Username | None = None
    player_class: str | None = None


class TradeSide(Struct, frozen=True, forbid_unknown_fields=True):
    """What one player gives; `version` is the state that the caller saw, if the trade depends on it."""

    player_id: Id
    items: Lines = []
    gold: Amount = 0
    version: Id | None = None


class TradeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/trades."""

    player_1: TradeSide
    player_2: TradeSide
    trade_id: TradeId | None = None


class BatchRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/trades/batch."""

    mode: Literal["independent", "all_or_nothing"]
    trades: Annotated[list[TradeRequest], Meta(min_length=1, max_length=MAX_BATCH)]


class OfferRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/offers: player 1 gives what its side says for what the other side says."""

    player_1: TradeSide
    player_2: TradeSide
    offer_id: TradeId | None = None
    expires_in_s: Id | None = None


class HeldItem(Struct, frozen=True, forbid_unknown_fields=True):
    """An item in an inventory."""

    item_id: Id
    name: str
    level: int
    value: Amount
    quantity: Quantity


class Inventory(Struct, frozen=True, forbid_unknown_fields=True):
    """What a player holds; `current_capacity` is what is still free, in item units."""

    max_capacity: Amount
    current_capacity: Amount
    items: list[HeldItem]


class Held(Struct, frozen=True, forbid_unknown_fields=True):
    """What a player's open offers hold in escrow: the player has it, but cannot give it."""

    gold: Amount
    items: list[ItemQuantity]


class Player(Struct, frozen=True, forbid_unknown_fields=True):
    """A player's state, as every answer shows it; `held` is left out while nothing is held."""

    player_id: Id
    username: str
    player_class: str
    gold: Amount
    version: Id
    inventory: Inventory
    held: Held | UnsetType = UNSET


class TradedItem(Struct, frozen=True, forbid_unknown_fields=True):
    """Units of one item on the original route, where an item may come with its catalog entry."""

    item_id: Id
    quantity: Quantity
    name: str | None = None
    level: int | None = None
    value: Amount | None = None


class OriginalSide(Struct, frozen=True, forbid_unknown_fields=True):
    """A player's whole state as the caller saw it, and what it gives."""

    player_id: Id
    username: str
    player_class: str
    inventory: Inventory
    gold: Amount
    items_traded: Annotated[list[TradedItem], Meta(max_length=MAX_LINES)] = []
    gold_traded: Amount = 0
    version: Id | None = None
    held: Held | UnsetType = UNSET


class OriginalTradeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /trade."""

    player_1: OriginalSide
    player_2: OriginalSide


class CreatePlayer(Struct, frozen=True):
    """The command to create a player; without a username it is named after its id."""

    username: str | None
    player_class: str


class Give(Struct, frozen=True):
    """One side of the command to trade. `items` maps item_id to units; `seen_*` is what the caller saw, if given."""

    player_id: int
    gold: int
    items: dict[int, int]
    seen_version: int | None = None
    seen_state: str | None = None


class Trade(Struct, frozen=True):
    """The command to trade."""

    trade_id: str
    player_1: Give
    player_2: Give


class MakeOffer(Struct, frozen=True):
    """The command to offer what player 1 gives for what player 2 would give."""

    offer_id: str
    player_1: Give
    player_2: Give
    expires_in_s: int


def added_up(lines: Iterable[ItemQuantity | TradedItem], where: str) -> dict[int, int]:
    """Units per item, an item listed twice added up; raises InvalidRequest beyond 2^53-1."""
    units: dict[int, int] = {}
    for line in lines:
        units[line.item_id] = units.get(line.item_id, 0) + line.quantity
        if units[line.item_id] > MAX_AMOUNT:
            raise InvalidRequest(f"the quantities of item {line.item_id} add up to more than 2^53-1 - at `$.{where}`")
    return units


def seen_state(side: OriginalSide) -> str:
    """The text that the Lua function compares with the stored state (`seen_state_text` in haggle.lua).

    A state that no player can be in, such as a forged item value, gives a text that never equals one.
    """
    if not _is_consistent(side.inventory):
        return "inconsistent"
    held = sorted((item.item_id, item.quantity) for item in side.inventory.items)
    parts = [side.username, side.player_class, str(side.gold), str(side.inventory.max_capacity)]
    return "\0".join(parts + [f"{item_id}:{quantity}" for item_id, quantity in held])


def _is_consistent(inventory: Inventory) -> bool:
    units = sum(item.quantity for item in inventory.items)
    return units + inventory.current_capacity == inventory.max_capacity and all(
        item.item_id in ITEMS and (item.name, item.level, item.value) == _catalog_entry(item.item_id)
        for item in inventory.items
    )


def _catalog_entry(item_id: int) -> tuple[str, int, int]:
    item = ITEMS[item_id]
    return item.name, item.level, item.value
