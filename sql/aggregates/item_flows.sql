-- aggregate: what each player was given, lost and traded of each item
-- grain: one row per realm, player and item that its creation, the game or an accepted trade gave it or took from it
-- column realm varchar, key: the unit of atomicity
-- column player_id bigint, key: the player
-- column item_id bigint, key: the item
-- column given bigint, sum: units that its creation and the game gave it
-- column taken bigint, sum: units that the game took from it
-- column traded_away bigint, sum: units that it gave in accepted trades
-- column traded_in bigint, sum: units that it got in accepted trades
with sides as (
    -- what one side gives, the other gets; of an adjustment the side without a player is the game
    select
        events.realm,
        if(side.number = 1, events.player_1.player_id, coalesce(events.player_2.player_id, events.player_id))
            as giver_id,
        if(side.number = 1, coalesce(events.player_2.player_id, events.player_id), events.player_1.player_id)
            as taker_id,
        if(
            side.number = 1,
            coalesce(events.player_1.items, events.given.items),
            coalesce(events.player_2.items, events.taken.items)
        ) as items
    from lake.haggle.events
    cross join unnest(array[1, 2]) as side (number)
    where events.event_type in ('trade_accepted', 'player_adjusted')
),

moves as (
    select
        sides.realm,
        sides.giver_id,
        sides.taker_id,
        line.item_id as item_id,
        line.quantity as units
    from sides
    cross join unnest(sides.items) as line (item_id, quantity, value)
    union all
    select
        events.realm,
        cast(null as bigint) as giver_id,
        events.player_id as taker_id,
        line.item_id as item_id,
        line.quantity as units
    from lake.haggle.events
    cross join unnest(events.state.items) as line (item_id, quantity)
    where events.event_type = 'player_created'
),

ends as (
    -- each move is seen from both its ends
    select
        moves.realm,
        if(side.number = 1, moves.giver_id, moves.taker_id) as player_id,
        moves.item_id,
        if(side.number = 2 and moves.giver_id is null, moves.units, 0) as given,
        if(side.number = 1 and moves.taker_id is null, moves.units, 0) as taken,
        if(side.number = 1 and moves.taker_id is not null, moves.units, 0) as traded_away,
        if(side.number = 2 and moves.giver_id is not null, moves.units, 0) as traded_in
    from moves
    cross join unnest(array[1, 2]) as side (number)
)

select
    realm,
    player_id,
    item_id,
    sum(given) as given,
    sum(taken) as taken,
    sum(traded_away) as traded_away,
    sum(traded_in) as traded_in
from ends
where player_id is not null
group by realm, player_id, item_id
