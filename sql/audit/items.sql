-- audit: does each quantity of an item that a state lists follow from the one before it and from what was traded?
-- grain: one row per player and item that changed in a part of the realm's sequence
-- counted: of each, the quantity before the first change and after the last. They follow if each is, but for the last,
--          what another one has before it: each hash then comes twice, but for that before the first and that after
--          the last. A change that gave as much as it took says nothing here
-- parameters: three times the realm, the sequence number after which the part begins, and the one with which it ends
-- order: player_id, item_id
with sides as (
    select
        player_id,
        sequence,
        state.version as version,
        state.items as items,
        if(event_type = 'player_adjusted', taken.items, array[]) as given,
        if(
            event_type = 'player_adjusted',
            given.items,
            transform(
                state.items,
                held -> cast(row(held.item_id, held.quantity, 0) as row(item_id bigint, quantity bigint, value bigint))
            )
        ) as received
    from lake.haggle.events
    where event_type in ('player_created', 'player_adjusted') and realm = ? and sequence > ? and sequence <= ?
    union all
    select
        player_1.player_id,
        sequence,
        player_1.state.version as version,
        player_1.state.items as items,
        player_1.items as given,
        player_2.items as received
    from lake.haggle.events
    where event_type = 'trade_accepted' and realm = ? and sequence > ? and sequence <= ?
    union all
    select
        player_2.player_id,
        sequence,
        player_2.state.version as version,
        player_2.state.items as items,
        player_2.items as given,
        player_1.items as received
    from lake.haggle.events
    where event_type = 'trade_accepted' and realm = ? and sequence > ? and sequence <= ?
),

quantities as (
    select
        sides.player_id,
        sides.version,
        sides.sequence,
        held.item_id,
        held.quantity,
        held.quantity
        + reduce(
            sides.given,
            bigint '0',
            (units, line) -> units + if(line.item_id = held.item_id, line.quantity, 0),
            units -> units
        )
        - reduce(
            sides.received,
            bigint '0',
            (units, line) -> units + if(line.item_id = held.item_id, line.quantity, 0),
            units -> units
        )
            as quantity_before
    from sides
    cross join unnest(sides.items) as held (item_id, quantity)
),

chains as (
    select
        player_id,
        item_id,
        min_by(quantity_before, version) as quantity_before,
        max_by(quantity, version) as quantity,
        bitwise_xor(
            bitwise_xor_agg(from_big_endian_64(xxhash64(to_big_endian_64(quantity_before)))),
            bitwise_xor_agg(from_big_endian_64(xxhash64(to_big_endian_64(quantity))))
        ) as unpaired
    from quantities
    group by player_id, item_id
)

select
    player_id,
    item_id,
    quantity_before,
    quantity,
    unpaired = bitwise_xor(
        from_big_endian_64(xxhash64(to_big_endian_64(quantity_before))),
        from_big_endian_64(xxhash64(to_big_endian_64(quantity)))
    ) as follows
from chains
order by player_id, item_id
