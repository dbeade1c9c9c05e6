-- audit: how did what open offers hold in escrow change in a part of the realm's sequence?
-- grain: one row per player and thing; item_id 0 is gold
-- counted: what player 1 gives, in each offer made; less that, in each that ended, by a trade or without one
-- parameters: the realm, the sequence number after which the part begins, and the one with which it ends
-- order: player_id, item_id
with offers as (
    select
        player_1.player_id,
        player_1.gold,
        player_1.items,
        if(event_type = 'offer_made', 1, -1) as sign
    from lake.haggle.events
    where
        (event_type in ('offer_made', 'offer_closed') or (event_type = 'trade_accepted' and offer_id is not null))
        and realm = ? and sequence > ? and sequence <= ?
),

changes as (
    select
        player_id,
        0 as item_id,
        sign * gold as amount
    from offers
    union all
    select
        offers.player_id,
        line.item_id,
        offers.sign * line.quantity as amount
    from offers
    cross join unnest(offers.items) as line (item_id, quantity, value)
)

select
    player_id,
    item_id,
    sum(amount) as change
from changes
group by player_id, item_id
having sum(amount) <> 0
order by player_id, item_id
