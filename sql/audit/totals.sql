-- audit: are the events that an earlier audit has seen still there?
-- grain: one row
-- counted: rows, and the sum of their sequence numbers
-- parameters: the realm, and the sequence number with which the part ends
-- order: none
select
    count(*) as events,
    coalesce(sum(sequence), 0) as sum_of_sequences
from lake.haggle.events
where realm = ? and sequence <= ?
