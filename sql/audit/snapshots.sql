-- audit: which snapshots of the table can still be asked for?
-- grain: one row per snapshot
-- parameters: none
-- order: committed_at
select committed_at
from lake.haggle."events$snapshots"  -- noqa: RF05
order by committed_at
