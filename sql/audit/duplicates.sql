-- audit: which events stand more than once in a part of the realm's sequence?
-- grain: one row per sequence number
-- counted: the rows with that number
-- parameters: the realm, the sequence number after which the part begins, and the one with which it ends
-- order: sequence
select
    sequence,
    count(*) as events
from lake.haggle.events
where realm = ? and sequence > ? and sequence <= ?
group by sequence
having count(*) > 1
order by sequence
