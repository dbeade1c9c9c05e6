-- detection: who trades with whom, and how much of all that they trade is that?
-- grain: one row per pair that traded four times and more
-- counted: accepted trades, at the greater of gold and list value
-- parameters: none
-- order: the players
with sides as (
    select
        realm,
        player_1_id as player_id,
        player_2_id as partner,
        greatest(player_1_gold + player_2_gold, coalesce(player_1_item_value, 0), coalesce(player_2_item_value, 0))
            as value
    from lake.haggle.trades
    where status = 'accepted'
    union all
    select
        realm,
        player_2_id as player_id,
        player_1_id as partner,
        greatest(player_1_gold + player_2_gold, coalesce(player_1_item_value, 0), coalesce(player_2_item_value, 0))
            as value
    from lake.haggle.trades
    where status = 'accepted'
),

partners as (
    select
        realm,
        player_id,
        partner,
        count(*) as trades,
        sum(value) as value,
        sum(count(*)) over (partition by realm, player_id) as all_trades,
        sum(sum(value)) over (partition by realm, player_id) as all_value
    from sides
    group by realm, player_id, partner
)

select
    player_id,
    partner,
    trades,
    cast(value as double) as value,
    cast(all_trades as bigint) as all_trades,
    cast(all_value as double) as all_value
from partners
where trades >= 4
order by player_id, partner
