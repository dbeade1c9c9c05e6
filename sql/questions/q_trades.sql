-- question: How many trades were there?
-- family: trades
-- grain: one row per realm in which a trade was decided
-- counted: accepted trades; refused ones beside them, since a refused trade moved nothing
-- parameters: none
-- order: realm
-- column realm varchar: the unit of atomicity
-- column trades bigint: trades that were accepted
-- column refused bigint: trades that were refused
-- column first_at timestamp(6) with time zone: when the first one was decided
-- column last_at timestamp(6) with time zone: when the last one was decided
select
    realm,
    count_if(status = 'accepted') as trades,
    count_if(status = 'rejected') as refused,
    min(occurred_at) as first_at,
    max(occurred_at) as last_at
from lake.haggle.trades
group by realm
order by realm
