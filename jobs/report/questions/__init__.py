"""The questions of the report: a module for each, with its words and its figure; sql/questions has its name."""

from typing import Final

from jobs.report.questions import (
    q_activity,
    q_class_against_class,
    q_faucets_and_sinks,
    q_item_flows,
    q_lorenz,
    q_most_diverse_inventory,
    q_most_traded_item,
    q_most_valuable_inventory,
    q_offers,
    q_price,
    q_price_index,
    q_trade_graph,
    q_trades,
    q_volume,
)

QUESTIONS: Final = (
    q_trades.QUESTION,
    q_activity.QUESTION,
    q_volume.QUESTION,
    q_most_traded_item.QUESTION,
    q_price.QUESTION,
    q_price_index.QUESTION,
    q_faucets_and_sinks.QUESTION,
    q_item_flows.QUESTION,
    q_offers.QUESTION,
    q_most_diverse_inventory.QUESTION,
    q_most_valuable_inventory.QUESTION,
    q_lorenz.QUESTION,
    q_class_against_class.QUESTION,
    q_trade_graph.QUESTION,
)
