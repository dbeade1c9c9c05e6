-- aggregate: gifts
-- grain: one row per accepted trade in which one side gave nothing
-- column realm varchar: the unit of atomicity
-- column day date: the day (UTC)
-- column sequence bigint: the trade
-- column occurred_at timestamp(6) with time zone: when it was decided
-- column giver_id bigint: the player that gave
-- column taker_id bigint: the player that was given
-- column gift_value bigint: gold, and items at list value of then
select
    realm,
    cast(occurred_at as date) as day,
    sequence,
    occurred_at,
    if(player_1_gold = 0 and player_1_lines = 0, player_2_id, player_1_id) as giver_id,
    if(player_1_gold = 0 and player_1_lines = 0, player_1_id, player_2_id) as taker_id,
    player_1_gold + player_1_item_value + player_2_gold + player_2_item_value as gift_value
from lake.haggle.trades
where
    status = 'accepted'
    and ((player_1_gold = 0 and player_1_lines = 0) or (player_2_gold = 0 and player_2_lines = 0))
