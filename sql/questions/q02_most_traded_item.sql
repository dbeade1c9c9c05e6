-- question: Which item was traded most?
-- grain: one row per item that was traded
-- counted: item lines of accepted trades, both sides: by units moved and by trade lines; ties share a rank
-- parameters: 1 realm
-- order: most units first, then most lines, then item_id
with traded as (
    select
        item_id,
        sum(quantity) as units,
        count(*) as trade_lines
    from lake.haggle.trade_lines
    where realm = ? and status = 'accepted'
    group by item_id
)

select
    item_id,
    units,
    trade_lines,
    rank() over (order by units desc) as rank_by_units,
    rank() over (order by trade_lines desc) as rank_by_lines
from traded
order by units desc, trade_lines desc, item_id asc
