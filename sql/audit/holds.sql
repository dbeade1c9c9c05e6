-- audit: what do open offers hold in escrow?
-- grain: one row per player and thing held; item_id 0 is gold
-- counted: what player 1 gives in offers whose newest status is made
-- parameters: 1 realm
-- order: player_id, item_id
with ranked as (
    -- an offer_id may be used again once its offer is forgotten, so the newest status counts
    select
        status,
        player_1_id as player_id,
        player_1_gold as gold,
        player_1_items as items,
        row_number() over (partition by offer_id order by sequence desc) as newest_rank
    from lake.haggle.offers
    where realm = ? and status <> 'rejected'
),

held as (
    select
        ranked.player_id,
        things.item_id,
        things.amount
    from ranked
    cross join unnest(array[row(0, ranked.gold)] || ranked.items) as things (item_id, amount)
    where ranked.status = 'made' and ranked.newest_rank = 1
)

select
    player_id,
    item_id,
    sum(amount) as amount
from held
group by player_id, item_id
having sum(amount) <> 0
order by player_id, item_id
