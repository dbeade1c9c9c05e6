-- detection: who accepts offers faster than one can read them?
-- grain: one row per player that accepted twenty offers and more within three seconds of their making
-- counted: accepted offers
-- parameters: none
-- order: player_id
with made as (
    select
        realm,
        offer_id,
        occurred_at as made_at
    from lake.haggle.events
    where event_type = 'offer_made'
),

answers as (
    select
        trades.realm,
        trades.player_2_id as player_id,
        to_unixtime(trades.occurred_at) - to_unixtime(made.made_at) as after_s
    from lake.haggle.trades
    inner join made
        on trades.realm = made.realm and trades.offer_id = made.offer_id
    where trades.status = 'accepted'
)

select
    player_id,
    count(*) as accepted,
    count_if(after_s <= 3) as at_once,
    avg(if(after_s <= 3, after_s)) as after_s
from answers
group by realm, player_id
having count_if(after_s <= 3) >= 20
order by player_id
