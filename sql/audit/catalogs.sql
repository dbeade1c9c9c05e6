-- audit: what was each item worth, from which event on?
-- grain: one row per version of the catalog and item
-- parameters: the realm, and the sequence number with which to end
-- order: sequence, item_id
select
    sequence,
    item_id,
    value
from lake.haggle.item_values
where realm = ? and sequence <= ?
order by sequence, item_id
