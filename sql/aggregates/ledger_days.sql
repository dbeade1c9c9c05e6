-- aggregate: what the game gave and took on each day
-- grain: one row per realm, day, thing and reason
-- column realm varchar: the unit of atomicity
-- column day date: the day (UTC)
-- column item_id bigint: the item; 0 is gold
-- column reason varchar: creation, or the reason of the adjustments
-- column given bigint: gold or units given
-- column taken bigint: gold or units taken
with sides as (
    -- each event once for gold, and once for the items of each direction
    select
        events.realm,
        cast(events.occurred_at as date) as day,
        coalesce(events.adjustment_reason, 'creation') as reason,
        side.number as number,
        if(events.event_type = 'player_created', events.state.gold, events.given.gold) as gold_given,
        coalesce(events.taken.gold, 0) as gold_taken,
        case side.number when 1 then events.given.items when 2 then events.taken.items end as items
    from lake.haggle.events
    cross join unnest(array[0, 1, 2]) as side (number)
    where events.event_type in ('player_created', 'player_adjusted')
),

ledger as (
    select
        sides.realm,
        sides.day,
        coalesce(line.item_id, 0) as item_id,
        sides.reason,
        case sides.number when 0 then sides.gold_given when 1 then line.quantity else 0 end as given,
        case sides.number when 0 then sides.gold_taken when 2 then line.quantity else 0 end as taken
    from sides
    left join unnest(sides.items) as line (item_id, quantity, value) on true
    where sides.number = 0 or line.item_id is not null
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
