-- audit: which states of some players do not follow from the one before?
-- grain: one row per such state
-- counted: states whose version is not the next, whose sequence number is not later, or whose gold, item units,
--          distinct items or item value are not those of the state before with what changed
-- parameters: three times the realm, the sequence number after which a part of the sequence begins, and the one with
--             which it ends; then the players
-- order: sequence
with sides as (
    select
        player_id,
        player_class,
        sequence,
        state,
        case event_type
            when 'player_created' then state.gold
            when 'player_adjusted' then given.gold - taken.gold
            else 0
        end as gold_change,
        case event_type
            when 'player_created' then state.item_value
            when 'player_adjusted' then given.item_value - taken.item_value
            else 0
        end as value_change,
        if(event_type = 'player_adjusted', taken.items, array[]) as given,
        if(event_type = 'player_adjusted', given.items, array[]) as received
    from lake.haggle.events
    where
        event_type in ('player_created', 'player_renamed', 'player_forgotten', 'player_adjusted')
        and realm = ? and sequence > ? and sequence <= ?
    union all
    select
        player_1.player_id,
        cast(null as varchar) as player_class,
        sequence,
        player_1.state as state,
        if(event_type = 'trade_accepted', player_2.gold - player_1.gold, 0) as gold_change,
        if(event_type = 'trade_accepted', player_2.item_value - player_1.item_value, 0) as value_change,
        if(event_type = 'trade_accepted', player_1.items, array[]) as given,
        if(event_type = 'trade_accepted', player_2.items, array[]) as received
    from lake.haggle.events
    where
        event_type in ('trade_accepted', 'offer_made', 'offer_closed')
        and realm = ? and sequence > ? and sequence <= ?
    union all
    select
        player_2.player_id,
        cast(null as varchar) as player_class,
        sequence,
        player_2.state as state,
        player_1.gold - player_2.gold as gold_change,
        player_1.item_value - player_2.item_value as value_change,
        player_2.items as given,
        player_1.items as received
    from lake.haggle.events
    where event_type = 'trade_accepted' and realm = ? and sequence > ? and sequence <= ?
),

states as (
    select
        player_id,
        player_class,
        sequence,
        state.version as version,
        state.gold as gold,
        state.item_units as item_units,
        state.distinct_items as distinct_items,
        state.item_value as item_value,
        state.gold - gold_change as gold_before,
        state.item_value - value_change as item_value_before,
        -- a creation has all its units from nowhere
        if(
            player_class is not null,
            0,
            state.item_units
            + reduce(given, bigint '0', (units, line) -> units + line.quantity, units -> units)
            - reduce(received, bigint '0', (units, line) -> units + line.quantity, units -> units)
        ) as item_units_before,
        -- an item that is held now and was not before is one more
        if(
            player_class is not null,
            0,
            state.distinct_items - reduce(
                state.items,
                bigint '0',
                (items, held) -> items + if(held.quantity > 0, 1, 0) - if(
                    held.quantity
                    + reduce(
                        given,
                        bigint '0',
                        (units, line) -> units + if(line.item_id = held.item_id, line.quantity, 0),
                        units -> units
                    )
                    - reduce(
                        received,
                        bigint '0',
                        (units, line) -> units + if(line.item_id = held.item_id, line.quantity, 0),
                        units -> units
                    )
                    > 0, 1, 0
                ),
                items -> items
            )
        ) as distinct_items_before
    from sides
),

pairs as (
    select
        *,
        lag(row(version, gold, item_units, distinct_items, item_value)) over following as previous,
        lag(sequence) over following as previous_sequence
    from states
    where contains(?, player_id)
    window following as (partition by player_id order by version, sequence)
)

select
    player_id,
    version,
    sequence
from pairs
where
    previous_sequence >= sequence
    or previous <> row(version - 1, gold_before, item_units_before, distinct_items_before, item_value_before)
order by sequence
