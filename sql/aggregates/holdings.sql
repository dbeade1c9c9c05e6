-- aggregate: how much of each item every player holds
-- grain: one row per realm, player and item that it ever held
-- column realm varchar, key: the unit of atomicity
-- column player_id bigint, key: the player
-- column item_id bigint, key: the item
-- column version bigint, max: the player's newest state that names the item
-- column units bigint, max by version: units held
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
)

select
    states.realm,
    states.player_id,
    line.item_id as item_id,
    max(states.state.version) as version,
    max_by(line.quantity, states.state.version) as units
from states
cross join unnest(states.state.items) as line (item_id, quantity)
group by states.realm, states.player_id, line.item_id
