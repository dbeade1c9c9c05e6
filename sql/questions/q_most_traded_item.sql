-- question: Which item was traded most?
-- family: items and prices
-- grain: one row per realm and item that was traded
-- counted: item lines of accepted trades, both sides: by units moved and by trade lines; ties share a rank
-- parameters: none
-- order: realm, most units first, then most lines, then item_id
-- column realm varchar: the unit of atomicity
-- column item_id bigint: the item
-- column name varchar: its name; null if it was in no catalog
-- column units bigint: units that accepted trades moved
-- column trade_lines bigint: lines of accepted trades that had it
-- column rank_by_units bigint: 1 is the item with the most units; ties share a rank
-- column rank_by_lines bigint: 1 is the item with the most lines; ties share a rank
with traded as (
    select
        realm,
        item_id,
        sum(units) as units,
        sum(trade_lines) as trade_lines
    from lake.haggle.item_days
    group by realm, item_id
)

select
    traded.realm,
    traded.item_id,
    names.name,
    traded.units,
    traded.trade_lines,
    rank() over (partition by traded.realm order by traded.units desc) as rank_by_units,
    rank() over (partition by traded.realm order by traded.trade_lines desc) as rank_by_lines
from traded
left join lake.haggle.item_names as names
    on traded.realm = names.realm and traded.item_id = names.item_id
order by traded.realm asc, traded.units desc, traded.trade_lines desc, traded.item_id asc
