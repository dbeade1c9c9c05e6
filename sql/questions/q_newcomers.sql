-- question: How do new players find their way into trading?
-- family: players
-- grain: one row per realm and day on which players were created
-- counted: their accepted trades. A first purchase is the first trade in which the player gave gold alone and got units
--          of one item alone; its ratio is that gold divided by their list value of then. A gift is a trade in which
--          the player got something and gave nothing. Medians are by nearest rank, as in q_price
-- parameters: none
-- order: realm, day
-- column realm varchar: the unit of atomicity
-- column day date: the day (UTC) on which they were created
-- column newcomers bigint: players that were created
-- column traded bigint: of them, those that have traded since
-- column traded_within_a_day bigint: of them, those that traded within 24 hours
-- column median_hours_to_trade double: hours from creation to the first trade, of those that traded
-- column first_purchases bigint: of them, those that have bought for gold, at a known list value above 0
-- column median_price_ratio double: gold that they paid first, divided by the list value
-- column trades bigint: trades that they had a part in; one of two newcomers of a day counts for both
-- column gift_share double: share of these trades that were gifts to them; null if there were no trades
with newcomers as (
    select
        standings.realm,
        cast(standings.created_at as date) as day,
        coalesce(traders.trades, 0) as trades,
        coalesce(traders.gifts, 0) as gifts,
        round(to_unixtime(traders.traded_at) - to_unixtime(standings.created_at), 6) / 3600 as hours,
        traders.price_ratio
    from lake.haggle.standings
    left join lake.haggle.traders
        on standings.realm = traders.realm and standings.player_id = traders.player_id
    where standings.created_at is not null
),

days as (
    select
        realm,
        day,
        count(*) as newcomers,
        count(hours) as traded,
        count(if(hours <= 24, 1)) as traded_within_a_day,
        array_sort(array_agg(hours) filter (where hours is not null)) as hours,
        count(price_ratio) as first_purchases,
        array_sort(array_agg(price_ratio) filter (where price_ratio is not null)) as price_ratios,
        sum(trades) as trades,
        sum(gifts) as gifts
    from newcomers
    group by realm, day
)

select
    realm,
    day,
    newcomers,
    traded,
    traded_within_a_day,
    element_at(hours, cast(ceil(traded / 2e0) as integer)) as median_hours_to_trade,
    first_purchases,
    element_at(price_ratios, cast(ceil(first_purchases / 2e0) as integer)) as median_price_ratio,
    trades,
    cast(gifts as double) / nullif(trades, 0) as gift_share
from days
order by realm, day
