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
with sales as (
    select
        realm,
        cast(occurred_at as date) as day,
        element_at(if(cardinality(player_1.items) = 1, player_1.items, player_2.items), 1) as line,
        player_1.gold + player_2.gold as gold
    from lake.haggle.events
    where
        event_type = 'trade_accepted'
        and (
            (
                cardinality(player_1.items) = 1 and player_1.gold = 0
                and cardinality(player_2.items) = 0 and player_2.gold > 0
            )
            or (
                cardinality(player_2.items) = 1 and player_2.gold = 0
                and cardinality(player_1.items) = 0 and player_1.gold > 0
            )
        )
),

item_days as (
    select
        realm,
        line.item_id as item_id,
        day,
        count(*) as priced_trades,
        sum(line.quantity) as units,
        sum(gold) as gold,
        sum(cast(line.quantity as double) * line.value) as list_gold,
        array_sort(array_agg(cast(gold as double) / line.quantity)) as unit_prices
    from sales
    group by realm, line.item_id, day
)

select
    item_days.realm,
    item_days.item_id,
    items.name,
    item_days.day,
    item_days.priced_trades,
    item_days.units,
    item_days.gold,
    cast(item_days.gold as double) / item_days.units as vwap,
    element_at(item_days.unit_prices, cast(ceil(item_days.priced_trades / 2e0) as integer)) as median,
    element_at(item_days.unit_prices, cast(ceil(item_days.priced_trades / 10e0) as integer)) as p10,
    element_at(item_days.unit_prices, cast(ceil(9 * item_days.priced_trades / 10e0) as integer)) as p90,
    item_days.list_gold / item_days.units as list_value,
    item_days.gold / nullif(item_days.list_gold, 0) as ratio_to_list,
    item_days.priced_trades < 5 as thin
from item_days
left join lake.haggle.items
    on item_days.realm = items.realm and item_days.item_id = items.item_id
order by item_days.realm, item_days.item_id, item_days.day
