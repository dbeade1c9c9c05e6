-- figure: decided trades over time
-- grain: one row per realm and second in which a trade was decided
-- parameters: none
-- order: realm, time
select
    realm,
    date_trunc('second', occurred_at) as at,
    count_if(status = 'accepted') as accepted,
    count_if(status = 'rejected') as refused
from lake.haggle.trades
group by 1, 2
order by 1, 2
