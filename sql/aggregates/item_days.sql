-- aggregate: how much of each item was traded on each day
-- grain: one row per realm, item and day on which accepted trades moved it
-- column realm varchar: the unit of atomicity
-- column day date: the day (UTC)
-- column item_id bigint: the item
-- column units bigint: units that accepted trades moved
-- column trade_lines bigint: lines of accepted trades that had it
select
    realm,
    cast(occurred_at as date) as day,
    item_id,
    sum(quantity) as units,
    count(*) as trade_lines
from lake.haggle.trade_lines
where status = 'accepted'
group by realm, cast(occurred_at as date), item_id
