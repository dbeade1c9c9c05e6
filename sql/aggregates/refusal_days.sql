-- aggregate: what was refused on each day, and whom it named
-- grain: one row per realm, day, kind, reason and player that a refused trade, offer or adjustment named
-- column realm varchar: the unit of atomicity
-- column day date: the day (UTC)
-- column kind varchar: trade, offer or adjustment
-- column reason varchar: why it was refused
-- column player_id bigint: the player; may not exist
-- column refused bigint: those that named the player first, so that sums count each once
with named as (
    select
        realm,
        cast(occurred_at as date) as day,
        case
            when event_type like 'trade%' then 'trade'
            when event_type like 'offer%' then 'offer'
            else 'adjustment'
        end as kind,
        reason,
        coalesce(player_id, player_1.player_id) as first_id,
        player_2.player_id as second_id
    from lake.haggle.events
    where event_type in ('trade_rejected', 'offer_rejected', 'adjustment_rejected')
)

select
    named.realm,
    named.day,
    named.kind,
    named.reason,
    if(place.number = 1, named.first_id, named.second_id) as player_id,
    count_if(place.number = 1) as refused
from named
cross join unnest(array[1, 2]) as place (number)
where place.number = 1 or named.second_id is not null
group by named.realm, named.day, named.kind, named.reason, if(place.number = 1, named.first_id, named.second_id)
