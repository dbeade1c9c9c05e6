-- detection: which accepted trades repeat the one before them between the same two players, content and all?
-- grain: one row per trade that was decided within three seconds of its like
-- counted: accepted trades; the same gold and the same lines go the same way, under another name
-- parameters: none
-- order: sequence
with likes as (
    select
        sequence,
        occurred_at,
        player_1.player_id as player_1_id,
        player_2.player_id as player_2_id,
        lag(sequence) over same_content as before,
        lag(occurred_at) over same_content as before_at
    from lake.haggle.events
    where event_type = 'trade_accepted'
    window same_content as (
        partition by
            realm,
            player_1.player_id,
            player_2.player_id,
            player_1.gold,
            player_2.gold,
            player_1.items,
            player_2.items
        order by sequence
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
