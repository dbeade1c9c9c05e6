-- aggregate: what became of each offer on each day
-- grain: one row per realm, day and offer that was made, refused or ended on it
-- column realm varchar: the unit of atomicity
-- column day date: the day (UTC)
-- column offer_id varchar: the offer
-- column made_at timestamp(6) with time zone: when it was made, if on this day
-- column answered_at timestamp(6) with time zone: when the player that was asked answered, if on this day
-- column made bigint: whether it was made (0 or 1, as all that follow)
-- column accepted bigint: became a trade
-- column declined bigint: the player that was asked refused
-- column cancelled bigint: was taken back
-- column expired bigint: nobody answered in time
-- column account_closed bigint: ended since one of the players was forgotten
-- column refused bigint: was refused, and so never open
select
    realm,
    cast(occurred_at as date) as day,
    offer_id,
    max(occurred_at) filter (where event_type = 'offer_made') as made_at,
    max(occurred_at) filter (
        where event_type = 'trade_accepted' or (event_type = 'offer_closed' and outcome = 'declined')
    ) as answered_at,
    count_if(event_type = 'offer_made') as made,
    count_if(event_type = 'trade_accepted') as accepted,
    count_if(event_type = 'offer_closed' and outcome = 'declined') as declined,
    count_if(event_type = 'offer_closed' and outcome = 'cancelled') as cancelled,
    count_if(event_type = 'offer_closed' and outcome = 'expired') as expired,
    count_if(event_type = 'offer_closed' and outcome = 'account_closed') as account_closed,
    count_if(event_type = 'offer_rejected') as refused
from lake.haggle.events
where
    event_type in ('offer_made', 'offer_rejected', 'offer_closed')
    or (event_type = 'trade_accepted' and offer_id is not null)
group by realm, cast(occurred_at as date), offer_id
