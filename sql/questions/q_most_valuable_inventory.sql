-- question: Who ever held the most valuable inventory (gold value of all items at once)?
-- family: wealth
-- grain: one row per realm and player that ever reached the highest value of the realm; ties are all shown
-- counted: every state that a player was ever in, by the catalog of then, the state at creation included; the first
--          time it was reached
-- parameters: none
-- order: realm, who reached it first, then player_id
-- column realm varchar: the unit of atomicity
-- column player_id bigint: the player
-- column username varchar: its newest name; null once it is forgotten
-- column player_class varchar: its class
-- column item_value bigint: gold value of all items held at once
-- column version bigint: the version of the player's state that first had it
-- column occurred_at timestamp(6) with time zone: when that was reached first
with ranked as (
    select
        realm,
        player_id,
        player_class,
        named_by,
        named_at,
        most_value,
        most_value_by,
        most_value_version,
        most_value_at,
        rank() over (partition by realm order by most_value desc) as place
    from lake.haggle.standings
    where most_value is not null
)

select
    ranked.realm,
    ranked.player_id,
    naming.username,
    ranked.player_class,
    ranked.most_value as item_value,
    ranked.most_value_version as version,
    ranked.most_value_at as occurred_at
-- of the events, those files alone are read that hold one of the moments: Trino looks the right side up first
from lake.haggle.events as naming
inner join ranked
    on
        naming.realm = ranked.realm
        and naming.sequence = ranked.named_by
        and naming.occurred_at = ranked.named_at
where ranked.place = 1
order by ranked.realm, ranked.most_value_by, ranked.player_id
