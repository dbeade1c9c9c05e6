"""The business questions: a module for each, with all that is known of it but its SQL: sql/questions has its name."""

from typing import Final

from jobs.report.questions import (
    q_most_diverse_inventory,
    q_most_traded_item,
    q_most_valuable_inventory,
    q_offers,
    q_trades,
)

QUESTIONS: Final = (
    q_trades.QUESTION,
    q_most_traded_item.QUESTION,
    q_most_diverse_inventory.QUESTION,
    q_most_valuable_inventory.QUESTION,
    q_offers.QUESTION,
)
