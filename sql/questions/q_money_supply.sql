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
with days as (
    select
        realm,
        cast(occurred_at as date) as day,
        sum(
            case event_type
                when 'player_created' then state.gold
                when 'player_adjusted' then given.gold - taken.gold
                else 0
            end
        ) as added,
        sum(if(event_type = 'trade_accepted', player_1.gold + player_2.gold, 0)) as gold_traded
    from lake.haggle.events
    where event_type in ('player_created', 'player_adjusted', 'trade_accepted')
    group by realm, cast(occurred_at as date)
),

supply as (
    select
        realm,
        day,
        added,
        sum(added) over (partition by realm order by day) as gold,
        gold_traded
    from days
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
