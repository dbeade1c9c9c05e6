-- question: How is wealth spread, in each class and among all, and who has gained?
-- family: wealth
-- grain: one row per realm and class, and one for all classes together
-- counted: players, closed accounts too, by gold and items at list value in their newest state (by the catalog of
--          then). Gini is exact: all players by rank; 0 is all alike, and for classes that start unlike it is high from
--          the first day, so gini_at_start stands beside it. What players made of their start is wealth divided by what
--          they were created with, which compares banker and farmer alike; a Gini of gains would mean nothing, since
--          some are losses. Percentiles are by nearest rank, as in q_price
-- parameters: none
-- order: realm, all classes together first, then the class
-- column realm varchar: the unit of atomicity
-- column player_class varchar: the class; null is all classes together
-- column players bigint: players
-- column wealth bigint: gold and items of all of them, at list value
-- column mean double: mean wealth
-- column median bigint: median wealth
-- column gini double: Gini coefficient of wealth, 0 to 1; null if nobody has anything
-- column gini_at_start double: the same of what they were created with
-- column top_1_percent_share double: share of the wealth that the richest 1 % have, rounded up to whole players
-- column top_10_percent_share double: share of the wealth that the richest 10 % have, rounded up to whole players
-- column bottom_half_share double: share of the wealth that the poorest half have, rounded down to whole players
-- column gained_share double: share of the players that have more than they were created with
-- column growth_p10 double: wealth divided by wealth at creation, that a tenth of the players are at or below
-- column growth_median double: the median of it
-- column growth_p90 double: what nine tenths of the players are at or below
with worths as (
    select
        realm,
        coalesce(player_class, 'unknown') as player_class,
        gold + item_value as wealth,
        wealth_at_start as at_start
    from lake.haggle.standings
),

placed as (
    select
        worths.realm,
        kind.player_class,
        worths.wealth,
        worths.at_start,
        cast(worths.wealth as double) / nullif(worths.at_start, 0) as growth,
        count(*) over (partition by worths.realm, kind.player_class) as players,
        row_number() over (partition by worths.realm, kind.player_class order by worths.wealth) as place,
        row_number() over (partition by worths.realm, kind.player_class order by worths.at_start) as start_place
    from worths
    cross join unnest(array[worths.player_class, cast(null as varchar)]) as kind (player_class)
),

classed as (
    select
        realm,
        player_class,
        max(players) as players,
        sum(wealth) as wealth,
        max(if(place = ceil(players / 2e0), wealth)) as median,
        sum((2 * place - players - 1) * cast(wealth as double)) as unevenness,
        sum((2 * start_place - players - 1) * cast(at_start as double)) as unevenness_at_start,
        sum(at_start) as at_start,
        sum(if(place > players - ceil(players / 100e0), wealth, 0)) as top_1_percent,
        sum(if(place > players - ceil(players / 10e0), wealth, 0)) as top_10_percent,
        sum(if(place <= floor(players / 2e0), wealth, 0)) as bottom_half,
        count_if(wealth > at_start) as gained,
        count(growth) as grown,
        array_sort(array_agg(growth) filter (where growth is not null)) as growths
    from placed
    group by realm, player_class
)

select
    realm,
    player_class,
    players,
    wealth,
    cast(wealth as double) / players as mean,
    median,
    unevenness / nullif(cast(wealth as double) * players, 0) as gini,
    unevenness_at_start / nullif(cast(at_start as double) * players, 0) as gini_at_start,
    top_1_percent / nullif(cast(wealth as double), 0) as top_1_percent_share,
    top_10_percent / nullif(cast(wealth as double), 0) as top_10_percent_share,
    bottom_half / nullif(cast(wealth as double), 0) as bottom_half_share,
    cast(gained as double) / players as gained_share,
    element_at(growths, cast(ceil(grown / 10e0) as integer)) as growth_p10,
    element_at(growths, cast(ceil(grown / 2e0) as integer)) as growth_median,
    element_at(growths, cast(ceil(9 * grown / 10e0) as integer)) as growth_p90
from classed
order by realm asc, player_class asc nulls first
