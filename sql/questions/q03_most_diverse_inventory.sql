-- question: Who ever held the most diverse inventory (most different items at once)?
-- grain: one row per player that ever reached the highest value; ties are all shown
-- counted: every state that a player was ever in, the state at creation included; the first time it was reached
-- parameters: 1 realm, 2 the same realm
-- order: who reached it first, then player_id
with states as (
    select
        player_id,
        version,
        sequence,
        occurred_at,
        distinct_items,
        max(distinct_items) over () as highest
    from lake.haggle.player_states
    where realm = ?
),

reached as (
    select
        player_id,
        max(distinct_items) as distinct_items,
        min(sequence) as sequence,
        min(version) as version,
        min_by(occurred_at, sequence) as occurred_at
    from states
    where distinct_items = highest
    group by player_id
)

select
    reached.player_id,
    created.username,
    created.player_class,
    reached.distinct_items,
    reached.version,
    reached.occurred_at
from reached
inner join lake.haggle.player_states as created
    on reached.player_id = created.player_id
where created.realm = ? and created.version = 1
order by reached.sequence, reached.player_id
