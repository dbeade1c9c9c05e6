-- question: Which item was traded most?
-- grain: one row per realm and item that was traded
-- counted: item lines of accepted trades, both sides: by units moved and by trade lines; ties share a rank
-- parameters: none
-- order: realm, most units first, then most lines, then item_id
with traded as (
    select
        realm,
        item_id,
        sum(quantity) as units,
        count(*) as trade_lines
    from lake.haggle.trade_lines
    where status = 'accepted'
    group by realm, item_id
)

select
    realm,
    item_id,
    units,
    trade_lines,
    rank() over (partition by realm order by units desc) as rank_by_units,
    rank() over (partition by realm order by trade_lines desc) as rank_by_lines
from traded
order by realm asc, units desc, trade_lines desc, item_id asc
