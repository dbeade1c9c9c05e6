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
with refusals as (
    select
        realm,
        kind,
        reason,
        sum(refused) as refused,
        count(distinct player_id) as players
    from lake.haggle.refusal_days
    group by realm, kind, reason
),

decided as (
    select
        realm,
        sum(trades + trades_refused) as trades,
        sum(offers_made + offers_refused) as offers_decided,
        sum(adjustments + adjustments_refused) as adjustments_decided
    from lake.haggle.day_figures
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
        when 'offer' then decided.offers_decided
        else decided.adjustments_decided
    end as share_of_decided,
    refusals.players
from refusals
inner join decided
    on refusals.realm = decided.realm
order by refusals.realm asc, refusals.kind asc, refusals.refused desc, refusals.reason asc
