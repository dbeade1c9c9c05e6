-- aggregate: what the game gave and took on each day
-- grain: one row per realm, day, thing and reason
-- column realm varchar: the unit of atomicity
-- column day date: the day (UTC)
-- column item_id bigint: the item; 0 is gold
-- column reason varchar: creation, or the reason of the adjustments
-- column given bigint: gold or units given
-- column taken bigint: gold or units taken
with ledger as (
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
        realm,
        cast(occurred_at as date) as day,
        item_id,
        adjustment_reason as reason,
        if(direction = 'given', quantity, 0) as given,
        if(direction = 'taken', quantity, 0) as taken
    from lake.haggle.adjustment_lines
    where status = 'accepted'
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
