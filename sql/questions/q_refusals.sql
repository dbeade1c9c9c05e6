-- question: Why were trades, offers and adjustments refused?
-- family: trades
-- grain: one row per realm, kind (trade, offer or adjustment) and reason that was given
-- counted: what was decided and refused; what was decided is accepted and refused trades (those that came of offers
--          too), made and refused offers, and accepted and refused adjustments
-- parameters: none
-- order: realm, kind, the most frequent first, then reason
-- column realm varchar: the unit of atomicity
-- column kind varchar: trade, offer or adjustment
-- column reason varchar: why it was refused
-- column refused bigint: how many were
-- column share_of_refused double: share of all refused ones of the kind
-- column share_of_decided double: share of all decided ones of the kind
-- column players bigint: different players that the refused ones name; some may not exist
with named as (
    select
        realm,
        sequence,
        reason,
        case
            when event_type like 'trade%' then 'trade'
            when event_type like 'offer%' then 'offer'
            else 'adjustment'
        end as kind,
        array[coalesce(player_id, player_1.player_id), player_2.player_id] as player_ids
    from lake.haggle.events
    where event_type in ('trade_rejected', 'offer_rejected', 'adjustment_rejected')
),

refusals as (
    select
        named.realm,
        named.kind,
        named.reason,
        count(distinct named.sequence) as refused,
        count(distinct player.id) as players
    from named
    cross join unnest(named.player_ids) as player (id)
    group by named.realm, named.kind, named.reason
),

decided as (
    select
        realm,
        count_if(event_type in ('trade_accepted', 'trade_rejected')) as trades,
        count_if(event_type in ('offer_made', 'offer_rejected')) as offers_made,
        count_if(event_type in ('player_adjusted', 'adjustment_rejected')) as adjustments_made
    from lake.haggle.events
    group by realm
)

select
    refusals.realm,
    refusals.kind,
    refusals.reason,
    refusals.refused,
    cast(refusals.refused as double)
    / sum(refusals.refused) over (partition by refusals.realm, refusals.kind) as share_of_refused,
    cast(refusals.refused as double)
    / case refusals.kind
        when 'trade' then decided.trades
        when 'offer' then decided.offers_made
        else decided.adjustments_made
    end as share_of_decided,
    refusals.players
from refusals
inner join decided
    on refusals.realm = decided.realm
order by refusals.realm asc, refusals.kind asc, refusals.refused desc, refusals.reason asc
