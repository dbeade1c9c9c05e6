-- aggregate: how much of each item was traded on each day
-- grain: one row per realm, item and day on which accepted trades moved it
-- column realm varchar: the unit of atomicity
-- column day date: the day (UTC)
-- column item_id bigint: the item
-- column units bigint: units that accepted trades moved
-- column trade_lines bigint: lines of accepted trades that had it
with sides as (
    select
        events.realm,
        cast(events.occurred_at as date) as day,
        if(side.number = 1, events.player_1.items, events.player_2.items) as items
    from lake.haggle.events
    cross join unnest(array[1, 2]) as side (number)
    where events.event_type = 'trade_accepted'
)

select
    sides.realm,
    sides.day,
    line.item_id as item_id,
    sum(line.quantity) as units,
    count(*) as trade_lines
from sides
cross join unnest(sides.items) as line (item_id, quantity, value)
group by sides.realm, sides.day, line.item_id
