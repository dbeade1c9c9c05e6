-- figure: decided trades over time
-- grain: one row per realm and unit of time in which a trade was decided
-- counted: decided trades; the unit (second, minute, hour or day) follows from how long there have been trades, so that
--          there are no more than some hundred rows in the first years
-- parameters: none
-- order: realm, time
with spans as (
    select
        realm,
        to_unixtime(max(last_trade_at)) - to_unixtime(min(first_trade_at)) as span_s
    from lake.haggle.day_figures
    group by realm
),

units as (
    select
        realm,
        case
            when span_s < 600 then 'second'
            when span_s < 36000 then 'minute'
            when span_s < 2160000 then 'hour'
            else 'day'
        end as unit
    from spans
)

select
    trades.realm,
    units.unit,
    date_trunc(units.unit, trades.occurred_at) as moment,
    count_if(trades.status = 'accepted') as accepted,
    count_if(trades.status = 'rejected') as refused
from lake.haggle.trades
inner join units on trades.realm = units.realm
group by trades.realm, units.unit, date_trunc(units.unit, trades.occurred_at)
order by trades.realm, moment
