-- question: How many trades were there?
-- grain: one row per realm in which a trade was decided
-- counted: accepted trades; refused ones beside them, since a refused trade moved nothing
-- parameters: none
-- order: realm
select
    realm,
    count_if(status = 'accepted') as trades,
    count_if(status = 'rejected') as refused,
    min(occurred_at) as first_at,
    max(occurred_at) as last_at
from lake.haggle.trades
group by realm
order by realm
