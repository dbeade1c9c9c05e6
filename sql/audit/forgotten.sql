-- audit: which players were forgotten, and what is left of their names in the lake's rows?
-- grain: one row per player that was forgotten
-- counted: rows of the newest snapshot that name it; `named_until` is the last event that ever did
-- parameters: the realm
-- order: forgotten_at, player_id
select
    forgotten.player_id,
    forgotten.occurred_at as forgotten_at,
    max(named.sequence) as named_until,
    count_if(named.username is not null or named.external_id is not null or named.raw is not null) as rows_with_names
from lake.haggle.events as forgotten
inner join lake.haggle.events as named
    on forgotten.realm = named.realm and forgotten.player_id = named.player_id
where
    forgotten.event_type = 'player_forgotten'
    and named.event_type in ('player_created', 'player_renamed')
    and forgotten.realm = ?
group by forgotten.player_id, forgotten.occurred_at
order by forgotten.occurred_at, forgotten.player_id
