-- detection: which accepted trades repeat the one before them between the same two players, content and all?
-- grain: one row per trade that was decided within three seconds of its like
-- counted: accepted trades; the same gold and the same lines go the same way, under another name
-- parameters: none
-- order: sequence
with exchanges as (
    select
        realm,
        sequence,
        occurred_at,
        player_1.player_id < player_2.player_id as in_order,
        player_1,
        player_2
    from lake.haggle.events
    where event_type = 'trade_accepted'
),

contents as (
    -- whoever of the two is named first
    select
        realm,
        sequence,
        occurred_at,
        if(in_order, player_1.player_id, player_2.player_id) as player_1_id,
        if(in_order, player_2.player_id, player_1.player_id) as player_2_id,
        if(in_order, player_1.gold, player_2.gold) as gold_1,
        if(in_order, player_2.gold, player_1.gold) as gold_2,
        if(in_order, player_1.items, player_2.items) as items_1,
        if(in_order, player_2.items, player_1.items) as items_2
    from exchanges
),

likes as (
    select
        sequence,
        occurred_at,
        player_1_id,
        player_2_id,
        lag(sequence) over same_content as before,
        lag(occurred_at) over same_content as before_at
    from contents
    window same_content as (
        partition by realm, player_1_id, player_2_id, gold_1, gold_2, items_1, items_2 order by sequence
    )
)

select
    sequence,
    occurred_at,
    player_1_id,
    player_2_id,
    before,
    before_at,
    to_unixtime(occurred_at) - to_unixtime(before_at) as after_s
from likes
where to_unixtime(occurred_at) - to_unixtime(before_at) <= 3
order by sequence
