"""The bounds of requests and answers, and the forms of ids and amounts: each written here once.

The engine's shapes, the Lua functions (through app/store/layout.py), the OpenAPI description and the tables use them.
"""

from typing import Annotated, Final

from msgspec import Meta

MAX_AMOUNT: Final = 2**53 - 1
"""Largest gold balance, quantity, id or version: the largest integer that JSON readers and Lua both hold exactly."""

MAX_LINES: Final = 100
"""Most item lines on a side of a trade."""

MAX_BATCH: Final = 4_096
"""Most trades of a batch."""

MAX_PLAYERS_PAGE: Final = 1_000
"""Most players on a page."""

MAX_PAGE: Final = 100
"""Most trades or offers on a page."""

MAX_CAPACITY: Final = 2**20
"""Largest capacity of a player, in item units."""

MAX_ITEM_VALUE: Final = 2**33 - 1
"""Largest gold value of a unit of an item: so the value of all that a player can carry is below 2^53."""

MAX_ITEMS: Final = 2_000
"""Most items of an economy: with these bounds the event that publishes one is smaller than a megabyte."""

MAX_CLASSES: Final = 100
"""Most classes of an economy."""

MAX_CLASS_ITEMS: Final = 50
"""Most kinds of items that a class starts with."""

MAX_ADJUSTMENTS: Final = 1_000
"""Most adjustments of a batch."""

Id = Annotated[int, Meta(ge=1, le=MAX_AMOUNT)]
Amount = Annotated[int, Meta(ge=0, le=MAX_AMOUNT)]
Quantity = Annotated[int, Meta(ge=1, le=MAX_AMOUNT)]
Text = Annotated[str, Meta(min_length=1)]

# (?!\n): Python's $ also matches before a last newline
Username = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
ExternalId = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
"""What the game calls a player."""

Reference = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
"""What the game says of an adjustment, for itself."""

Place = Annotated[str, Meta(pattern=r"^[0-9]{1,16}\.[0-9]{1,10}$(?!\n)")]
"""Where a page of a player's trades begins: sequence and minute of a trade."""

Name = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:-]+$(?!\n)")]
"""What callers call a command: `trade_id`, `offer_id`, `adjustment_id`, `Idempotency-Key`."""
