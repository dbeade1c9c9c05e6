-- figure: decided trades over time
-- grain: one row per second in which a trade was decided
-- parameters: 1 realm
-- order: time
select
    date_trunc('second', occurred_at) as at,
    count_if(status = 'accepted') as accepted,
    count_if(status = 'rejected') as refused
from lake.haggle.trades
where realm = ?
group by 1
order by 1
