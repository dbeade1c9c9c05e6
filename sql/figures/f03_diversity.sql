-- figure: how diverse the most diverse inventory of each player was
-- grain: one row per number of different items
-- counted: players, by the most different items that each ever held at once
-- parameters: 1 realm
-- order: distinct_items
with best as (
    select
        player_id,
        max(distinct_items) as distinct_items
    from lake.haggle.player_states
    where realm = ?
    group by player_id
)

select
    distinct_items,
    count(*) as players
from best
group by distinct_items
order by distinct_items
