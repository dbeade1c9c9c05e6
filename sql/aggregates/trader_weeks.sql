-- aggregate: who traded in which week
-- grain: one row per realm, week and player that had a part in an accepted trade
-- column realm varchar, key: the unit of atomicity
-- column week date, key: the Monday of the week (UTC)
-- column player_id bigint, key: the player
select distinct
    trades.realm,
    cast(date_trunc('week', trades.occurred_at) as date) as week,
    trader.player_id
from lake.haggle.trades
cross join unnest(array[trades.player_1_id, trades.player_2_id]) as trader (player_id)
where trades.status = 'accepted'
