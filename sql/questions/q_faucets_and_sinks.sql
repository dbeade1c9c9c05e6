-- question: Where did gold and items come from, and where did they go?
-- family: money
-- grain: one row per realm, thing (gold, or an item) and reason for which the game gave or took it
-- counted: what creations brought and accepted adjustments gave and took. Beside it what players hold, by the newest
--          state of each (of an item: the newest that names it); what a trade moved stays among them. A thing that
--          players hold though the game never gave it has a row without a reason
-- parameters: none
-- order: realm, gold first, then item_id, reason
-- column realm varchar: the unit of atomicity
-- column item_id bigint: the item; null is gold
-- column thing varchar: gold, or the item's name; null if it was in no catalog
-- column reason varchar: creation, or the reason of the adjustments
-- column given bigint: gold or units given for this reason
-- column taken bigint: gold or units taken for this reason
-- column supply bigint: given less taken, for all reasons together
-- column held bigint: gold or units that all players hold
-- column residual bigint: supply less held: must be 0
with ledger as (
    -- item 0 is gold
    select
        realm,
        item_id,
        reason,
        given,
        taken,
        0 as held
    from lake.haggle.ledger_days
    union all
    select
        realm,
        item_id,
        cast(null as varchar) as reason,
        0 as given,
        0 as taken,
        units as held
    from lake.haggle.holdings
),

by_reason as (
    select
        realm,
        item_id,
        reason,
        sum(given) as given,
        sum(taken) as taken,
        sum(held) as held
    from ledger
    group by realm, item_id, reason
),

totals as (
    select
        realm,
        item_id,
        reason,
        given,
        taken,
        sum(given - taken) over (partition by realm, item_id) as supply,
        sum(held) over (partition by realm, item_id) as held,
        count_if(given + taken > 0) over (partition by realm, item_id) as reasons
    from by_reason
)

select
    totals.realm,
    nullif(totals.item_id, 0) as item_id,
    if(totals.item_id = 0, 'gold', names.name) as thing,
    totals.reason,
    totals.given,
    totals.taken,
    totals.supply,
    totals.held,
    totals.supply - totals.held as residual
from totals
left join lake.haggle.item_names as names
    on totals.realm = names.realm and totals.item_id = names.item_id
where totals.given + totals.taken > 0 or (totals.reason is null and totals.reasons = 0 and totals.held > 0)
order by totals.realm, totals.item_id, totals.reason
