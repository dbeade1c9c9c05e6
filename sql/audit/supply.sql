-- audit: what did the game bring into the world and take out of it, in a part of the realm's sequence?
-- grain: one row per thing; item_id 0 is gold
-- counted: the states of creations, and what accepted adjustments gave, less what they took
-- parameters: three times the realm, the sequence number after which the part begins, and the one with which it ends
-- order: item_id
with brought as (
    select
        array[row(0, state.gold)] || state.items as things,
        1 as sign
    from lake.haggle.events
    where event_type = 'player_created' and realm = ? and sequence > ? and sequence <= ?
    union all
    select
        array[row(0, given.gold)] || transform(given.items, line -> row(line.item_id, line.quantity)) as things,
        1 as sign
    from lake.haggle.events
    where event_type = 'player_adjusted' and realm = ? and sequence > ? and sequence <= ?
    union all
    select
        array[row(0, taken.gold)] || transform(taken.items, line -> row(line.item_id, line.quantity)) as things,
        -1 as sign
    from lake.haggle.events
    where event_type = 'player_adjusted' and realm = ? and sequence > ? and sequence <= ?
)

select
    thing.item_id,
    sum(brought.sign * thing.amount) as amount
from brought
cross join unnest(brought.things) as thing (item_id, amount)
group by thing.item_id
having sum(brought.sign * thing.amount) <> 0
order by thing.item_id
