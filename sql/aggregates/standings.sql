-- aggregate: players, by their newest state and their records
-- grain: one row per realm and player
-- column realm varchar, key: the unit of atomicity
-- column player_id bigint, key: the player
-- column version bigint, max: its newest state
-- column gold bigint, max by version: gold held
-- column item_value bigint, max by version: gold value of all items held, by the catalog of then
-- column changed_at timestamp(6) with time zone, max: when its state changed last
-- column player_class varchar, max: its class; null if the lake does not have its creation
-- column created_at timestamp(6) with time zone, min: when it was created; null if the lake does not have it
-- column wealth_at_start bigint, max: gold and items that it was created with
-- column named_by bigint, max: the event that gave it its newest name, or took it
-- column named_at timestamp(6) with time zone, max by named_by: when that was
-- column most_items bigint, max: different items at once, at the most
-- column most_items_by bigint, max by row(most_items, -most_items_by): the event that first led to it
-- column most_items_version bigint, max by row(most_items, -most_items_by): the state that first had it
-- column most_items_at timestamp(6) with time zone, max by row(most_items, -most_items_by): when that was
-- column most_value bigint, max: gold value of all items held at once, at the most
-- column most_value_by bigint, max by row(most_value, -most_value_by): the event that first led to it
-- column most_value_version bigint, max by row(most_value, -most_value_by): the state that first had it
-- column most_value_at timestamp(6) with time zone, max by row(most_value, -most_value_by): when that was
with states as (
    -- one reading of the events for all three places that a state may stand in
    select
        events.realm,
        events.sequence,
        events.occurred_at,
        events.player_class,
        events.event_type in ('player_created', 'player_renamed', 'player_forgotten') as is_naming,
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
    realm,
    player_id,
    max(state.version) as version,
    max_by(state.gold, state.version) as gold,
    max_by(state.item_value, state.version) as item_value,
    max(occurred_at) as changed_at,
    max(player_class) as player_class,
    min(occurred_at) filter (where state.version = 1) as created_at,
    max(state.gold + state.item_value) filter (where state.version = 1) as wealth_at_start,
    max(sequence) filter (where is_naming) as named_by,
    max_by(occurred_at, sequence) filter (where is_naming) as named_at,
    max(state.distinct_items) as most_items,
    max_by(sequence, row(state.distinct_items, -sequence)) as most_items_by,
    max_by(state.version, row(state.distinct_items, -sequence)) as most_items_version,
    max_by(occurred_at, row(state.distinct_items, -sequence)) as most_items_at,
    max(state.item_value) as most_value,
    max_by(sequence, row(state.item_value, -sequence)) as most_value_by,
    max_by(state.version, row(state.item_value, -sequence)) as most_value_version,
    max_by(occurred_at, row(state.item_value, -sequence)) as most_value_at
from states
group by realm, player_id
