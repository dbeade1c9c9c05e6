-- figure: how diverse the most diverse inventory of each player was
-- grain: one row per realm and number of different items
-- counted: players, by the most different items that each ever held at once
-- parameters: none
-- order: realm, distinct_items
with best as (
    select
        realm,
        player_id,
        max(distinct_items) as distinct_items
    from lake.haggle.player_states
    group by realm, player_id
)

select
    realm,
    distinct_items,
    count(*) as players
from best
group by realm, distinct_items
order by realm, distinct_items
