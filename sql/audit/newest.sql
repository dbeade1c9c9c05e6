-- audit: how far has the lake come?
-- grain: one row
-- counted: the newest sequence number, if it is above one that is known
-- parameters: the realm, and the sequence number that is known
-- order: none
select coalesce(max(sequence), 0) as sequence
from lake.haggle.events
where realm = ? and sequence > ?
