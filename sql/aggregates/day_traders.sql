-- aggregate: how many players traded on each day
-- grain: one row per realm and day with an accepted trade
-- column realm varchar: the unit of atomicity
-- column day date: the day (UTC)
-- column active_traders bigint: players that had a part in an accepted trade
select
    trades.realm,
    cast(trades.occurred_at as date) as day,
    count(distinct trader.player_id) as active_traders
from lake.haggle.trades
cross join unnest(array[trades.player_1_id, trades.player_2_id]) as trader (player_id)
where trades.status = 'accepted'
group by trades.realm, cast(trades.occurred_at as date)
