-- question: Who ever held the most diverse inventory (most different items at once)?
-- family: wealth
-- grain: one row per realm and player that ever reached the highest value of the realm; ties are all shown
-- counted: every state that a player was ever in, the state at creation included; the first time it was reached
-- parameters: none
-- order: realm, who reached it first, then player_id
-- column realm varchar: the unit of atomicity
-- column player_id bigint: the player
-- column username varchar: its newest name; null once it is forgotten
-- column player_class varchar: its class
-- column distinct_items bigint: different items held at once
-- column version bigint: the version of the player's state that first had it
-- column occurred_at timestamp(6) with time zone: when that was reached first
with highest as (
    select
        realm,
        max(distinct_items) as distinct_items
    from lake.haggle.player_states
    group by realm
),

reached as (
    select
        states.realm,
        states.player_id,
        states.distinct_items,
        min(states.sequence) as sequence,
        min(states.version) as version,
        min_by(states.occurred_at, states.sequence) as occurred_at
    from lake.haggle.player_states as states
    inner join highest
        on states.realm = highest.realm and states.distinct_items = highest.distinct_items
    group by states.realm, states.player_id, states.distinct_items
)

select
    reached.realm,
    reached.player_id,
    players.username,
    players.player_class,
    reached.distinct_items,
    reached.version,
    reached.occurred_at
from reached
inner join lake.haggle.players
    on reached.realm = players.realm and reached.player_id = players.player_id
order by reached.realm, reached.sequence, reached.player_id
