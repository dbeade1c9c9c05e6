-- audit: which quantities that states of some players list do not follow from the one before?
-- grain: one row per state and item
-- counted: quantities that are not the one before with what changed
-- parameters: three times the realm, the sequence number after which a part of the sequence begins, and the one with
--             which it ends; then the players
-- order: sequence, item_id
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

pairs as (
    select
        *,
        lag(quantity) over (partition by player_id, item_id order by version, sequence) as previous
    from quantities
    where contains(?, player_id)
)

select
    player_id,
    item_id,
    version,
    sequence
from pairs
where previous <> quantity_before
order by sequence, item_id
