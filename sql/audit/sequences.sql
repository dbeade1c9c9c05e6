-- audit: is every event of a part of the realm's sequence in the lake, once?
-- grain: one row
-- counted: rows, and different sequence numbers
-- parameters: the realm, the sequence number after which the part begins, and the one with which it ends
-- order: none
select
    count(*) as events,
    count(distinct sequence) as different
from lake.haggle.events
where realm = ? and sequence > ? and sequence <= ?
