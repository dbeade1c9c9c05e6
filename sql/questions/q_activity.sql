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
with counts as (
    select
        realm,
        cast(occurred_at as date) as day,
        count_if(event_type = 'trade_accepted') as trades,
        count_if(event_type = 'trade_rejected') as refused,
        count_if(event_type = 'player_created') as new_players,
        count_if(event_type = 'offer_made') as offers_made,
        count_if(event_type = 'player_adjusted') as adjustments
    from lake.haggle.events
    where event_type in ('trade_accepted', 'trade_rejected', 'player_created', 'offer_made', 'player_adjusted')
    group by realm, cast(occurred_at as date)
),

traders as (
    select
        trades.realm,
        cast(trades.occurred_at as date) as day,
        count(distinct trader.player_id) as active
    from lake.haggle.trades
    cross join unnest(array[trades.player_1_id, trades.player_2_id]) as trader (player_id)
    where trades.status = 'accepted'
    group by trades.realm, cast(trades.occurred_at as date)
)

select
    counts.realm,
    counts.day,
    counts.trades,
    counts.refused,
    coalesce(traders.active, 0) as active_traders,
    counts.new_players,
    counts.offers_made,
    counts.adjustments
from counts
left join traders
    on counts.realm = traders.realm and counts.day = traders.day
order by counts.realm, counts.day
