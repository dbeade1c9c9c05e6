-- detection: who bought an item dear and sold it dearer?
-- grain: one row per player and item, of which it bought ten units and sold a quarter of them after, dearer by a fifth
-- counted: accepted trades of one item line against gold; the usual price is the median of the days' medians
-- parameters: none
-- order: item_id, player_id
with sales as (
    select
        trades.realm,
        to_unixtime(trades.occurred_at) as at_s,
        date_trunc('day', trades.occurred_at) as sold_on,
        lines.item_id,
        lines.quantity,
        trades.player_1_gold + trades.player_2_gold as gold,
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
        sold_on,
        element_at(array_sort(array_agg(unit_price)), cast(floor((count(*) + 1) / 2e0) as integer)) as unit_price,
        sum(quantity) as units
    from sales
    group by realm, item_id, sold_on
),

usual as (
    select
        realm,
        item_id,
        element_at(array_sort(array_agg(unit_price)), cast(floor((count(*) + 1) / 2e0) as integer)) as unit_price
    from daily
    group by realm, item_id
),

supplies as (
    select
        realm,
        item_id,
        buyer,
        seller,
        sum(quantity) as units
    from sales
    group by realm, item_id, buyer, seller
),

suppliers as (
    select
        realm,
        item_id,
        buyer,
        max_by(seller, units) as supplier,
        max(units) as supplied
    from supplies
    group by realm, item_id, buyer
),

turns as (
    select
        realm,
        item_id,
        buyer as player_id,
        at_s,
        sold_on,
        quantity as bought,
        gold as paid,
        0 as sold,
        0 as got
    from sales
    union all
    select
        realm,
        item_id,
        seller as player_id,
        at_s,
        sold_on,
        0 as bought,
        0 as paid,
        quantity as sold,
        gold as got
    from sales
),

player_days as (
    select
        realm,
        item_id,
        player_id,
        sold_on,
        min(at_s) as first_at_s,
        max(at_s) as last_at_s,
        sum(bought) as bought,
        sum(paid) as paid,
        sum(sold) as sold,
        sum(got) as got,
        count(*) as trades,
        sum(sum(bought)) over (
            partition by realm, item_id, player_id order by sold_on rows between unbounded preceding and current row
        ) as bought_so_far
    from turns
    group by realm, item_id, player_id, sold_on
),

positions as (
    select
        player_days.realm,
        player_days.item_id,
        player_days.player_id,
        sum(player_days.bought) as bought,
        sum(player_days.paid) as paid,
        sum(player_days.sold) as sold,
        sum(player_days.got) as got,
        sum(player_days.bought * daily.unit_price) as bought_of_day,
        sum(player_days.sold * daily.unit_price) as sold_of_day,
        cast(sum(player_days.bought) as double)
        / nullif(sum(if(player_days.bought > 0, daily.units)), 0) as bought_share,
        cast(sum(player_days.sold) as double)
        / nullif(sum(if(player_days.sold > 0, daily.units)), 0) as sold_share,
        sum(player_days.bought * player_days.first_at_s) / nullif(sum(player_days.bought), 0) as bought_at_s,
        sum(player_days.sold * player_days.last_at_s) / nullif(sum(player_days.sold), 0) as sold_at_s,
        sum(player_days.trades) as trades
    from player_days
    inner join daily
        on
            player_days.realm = daily.realm
            and player_days.item_id = daily.item_id
            and player_days.sold_on = daily.sold_on
    where player_days.bought_so_far > 0
    group by player_days.realm, player_days.item_id, player_days.player_id
)

select
    positions.item_id,
    positions.player_id,
    positions.bought,
    positions.sold,
    cast(positions.paid as double) / positions.bought / usual.unit_price as bought_to_usual,
    cast(positions.got as double) / positions.sold / usual.unit_price as sold_to_usual,
    positions.paid / positions.bought_of_day as bought_to_day,
    positions.got / positions.sold_of_day as sold_to_day,
    cast(positions.paid as double) as paid,
    cast(positions.got as double) as got,
    positions.bought_at_s,
    positions.sold_at_s,
    positions.bought_share,
    positions.sold_share,
    positions.trades,
    suppliers.supplier,
    cast(suppliers.supplied as double) / positions.bought as supplied_share
from positions
inner join usual
    on positions.realm = usual.realm and positions.item_id = usual.item_id
inner join suppliers
    on
        positions.realm = suppliers.realm
        and positions.item_id = suppliers.item_id
        and positions.player_id = suppliers.buyer
where
    positions.bought >= 10
    and positions.sold * 4 >= positions.bought
    and cast(positions.got as double) / positions.sold >= 1.2 * positions.paid / positions.bought
order by positions.item_id, positions.player_id
