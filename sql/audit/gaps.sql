-- audit: which sequence numbers are missing in a part of the realm's sequence?
-- grain: one row per range of missing numbers
-- counted: the numbers of the part that no row has
-- parameters: 1 and 4 the sequence number after which the part begins, 2 the one that follows its end, 3 the realm,
--             5 the one with which it ends
-- order: first_missing
with present as (
    select cast(? as bigint) as sequence
    union all
    select cast(? as bigint)
    union all
    select distinct sequence
    from lake.haggle.events
    where realm = ? and sequence > ? and sequence <= ?
),

pairs as (
    select
        sequence,
        lead(sequence) over (order by sequence) as next_sequence
    from present
)

select
    sequence + 1 as first_missing,
    next_sequence - 1 as last_missing
from pairs
where next_sequence > sequence + 1
order by first_missing
