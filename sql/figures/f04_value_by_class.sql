-- figure: the greatest item gold value that a player of each class ever held
-- grain: one row per realm and class
-- counted: every state that a player was ever in
-- parameters: none
-- order: realm, most valuable first, then class
with best as (
    select
        realm,
        player_id,
        -- the state at creation alone names the class
        max(player_class) as player_class,
        max(item_value) as item_value
    from lake.haggle.player_states
    group by realm, player_id
)

select
    realm,
    player_class,
    max(item_value) as item_value
from best
group by realm, player_class
order by realm asc, item_value desc, player_class asc
