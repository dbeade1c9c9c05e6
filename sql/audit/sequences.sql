-- audit: is every event in the tables, once?
-- grain: one row
-- counted: the sequence numbers of creations (states of version 1), of decided trades, and of what became of offers;
--          an accepted offer is its trade's event
-- parameters: 1 to 3 the realm
-- order: none
with events as (
    select sequence
    from lake.haggle.trades
    where realm = ?
    union all
    select sequence
    from lake.haggle.player_states
    where realm = ? and version = 1
    union all
    select sequence
    from lake.haggle.offers
    where realm = ? and status <> 'accepted'
)

select
    count(*) as events,
    count(distinct sequence) as different,
    coalesce(min(sequence), 0) as first_sequence,
    coalesce(max(sequence), 0) as last_sequence
from events
