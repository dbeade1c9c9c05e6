-- detection: who sold on what was just bought?
-- grain: one row per purchase of units of an item whose buyer's next trade in it, within three days, sells it
-- counted: accepted trades of one item line against gold
-- parameters: none
-- order: bought, sold
with sales as (
    select
        trades.realm,
        trades.sequence,
        trades.occurred_at,
        lines.item_id,
        lines.quantity,
        trades.player_1_gold + trades.player_2_gold as gold,
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

turns as (
    select
        realm,
        sequence,
        occurred_at,
        item_id,
        quantity,
        gold,
        buyer as player_id,
        seller as partner,
        true as is_buy
    from sales
    union all
    select
        realm,
        sequence,
        occurred_at,
        item_id,
        quantity,
        gold,
        seller as player_id,
        buyer as partner,
        false as is_buy
    from sales
),

pairs as (
    select
        turns.*,
        lead(sequence) over next_turn as next_sequence,
        lead(occurred_at) over next_turn as next_at,
        lead(quantity) over next_turn as next_quantity,
        lead(gold) over next_turn as next_gold,
        lead(partner) over next_turn as next_partner,
        lead(is_buy) over next_turn as next_is_buy
    from turns
    window next_turn as (partition by realm, player_id, item_id order by sequence)
)

select
    sequence as bought,
    next_sequence as sold,
    occurred_at as bought_at,
    next_at as sold_at,
    item_id,
    quantity,
    next_quantity as sold_quantity,
    gold as paid,
    next_gold as got,
    partner as seller,
    player_id,
    next_partner as buyer
from pairs
where
    is_buy and not next_is_buy
    and to_unixtime(next_at) - to_unixtime(occurred_at) <= 3 * 86400
order by sequence, next_sequence
