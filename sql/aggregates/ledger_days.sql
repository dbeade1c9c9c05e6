-- aggregate: what the game gave and took on each day
-- grain: one row per realm, day, thing and reason
-- column realm varchar: the unit of atomicity
-- column day date: the day (UTC)
-- column item_id bigint: the item; 0 is gold
-- column reason varchar: creation, or the reason of the adjustments
-- column given bigint: gold or units given
-- column taken bigint: gold or units taken
with sides as (
    select
        events.realm,
        cast(events.occurred_at as date) as day,
        events.adjustment_reason as reason,
        side.number as number,
        if(side.number = 1, events.given.items, events.taken.items) as items
    from lake.haggle.events
    cross join unnest(array[1, 2]) as side (number)
    where events.event_type = 'player_adjusted'
),

ledger as (
    select
        realm,
        cast(occurred_at as date) as day,
        cast(0 as bigint) as item_id,
        coalesce(adjustment_reason, 'creation') as reason,
        if(event_type = 'player_created', state.gold, given.gold) as given,
        coalesce(taken.gold, 0) as taken
    from lake.haggle.events
    where event_type in ('player_created', 'player_adjusted')
    union all
    select
        events.realm,
        cast(events.occurred_at as date) as day,
        line.item_id as item_id,
        'creation' as reason,
        line.quantity as given,
        0 as taken
    from lake.haggle.events
    cross join unnest(events.state.items) as line (item_id, quantity)
    where events.event_type = 'player_created'
    union all
    select
        sides.realm,
        sides.day,
        line.item_id as item_id,
        sides.reason,
        if(sides.number = 1, line.quantity, 0) as given,
        if(sides.number = 2, line.quantity, 0) as taken
    from sides
    cross join unnest(sides.items) as line (item_id, quantity, value)
)

select
    realm,
    day,
    item_id,
    reason,
    sum(given) as given,
    sum(taken) as taken
from ledger
group by realm, day, item_id, reason
