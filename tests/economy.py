"""The reference economy, which tests play unless they say otherwise."""

from typing import Final

from app.contract.economy import reference_economy

ECONOMY: Final = reference_economy()
ITEMS: Final = ECONOMY.items
CLASSES: Final = ECONOMY.classes
