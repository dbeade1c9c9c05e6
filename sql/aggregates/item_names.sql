-- aggregate: what items are called
-- grain: one row per realm and item that was ever in the catalog
-- column realm varchar, key: the unit of atomicity
-- column item_id bigint, key: the item
-- column sequence bigint, max: the newest version of the catalog that has it, by its event
-- column name varchar, max by sequence: its name in that version
select
    realm,
    item_id,
    max(sequence) as sequence,
    max_by(name, sequence) as name
from lake.haggle.item_values
group by realm, item_id
