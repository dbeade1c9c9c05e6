-- figure: the greatest item gold value that a player of each class ever held
-- grain: one row per class
-- counted: every state that a player was ever in
-- parameters: 1 realm, 2 the same realm
-- order: most valuable first, then class
with best as (
    select
        player_id,
        max(item_value) as item_value
    from lake.haggle.player_states
    where realm = ?
    group by player_id
)

select
    created.player_class,
    max(best.item_value) as item_value
from best
inner join lake.haggle.player_states as created
    on best.player_id = created.player_id
where created.realm = ? and created.version = 1
group by created.player_class
order by item_value desc, created.player_class asc
