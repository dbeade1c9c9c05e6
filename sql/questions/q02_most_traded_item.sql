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
    traded.realm,
    traded.item_id,
    items.name,
    traded.units,
    traded.trade_lines,
    rank() over (partition by traded.realm order by traded.units desc) as rank_by_units,
    rank() over (partition by traded.realm order by traded.trade_lines desc) as rank_by_lines
from traded
left join lake.haggle.items
    on traded.realm = items.realm and traded.item_id = items.item_id
order by traded.realm asc, traded.units desc, traded.trade_lines desc, traded.item_id asc
