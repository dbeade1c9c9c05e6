-- aggregate: what happened on each day
-- grain: one row per realm and day with an event
-- column realm varchar: the unit of atomicity
-- column day date: the day (UTC)
-- column sequence bigint: the newest event of the day
-- column newest_at timestamp(6) with time zone: when the newest event of the day occurred
-- column events bigint: all events
-- column trades bigint: trades that were accepted
-- column trades_refused bigint: trades that were refused
-- column first_trade_at timestamp(6) with time zone: when the first trade of the day was decided
-- column last_trade_at timestamp(6) with time zone: when the last trade of the day was decided
-- column new_players bigint: players that were created
-- column offers_made bigint: offers that were made
-- column offers_refused bigint: offers that were refused
-- column adjustments bigint: times that the game gave or took
-- column adjustments_refused bigint: times that it could not
-- column gold_added bigint: gold that creations and the game gave, less what it took
-- column gold_traded bigint: gold that accepted trades moved
select
    realm,
    cast(occurred_at as date) as day,
    max(sequence) as sequence,
    max(occurred_at) as newest_at,
    count(*) as events,
    count_if(event_type = 'trade_accepted') as trades,
    count_if(event_type = 'trade_rejected') as trades_refused,
    min(occurred_at) filter (where event_type in ('trade_accepted', 'trade_rejected')) as first_trade_at,
    max(occurred_at) filter (where event_type in ('trade_accepted', 'trade_rejected')) as last_trade_at,
    count_if(event_type = 'player_created') as new_players,
    count_if(event_type = 'offer_made') as offers_made,
    count_if(event_type = 'offer_rejected') as offers_refused,
    count_if(event_type = 'player_adjusted') as adjustments,
    count_if(event_type = 'adjustment_rejected') as adjustments_refused,
    sum(
        case event_type
            when 'player_created' then state.gold
            when 'player_adjusted' then given.gold - taken.gold
            else 0
        end
    ) as gold_added,
    sum(if(event_type = 'trade_accepted', player_1.gold + player_2.gold, 0)) as gold_traded
from lake.haggle.events
where event_type is not null
group by realm, cast(occurred_at as date)
