-- aggregate: how much each player traded, and how it began
-- grain: one row per realm and player that had an accepted trade
-- column realm varchar, key: the unit of atomicity
-- column player_id bigint, key: the player
-- column trades bigint, sum: accepted trades
-- column gifts bigint, sum: of them, those in which it gave nothing
-- column traded_at timestamp(6) with time zone, min: its first trade
-- column first_purchase bigint, min: its first trade of gold alone for units of one item alone at a known value above 0
-- column price_ratio double, min by first_purchase: the gold that it paid then, divided by the list value
with sides as (
    select
        trades.realm,
        trades.occurred_at,
        if(side.number = 1, trades.player_1_id, trades.player_2_id) as player_id,
        if(side.number = 1, trades.player_1_gold, trades.player_2_gold) as gold_given,
        if(side.number = 1, trades.player_1_lines, trades.player_2_lines) as lines_given,
        if(side.number = 1, trades.player_2_gold, trades.player_1_gold) as gold_got,
        if(side.number = 1, trades.player_2_lines, trades.player_1_lines) as lines_got,
        if(side.number = 1, trades.player_2_item_value, trades.player_1_item_value) as value_got,
        trades.sequence
    from lake.haggle.trades
    cross join unnest(array[1, 2]) as side (number)
    where trades.status = 'accepted'
),

priced as (
    select
        realm,
        occurred_at,
        player_id,
        gold_given = 0 and lines_given = 0 as is_gift,
        case
            when gold_given > 0 and lines_given = 0 and gold_got = 0 and lines_got = 1 and value_got > 0 then sequence
        end as purchase,
        cast(gold_given as double) / nullif(value_got, 0) as price_ratio
    from sides
)

select
    realm,
    player_id,
    count(*) as trades,
    count_if(is_gift) as gifts,
    min(occurred_at) as traded_at,
    min(purchase) as first_purchase,
    min_by(price_ratio, purchase) as price_ratio
from priced
group by realm, player_id
