-- question: How many of the players of a week still trade later?
-- family: players
-- grain: one row per realm, week in which players were created, and week from then on in which the realm had a trade
-- counted: players that had a part in an accepted trade in the week; weeks begin on Monday (UTC), and the newest one
--          may not be over. A week in which nobody of the realm traded has no row
-- parameters: none
-- order: realm, cohort_week, weeks_since
-- column realm varchar: the unit of atomicity
-- column cohort_week date: the Monday of the week in which the players were created
-- column weeks_since bigint: weeks from then; 0 is the week of their creation
-- column players bigint: players that were created in the week
-- column trading bigint: of them, those that traded in the later week
-- column share double: trading divided by players
with counts as (
    select
        newcomers.realm,
        cast(date_trunc('week', newcomers.created_at) as date) as cohort_week,
        active.week as active_week,
        count(*) as trading
    from lake.haggle.trader_weeks as active
    inner join lake.haggle.standings as newcomers
        on active.realm = newcomers.realm and active.player_id = newcomers.player_id
    group by newcomers.realm, cast(date_trunc('week', newcomers.created_at) as date), active.week
),

-- a row per cohort and week: also of players that were created and never traded, and of weeks without them
weeks as (
    select
        realm,
        cast(date_trunc('week', day) as date) as week,
        sum(new_players) as players,
        sum(trades) as trades
    from lake.haggle.day_figures
    group by realm, cast(date_trunc('week', day) as date)
),

cohorts as (
    select
        realm,
        week as cohort_week,
        players,
        array_agg(if(trades > 0, week)) over (
            partition by realm order by week range between current row and unbounded following
        ) as active_weeks
    from weeks
)

select
    cohorts.realm,
    cohorts.cohort_week,
    date_diff('week', cohorts.cohort_week, active.week) as weeks_since,
    cohorts.players,
    coalesce(counts.trading, 0) as trading,
    coalesce(counts.trading, 0) / cast(cohorts.players as double) as share
from cohorts
cross join unnest(cohorts.active_weeks) as active (week)
left join counts
    on
        cohorts.realm = counts.realm
        and cohorts.cohort_week = counts.cohort_week
        and active.week = counts.active_week
where cohorts.players > 0 and active.week is not null
order by cohorts.realm, cohorts.cohort_week, active.week
