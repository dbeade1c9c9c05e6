-- question: How much gold was there, and how much of it changed hands?
-- family: money
-- grain: one row per realm and day with a creation, an adjustment or an accepted trade
-- counted: gold that creations brought and the game gave, less what it took: trades leave the sum as it is. What
--          changed hands is the gold of accepted trades, both sides
-- parameters: none
-- order: realm, day
-- column realm varchar: the unit of atomicity
-- column day date: the day (UTC)
-- column added bigint: gold that the day brought, less what the game took on it
-- column gold bigint: gold that all players together had at the day's end
-- column gold_traded bigint: gold that accepted trades moved
-- column velocity double: how often a piece of gold changed hands on the day: traded gold divided by gold; null if
--          there was none
with supply as (
    select
        realm,
        day,
        gold_added as added,
        sum(gold_added) over (partition by realm order by day) as gold,
        gold_traded
    from lake.haggle.day_figures
    where new_players + adjustments + trades > 0
)

select
    realm,
    day,
    added,
    gold,
    gold_traded,
    cast(gold_traded as double) / nullif(gold, 0) as velocity
from supply
order by realm, day
