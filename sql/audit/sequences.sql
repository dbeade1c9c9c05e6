-- audit: is every event in the tables, once?
-- grain: one row
-- counted: the sequence numbers of creations (states of version 1) and of decided trades
-- parameters: 1 realm, 2 the same realm
-- order: none
with events as (
    select sequence
    from lake.haggle.trades
    where realm = ?
    union all
    select sequence
    from lake.haggle.player_states
    where realm = ? and version = 1
)

select
    count(*) as events,
    count(distinct sequence) as different,
    coalesce(min(sequence), 0) as first_sequence,
    coalesce(max(sequence), 0) as last_sequence
from events
