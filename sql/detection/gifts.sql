-- detection: in which trades did one player give much more than it got?
-- grain: one row per trade in which one side was worth three times the other and more, and at least 20 gold
-- counted: accepted trades but barters, items at the price of the day, if five were sold, or at list value
-- parameters: none
-- order: sequence
with sales as (
    select
        lines.realm,
        lines.item_id,
        date_trunc('day', lines.occurred_at) as sold_on,
        cast(trades.player_1_gold + trades.player_2_gold as double) / lines.quantity as unit_price
    from lake.haggle.trades
    inner join lake.haggle.trade_lines as lines
        on trades.realm = lines.realm and trades.sequence = lines.sequence
    where
        trades.status = 'accepted'
        and trades.player_1_lines + trades.player_2_lines = 1
        -- gold came for the goods, and none with them
        and if(trades.player_1_lines = 1, trades.player_1_gold, trades.player_2_gold) = 0
        and trades.player_1_gold + trades.player_2_gold > 0
),

daily as (
    select
        realm,
        item_id,
        sold_on,
        element_at(array_sort(array_agg(unit_price)), cast(floor((count(*) + 1) / 2e0) as integer)) as unit_price
    from sales
    group by realm, item_id, sold_on
    having count(*) >= 5
),

goods as (
    select
        lines.realm,
        lines.sequence,
        sum(if(lines.side = 1, lines.quantity * coalesce(daily.unit_price, lines.value, 0), 0)) as value_1,
        sum(if(lines.side = 2, lines.quantity * coalesce(daily.unit_price, lines.value, 0), 0)) as value_2
    from lake.haggle.trade_lines as lines
    left join daily
        on
            lines.realm = daily.realm
            and lines.item_id = daily.item_id
            and date_trunc('day', lines.occurred_at) = daily.sold_on
    where lines.status = 'accepted'
    group by lines.realm, lines.sequence
),

exchanges as (
    select
        events.realm,
        events.sequence,
        events.occurred_at,
        events.player_1.player_id as player_1_id,
        events.player_2.player_id as player_2_id,
        cardinality(events.player_1.items) > 0 and cardinality(events.player_2.items) > 0 as is_barter,
        events.player_1.gold as gold_1,
        events.player_2.gold as gold_2,
        events.player_1.gold + coalesce(goods.value_1, 0) as value_1,
        events.player_2.gold + coalesce(goods.value_2, 0) as value_2,
        coalesce(events.player_1.item_value, 0) as items_1,
        coalesce(events.player_2.item_value, 0) as items_2,
        events.player_1.state.gold as gold_after_1,
        events.player_2.state.gold as gold_after_2,
        events.player_1.state.item_value as items_after_1,
        events.player_2.state.item_value as items_after_2,
        row_number() over (
            partition by
                events.realm,
                least(events.player_1.player_id, events.player_2.player_id),
                greatest(events.player_1.player_id, events.player_2.player_id)
            order by events.sequence
        ) - 1 as earlier,
        min(events.occurred_at) over (
            partition by
                events.realm,
                least(events.player_1.player_id, events.player_2.player_id),
                greatest(events.player_1.player_id, events.player_2.player_id)
        ) as first_met
    from lake.haggle.events
    left join goods
        on events.realm = goods.realm and events.sequence = goods.sequence
    where events.event_type = 'trade_accepted'
),

directed as (
    select
        exchanges.*,
        value_1 >= value_2 as from_1
    from exchanges
    where
        not is_barter
        and greatest(value_1, value_2) >= 20
        and greatest(value_1, value_2) >= 3 * least(value_1, value_2)
)

select
    sequence,
    occurred_at,
    if(from_1, player_1_id, player_2_id) as giver,
    if(from_1, player_2_id, player_1_id) as receiver,
    if(from_1, value_1 - value_2, value_2 - value_1) as value,
    if(from_1, gold_1 - gold_2, gold_2 - gold_1) as gold,
    -- what the giver had before, items at list value
    if(from_1, gold_after_1 + gold_1 - gold_2, gold_after_2 + gold_2 - gold_1) as had_gold,
    if(from_1, items_after_1 + items_1 - items_2, items_after_2 + items_2 - items_1) as had_items,
    if(from_1, items_1 - items_2, items_2 - items_1) as items,
    earlier,
    first_met
from directed
order by sequence
