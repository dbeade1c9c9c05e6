-- question: What happened on each day?
-- family: trades
-- grain: one row per realm and day on which a trade was decided, or a player, an offer or an adjustment was made
-- counted: what was accepted, and refused trades beside it; players of refused trades are not active by them
-- parameters: none
-- order: realm, day
-- column realm varchar: the unit of atomicity
-- column day date: the day (UTC)
-- column trades bigint: trades that were accepted
-- column refused bigint: trades that were refused
-- column active_traders bigint: players that had a part in an accepted trade
-- column new_players bigint: players that were created
-- column offers_made bigint: offers that were made
-- column adjustments bigint: times that the game gave or took
select
    figures.realm,
    figures.day,
    figures.trades,
    figures.trades_refused as refused,
    coalesce(traders.active_traders, 0) as active_traders,
    figures.new_players,
    figures.offers_made,
    figures.adjustments
from lake.haggle.day_figures as figures
left join lake.haggle.day_traders as traders
    on figures.realm = traders.realm and figures.day = traders.day
where
    figures.trades + figures.trades_refused + figures.new_players + figures.offers_made + figures.adjustments > 0
order by figures.realm, figures.day
