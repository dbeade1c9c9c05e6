-- detection: who bought an item again and again, and sold it again and again?
-- grain: one row per purchase and per sale of a player that bought the item five times, and sold it three times
-- counted: accepted trades of one item line against gold; the usual price is the median of the medians of seven days
-- parameters: none
-- order: item_id, player_id, sequence
with sales as (
    select
        trades.realm,
        trades.sequence,
        trades.occurred_at,
        cast(floor(to_unixtime(trades.occurred_at) / 86400) as bigint) as day,
        lines.item_id,
        lines.quantity,
        cast(trades.player_1_gold + trades.player_2_gold as double) / lines.quantity as unit_price,
        lines.player_id as seller,
        if(lines.side = 1, trades.player_2_id, trades.player_1_id) as buyer
    from lake.haggle.trades
    inner join lake.haggle.trade_lines as lines
        on trades.realm = lines.realm and trades.sequence = lines.sequence
    where
        trades.status = 'accepted'
        and trades.player_1_lines + trades.player_2_lines = 1
        and if(trades.player_1_lines = 1, trades.player_1_gold, trades.player_2_gold) = 0
        and trades.player_1_gold + trades.player_2_gold > 0
),

daily as (
    select
        realm,
        item_id,
        day,
        element_at(array_sort(array_agg(unit_price)), cast(floor((count(*) + 1) / 2e0) as integer)) as unit_price
    from sales
    group by realm, item_id, day
),

usual as (
    -- of the day and the six before it: who lifts a price does not lift what it is compared with
    select
        daily.realm,
        daily.item_id,
        daily.day,
        element_at(
            array_sort(array_agg(earlier.unit_price)), cast(floor((count(*) + 1) / 2e0) as integer)
        ) as unit_price
    from daily
    inner join daily as earlier
        on
            daily.realm = earlier.realm
            and daily.item_id = earlier.item_id
            and earlier.day between daily.day - 6 and daily.day
    group by daily.realm, daily.item_id, daily.day
),

turns as (
    select
        sales.realm,
        sales.sequence,
        sales.occurred_at,
        sales.item_id,
        sales.buyer as player_id,
        sales.seller as partner,
        sales.quantity as units,
        sales.unit_price / usual.unit_price as to_usual
    from sales
    inner join usual
        on sales.realm = usual.realm and sales.item_id = usual.item_id and sales.day = usual.day
    union all
    select
        sales.realm,
        sales.sequence,
        sales.occurred_at,
        sales.item_id,
        sales.seller as player_id,
        sales.buyer as partner,
        -sales.quantity as units,
        sales.unit_price / usual.unit_price as to_usual
    from sales
    inner join usual
        on sales.realm = usual.realm and sales.item_id = usual.item_id and sales.day = usual.day
),

counted as (
    select
        turns.*,
        count_if(units > 0) over (partition by realm, item_id, player_id) as purchases,
        count_if(units < 0) over (partition by realm, item_id, player_id) as sales
    from turns
)

select
    sequence,
    occurred_at,
    item_id,
    player_id,
    partner,
    units,
    to_usual
from counted
where purchases >= 5 and sales >= 3
order by item_id, player_id, sequence
