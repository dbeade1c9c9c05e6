-- audit: what changed for whom in a part of the realm's sequence, one change of state after the other?
-- grain: one row per state that a player came to, and thing that was given, received, offered or freed with it; item_id
--        0 is gold, and there in any case
-- counted: what a creation brought, what the game or a trade gave and took, and what offers hold of it from then on
-- parameters: four times the realm, the sequence number after which the part begins, and the one with which it ends
-- order: player_id, version, item_id
with sides as (
    select
        player_id,
        state.version as version,
        case event_type
            when 'player_created' then array[row(0, state.gold)] || state.items
            when 'player_adjusted'
                then array[row(0, given.gold)] || transform(given.items, line -> row(line.item_id, line.quantity))
            else array[row(0, 0)]
        end as received,
        if(
            event_type = 'player_adjusted',
            array[row(0, taken.gold)] || transform(taken.items, line -> row(line.item_id, line.quantity)),
            array[]
        ) as given,
        cast(array[] as array(row(item_id bigint, quantity bigint))) as offered,
        0 as sign
    from lake.haggle.events
    where
        event_type in ('player_created', 'player_renamed', 'player_forgotten', 'player_adjusted')
        and realm = ? and sequence > ? and sequence <= ?
    union all
    select
        player_1.player_id,
        player_1.state.version as version,
        array[row(0, player_2.gold)] || transform(player_2.items, line -> row(line.item_id, line.quantity)) as received,
        array[row(0, player_1.gold)] || transform(player_1.items, line -> row(line.item_id, line.quantity)) as given,
        if(
            offer_id is null,
            array[],
            array[row(0, player_1.gold)] || transform(player_1.items, line -> row(line.item_id, line.quantity))
        ) as offered,
        -1 as sign
    from lake.haggle.events
    where event_type = 'trade_accepted' and realm = ? and sequence > ? and sequence <= ?
    union all
    select
        player_2.player_id,
        player_2.state.version as version,
        array[row(0, player_1.gold)] || transform(player_1.items, line -> row(line.item_id, line.quantity)) as received,
        array[row(0, player_2.gold)] || transform(player_2.items, line -> row(line.item_id, line.quantity)) as given,
        array[] as offered,
        0 as sign
    from lake.haggle.events
    where event_type = 'trade_accepted' and realm = ? and sequence > ? and sequence <= ?
    union all
    select
        player_1.player_id,
        player_1.state.version as version,
        array[row(0, 0)] as received,
        array[] as given,
        array[row(0, player_1.gold)] || transform(player_1.items, line -> row(line.item_id, line.quantity)) as offered,
        if(event_type = 'offer_made', 1, -1) as sign
    from lake.haggle.events
    where event_type in ('offer_made', 'offer_closed') and realm = ? and sequence > ? and sequence <= ?
),

amounts as (
    select
        sides.player_id,
        sides.version,
        thing.item_id,
        thing.amount,
        0 as held
    from sides
    cross join unnest(sides.received) as thing (item_id, amount)
    union all
    select
        sides.player_id,
        sides.version,
        thing.item_id,
        -thing.amount as amount,
        0 as held
    from sides
    cross join unnest(sides.given) as thing (item_id, amount)
    union all
    select
        sides.player_id,
        sides.version,
        thing.item_id,
        0 as amount,
        sides.sign * thing.amount as held
    from sides
    cross join unnest(sides.offered) as thing (item_id, amount)
)

select
    player_id,
    version,
    item_id,
    sum(amount) as amount,
    sum(held) as held
from amounts
group by player_id, version, item_id
order by player_id, version, item_id
