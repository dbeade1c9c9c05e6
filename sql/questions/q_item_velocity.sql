-- question: Who holds each item, and how often does it change hands?
-- family: items and prices
-- grain: one row per realm and item that was ever held or traded
-- counted: units by the newest state that names the item, of each player; units of accepted trades, both sides
-- parameters: none
-- order: realm, item_id
-- column realm varchar: the unit of atomicity
-- column item_id bigint: the item
-- column name varchar: its name; null if it was in no catalog
-- column units_held bigint: units that all players hold
-- column holders bigint: players that hold any
-- column units_traded bigint: units that accepted trades moved
-- column velocity double: how often a unit changed hands: units traded divided by units held; null if none is held
-- column hhi double: Herfindahl index of the holdings: the sum of the squares of the holders' shares, 1 if one has all
-- column top_holder_share double: share of the player that holds most
with held as (
    select
        realm,
        item_id,
        sum(units) as units,
        count_if(units > 0) as holders,
        sum(cast(units as double) * units) as squares,
        max(units) as most
    from lake.haggle.holdings
    where item_id > 0
    group by realm, item_id
),

amounts as (
    select
        realm,
        item_id,
        units as units_held,
        holders,
        squares,
        most,
        cast(0 as bigint) as units_traded
    from held
    union all
    select
        realm,
        item_id,
        0 as units_held,
        0 as holders,
        cast(null as double) as squares,
        cast(null as bigint) as most,
        units as units_traded
    from lake.haggle.item_days
),

moved as (
    select
        realm,
        item_id,
        sum(units_held) as units_held,
        sum(holders) as holders,
        sum(units_traded) as units_traded,
        nullif(cast(sum(units_held) as double), 0) as units,
        max(squares) as squares,
        max(most) as most
    from amounts
    group by realm, item_id
)

select
    moved.realm,
    moved.item_id,
    names.name,
    moved.units_held,
    moved.holders,
    moved.units_traded,
    moved.units_traded / moved.units as velocity,
    moved.squares / moved.units / moved.units as hhi,
    moved.most / moved.units as top_holder_share
from moved
left join lake.haggle.item_names as names
    on moved.realm = names.realm and moved.item_id = names.item_id
order by moved.realm, moved.item_id
