-- audit: how many players of each class were created?
-- grain: one row per class
-- counted: states of version 1
-- parameters: 1 realm
-- order: player_class
select
    player_class,
    count(*) as players
from lake.haggle.player_states
where realm = ? and version = 1
group by player_class
order by player_class
