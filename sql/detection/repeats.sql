-- detection: which trades nearly repeat the one before them between the same two players?
-- grain: one row per trade that was decided within three seconds of its like
-- counted: accepted and rejected trades; like is what has the same items and gold on the same sides, but for two units
--          of the items, and two gold or a fiftieth of it
-- parameters: none
-- order: sequence
with lines as (
    select
        realm,
        sequence,
        side,
        array_sort(array_agg(item_id)) as item_ids,
        sum(quantity) as units
    from lake.haggle.trade_lines
    group by realm, sequence, side
),

exchanges as (
    select
        trades.realm,
        trades.sequence,
        trades.occurred_at,
        trades.player_1_id < trades.player_2_id as in_order,
        trades.player_1_id,
        trades.player_2_id,
        trades.player_1_gold,
        trades.player_2_gold,
        lines_1.item_ids as item_ids_1,
        lines_2.item_ids as item_ids_2,
        coalesce(lines_1.units, 0) as units_1,
        coalesce(lines_2.units, 0) as units_2
    from lake.haggle.trades
    left join lines as lines_1
        on trades.realm = lines_1.realm and trades.sequence = lines_1.sequence and lines_1.side = 1
    left join lines as lines_2
        on trades.realm = lines_2.realm and trades.sequence = lines_2.sequence and lines_2.side = 2
    where trades.status in ('accepted', 'rejected')
),

contents as (
    -- whoever of the two is named first
    select
        realm,
        sequence,
        occurred_at,
        if(in_order, player_1_id, player_2_id) as player_1_id,
        if(in_order, player_2_id, player_1_id) as player_2_id,
        if(in_order, player_1_gold, player_2_gold) as gold_1,
        if(in_order, player_2_gold, player_1_gold) as gold_2,
        if(in_order, item_ids_1, item_ids_2) as item_ids_1,
        if(in_order, item_ids_2, item_ids_1) as item_ids_2,
        if(in_order, units_1, units_2) as units_1,
        if(in_order, units_2, units_1) as units_2
    from exchanges
),

likes as (
    select
        contents.*,
        lag(sequence) over like_content as before,
        lag(occurred_at) over like_content as before_at,
        abs(gold_1 - lag(gold_1) over like_content) as gold_1_off,
        abs(gold_2 - lag(gold_2) over like_content) as gold_2_off,
        abs(units_1 - lag(units_1) over like_content) as units_1_off,
        abs(units_2 - lag(units_2) over like_content) as units_2_off
    from contents
    window like_content as (
        partition by realm, player_1_id, player_2_id, gold_1 > 0, gold_2 > 0, item_ids_1, item_ids_2 order by sequence
    )
)

select
    sequence,
    occurred_at,
    player_1_id,
    player_2_id,
    before,
    to_unixtime(occurred_at) - to_unixtime(before_at) as after_s,
    gold_1_off + gold_2_off + units_1_off + units_2_off = 0 as is_same,
    gold_1 + units_1 = 0 or gold_2 + units_2 = 0 as is_gift
from likes
where
    to_unixtime(occurred_at) - to_unixtime(before_at) <= 3
    and units_1_off <= 2
    and units_2_off <= 2
    and gold_1_off <= greatest(2, 0.02 * gold_1)
    and gold_2_off <= greatest(2, 0.02 * gold_2)
order by sequence
