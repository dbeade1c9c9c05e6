-- question: Which share of all wealth do the poorest players have together?
-- family: wealth
-- grain: one row per realm and percent of its players, 0 to 100
-- counted: players, closed accounts too, by gold and items at list value in their newest state, the poorest first;
--          where a percentage falls within a player, so much of that player counts (the Lorenz curve has straight
--          pieces)
-- parameters: none
-- order: realm, player_percent
-- column realm varchar: the unit of atomicity
-- column player_percent integer: the poorest so many percent of the players
-- column wealth_share double: share of all wealth that they have, 0 to 1; null if nobody has anything
with placed as (
    select
        realm,
        gold + item_value as wealth,
        sum(gold + item_value) over (partition by realm order by gold + item_value rows unbounded preceding)
            as wealth_up_to
    from lake.haggle.standings
),

curves as (
    select
        realm,
        count(*) as players,
        sum(wealth) as wealth,
        array_sort(array_agg(wealth)) as wealths,
        array_sort(array_agg(wealth_up_to)) as wealths_up_to
    from placed
    group by realm
),

steps as (
    select
        curves.realm,
        10 * ten.digit + one.digit as player_percent,
        (10 * ten.digit + one.digit) * curves.players / 100e0 as up_to,
        cast(greatest(ceil((10 * ten.digit + one.digit) * curves.players / 100e0), 1) as integer) as place,
        curves.wealths,
        curves.wealths_up_to,
        nullif(cast(curves.wealth as double), 0) as wealth
    from curves
    cross join (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)) as ten (digit)
    cross join (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) as one (digit)
    where 10 * ten.digit + one.digit <= 100
)

select
    realm,
    player_percent,
    (element_at(wealths_up_to, place) - (place - up_to) * element_at(wealths, place)) / wealth as wealth_share
from steps
order by realm, player_percent
