-- aggregate: how much of each thing every player holds
-- grain: one row per realm, player and thing: gold, and each item that it ever held
-- column realm varchar, key: the unit of atomicity
-- column player_id bigint, key: the player
-- column item_id bigint, key: the item; 0 is gold
-- column version bigint, max: the player's newest state that names the thing
-- column units bigint, max by version: gold or units held
with states as (
    select
        events.realm,
        case place.number
            when 0 then events.player_id
            when 1 then events.player_1.player_id
            else events.player_2.player_id
        end as player_id,
        case place.number
            when 0 then events.state
            when 1 then events.player_1.state
            else events.player_2.state
        end as state
    from lake.haggle.events
    cross join unnest(array[0, 1, 2]) as place (number)
    where
        case place.number
            when 0 then events.state.version
            when 1 then events.player_1.state.version
            else events.player_2.state.version
        end is not null
),

sides as (
    -- each state once for its gold, and once for its items
    select
        states.realm,
        states.player_id,
        states.state.version as version,
        states.state.gold as gold,
        side.number as number,
        case side.number when 1 then states.state.items end as items
    from states
    cross join unnest(array[0, 1]) as side (number)
)

select
    sides.realm,
    sides.player_id,
    coalesce(line.item_id, 0) as item_id,
    max(sides.version) as version,
    max_by(coalesce(line.quantity, sides.gold), sides.version) as units
from sides
left join unnest(sides.items) as line (item_id, quantity) on true
where sides.number = 0 or line.item_id is not null
group by sides.realm, sides.player_id, coalesce(line.item_id, 0)
