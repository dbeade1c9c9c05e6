-- audit: does each state of a player follow from the one before it and from what was traded?
-- grain: one row per player that changed in a part of the realm's sequence
-- counted: the states of that part; what was held before the first of them, which is that state less what changed
--          with it (nothing before a creation), and what is held after the last. They follow if there is one for each
--          version and if each is, but for the last, what another one has before it: gold, item units, distinct items
--          and item value. Each hash then comes twice, but for that before the first and that after the last
-- parameters: three times the realm, the sequence number after which the part begins, and the one with which it ends
-- order: player_id
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

hashed as (
    select
        *,
        from_big_endian_64(xxhash64(
            to_big_endian_64(version)
            || to_big_endian_64(gold)
            || to_big_endian_64(item_units)
            || to_big_endian_64(distinct_items)
            || to_big_endian_64(item_value)
        )) as after_hash,
        from_big_endian_64(xxhash64(
            to_big_endian_64(version - 1)
            || to_big_endian_64(gold_before)
            || to_big_endian_64(item_units_before)
            || to_big_endian_64(distinct_items_before)
            || to_big_endian_64(item_value_before)
        )) as before_hash
    from states
),

chains as (
    select
        player_id,
        max(player_class) as player_class,
        min(version) as first_version,
        min(sequence) as first_sequence,
        min_by(gold_before, version) as gold_before,
        min_by(item_units_before, version) as item_units_before,
        min_by(distinct_items_before, version) as distinct_items_before,
        min_by(item_value_before, version) as item_value_before,
        min_by(before_hash, version) as first_hash,
        max(version) as version,
        max(sequence) as sequence,
        max_by(gold, version) as gold,
        max_by(item_units, version) as item_units,
        max_by(distinct_items, version) as distinct_items,
        max_by(item_value, version) as item_value,
        max_by(after_hash, version) as last_hash,
        count(*) as states,
        bitwise_xor(bitwise_xor_agg(before_hash), bitwise_xor_agg(after_hash)) as unpaired
    from hashed
    group by player_id
)

select
    player_id,
    first_version,
    first_sequence,
    gold_before,
    item_units_before,
    distinct_items_before,
    item_value_before,
    version,
    sequence,
    gold,
    item_units,
    distinct_items,
    item_value,
    states,
    states = version - first_version + 1 and unpaired = bitwise_xor(first_hash, last_hash) as follows
from chains
order by player_id
