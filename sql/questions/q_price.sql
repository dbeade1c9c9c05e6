-- question: What did each item cost on each day?
-- family: items and prices
-- grain: one row per realm, item and day with a priced trade
-- counted: priced trades: accepted, one item line on one side and nothing else, gold alone on the other; a unit price
--          is the gold divided by the units. Percentiles are by nearest rank: the lowest price such that so many of the
--          trades, each counted once, cost that much or less; so it is always a price that was paid
-- parameters: none
-- order: realm, item_id, day
-- column realm varchar: the unit of atomicity
-- column item_id bigint: the item
-- column name varchar: its name; null if it was in no catalog
-- column day date: the day (UTC)
-- column priced_trades bigint: priced trades of the item
-- column units bigint: units that they moved
-- column gold bigint: gold that was paid
-- column vwap double: mean unit price, by units (gold divided by units)
-- column median double: median unit price, by trades
-- column p10 double: unit price that a tenth of the trades were at or below
-- column p90 double: unit price that nine tenths of the trades were at or below
-- column list_value double: gold value of a unit in the catalog of then, the mean by units if it changed within the day
-- column ratio_to_list double: vwap divided by the list value; null if that is 0
-- column thin boolean: whether there were fewer than 5 priced trades, so that the figures say little
select
    prices.realm,
    prices.item_id,
    names.name,
    prices.day,
    prices.priced_trades,
    prices.units,
    prices.gold,
    cast(prices.gold as double) / prices.units as vwap,
    prices.median,
    prices.p10,
    prices.p90,
    prices.list_gold / prices.units as list_value,
    prices.gold / nullif(prices.list_gold, 0) as ratio_to_list,
    prices.priced_trades < 5 as thin
from lake.haggle.price_days as prices
left join lake.haggle.item_names as names
    on prices.realm = names.realm and prices.item_id = names.item_id
order by prices.realm, prices.item_id, prices.day
