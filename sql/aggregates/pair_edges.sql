-- aggregate: pairs of players that traded
-- grain: one row per realm and pair of players that had an accepted trade
-- column realm varchar, key: the unit of atomicity
-- column lower_id bigint, key: the one of the two with the lower player_id
-- column higher_id bigint, key: the other
-- column trades bigint, sum: their accepted trades
-- column upward_value bigint, sum: value that the one with the lower player_id gave
-- column downward_value bigint, sum: value that it got
-- column sequence bigint, max: the newest of their trades
select
    realm,
    least(player_1_id, player_2_id) as lower_id,
    greatest(player_1_id, player_2_id) as higher_id,
    count(*) as trades,
    sum(if(player_1_id < player_2_id, player_1_gold + player_1_item_value, player_2_gold + player_2_item_value))
        as upward_value,
    sum(if(player_1_id < player_2_id, player_2_gold + player_2_item_value, player_1_gold + player_1_item_value))
        as downward_value,
    max(sequence) as sequence
from lake.haggle.trades
where status = 'accepted'
group by realm, least(player_1_id, player_2_id), greatest(player_1_id, player_2_id)
