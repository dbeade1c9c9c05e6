-- question: How much wealth lies with players that have not moved for long?
-- family: wealth
-- grain: one row per realm and band of days that has players
-- counted: players, closed accounts too, by the days from their last change (any that gave them a new state) to the
--          newest event of their realm; wealth is gold and items at list value in that state
-- parameters: none
-- order: realm, from_days
-- column realm varchar: the unit of atomicity
-- column from_days integer: at least so many days since the last change
-- column below_days integer: fewer days than this; null for the last band, which has no end
-- column players bigint: players
-- column wealth bigint: what they have
-- column player_share double: their share of all players
-- column wealth_share double: their share of all wealth; null if nobody has anything
with newest as (
    select
        realm,
        max(newest_at) as newest_at
    from lake.haggle.day_figures
    group by realm
),

idle as (
    select
        standings.realm,
        standings.gold + standings.item_value as wealth,
        round(to_unixtime(newest.newest_at) - to_unixtime(standings.changed_at), 6) / 86400 as days
    from lake.haggle.standings
    inner join newest on standings.realm = newest.realm
),

banding as (
    select
        realm,
        wealth,
        case when days < 1 then 0 when days < 7 then 1 when days < 30 then 7 when days < 90 then 30 else 90 end
            as from_days
    from idle
),

banded as (
    select
        realm,
        from_days,
        count(*) as players,
        sum(wealth) as wealth
    from banding
    group by realm, from_days
)

select
    realm,
    from_days,
    case from_days when 0 then 1 when 1 then 7 when 7 then 30 when 30 then 90 end as below_days,
    players,
    wealth,
    cast(players as double) / sum(players) over (partition by realm) as player_share,
    wealth / nullif(cast(sum(wealth) over (partition by realm) as double), 0) as wealth_share
from banded
order by realm, from_days
