-- audit: what did players bring into the world with their creation, in a part of the realm's sequence?
-- grain: one row per thing; item_id 0 is gold
-- counted: the states of creations
-- parameters: the realm, the sequence number after which the part begins, and the one with which it ends
-- order: item_id
select
    thing.item_id,
    sum(thing.amount) as amount
from lake.haggle.events
cross join unnest(array[row(0, events.state.gold)] || events.state.items) as thing (item_id, amount)
where events.event_type = 'player_created' and events.realm = ? and events.sequence > ? and events.sequence <= ?
group by thing.item_id
having sum(thing.amount) <> 0
order by thing.item_id
