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
    sum(trades) as trades,
    sum(trades_refused) as refused,
    min(first_trade_at) as first_at,
    max(last_trade_at) as last_at
from lake.haggle.day_figures
where trades + trades_refused > 0
group by realm
order by realm
