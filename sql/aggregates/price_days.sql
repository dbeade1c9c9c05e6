-- aggregate: what each item cost on each day
-- grain: one row per realm, item and day with a priced trade
-- column realm varchar: the unit of atomicity
-- column day date: the day (UTC)
-- column item_id bigint: the item
-- column priced_trades bigint: priced trades of the item, as q_price has them
-- column units bigint: units that they moved
-- column gold bigint: gold that was paid
-- column list_gold double: gold value of the units in the catalog of then
-- column median double: median unit price, by trades
-- column p10 double: unit price that a tenth of the trades were at or below
-- column p90 double: unit price that nine tenths of the trades were at or below
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
        day,
        line.item_id as item_id,
        count(*) as priced_trades,
        sum(line.quantity) as units,
        sum(gold) as gold,
        sum(cast(line.quantity as double) * line.value) as list_gold,
        array_sort(array_agg(cast(gold as double) / line.quantity)) as unit_prices
    from sales
    group by realm, day, line.item_id
)

select
    realm,
    day,
    item_id,
    priced_trades,
    units,
    gold,
    list_gold,
    element_at(unit_prices, cast(ceil(priced_trades / 2e0) as integer)) as median,
    element_at(unit_prices, cast(ceil(priced_trades / 10e0) as integer)) as p10,
    element_at(unit_prices, cast(ceil(9 * priced_trades / 10e0) as integer)) as p90
from item_days
