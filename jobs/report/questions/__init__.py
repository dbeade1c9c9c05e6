"""The business questions: a module for each, with all that is known of it but its SQL: sql/questions has its name."""

from typing import Final

from jobs.report.questions import (
    q01_trades,
    q02_most_traded_item,
    q03_most_diverse_inventory,
    q04_most_valuable_inventory,
    q05_offers,
)

QUESTIONS: Final = (
    q01_trades.QUESTION,
    q02_most_traded_item.QUESTION,
    q03_most_diverse_inventory.QUESTION,
    q04_most_valuable_inventory.QUESTION,
    q05_offers.QUESTION,
)
