-- aggregate: how much was exchanged on each day, and what is left of it once opposite flows have cancelled
-- grain: one row per realm and day with an accepted trade
-- column realm varchar: the unit of atomicity
-- column day date: the day (UTC)
-- column trades bigint: trades that were accepted
-- column gross_value bigint: gold value of all that was given
-- column net_value bigint: gold value of what is left once, of each pair of players, what went one way of gold or of an
--          item has cancelled what went the other way
with flows as (
    -- item 0 is gold; what the player with the lower number gives counts up, what it gets counts down
    select
        realm,
        cast(occurred_at as date) as day,
        player_1.player_id as giver_id,
        player_2.player_id as taker_id,
        cast(0 as bigint) as item_id,
        1 as trades,
        player_1.gold + player_2.gold as gross_value,
        if(
            player_1.player_id < player_2.player_id, player_1.gold - player_2.gold, player_2.gold - player_1.gold
        ) as upward_value
    from lake.haggle.events
    where event_type = 'trade_accepted'
    union all
    select
        events.realm,
        cast(events.occurred_at as date) as day,
        events.player_1.player_id as giver_id,
        events.player_2.player_id as taker_id,
        line.item_id as item_id,
        0 as trades,
        line.quantity * line.value as gross_value,
        line.quantity * line.value * if(events.player_1.player_id < events.player_2.player_id, 1, -1) as upward_value
    from lake.haggle.events
    cross join unnest(events.player_1.items) as line (item_id, quantity, value)
    where events.event_type = 'trade_accepted'
    union all
    select
        events.realm,
        cast(events.occurred_at as date) as day,
        events.player_2.player_id as giver_id,
        events.player_1.player_id as taker_id,
        line.item_id as item_id,
        0 as trades,
        line.quantity * line.value as gross_value,
        line.quantity * line.value * if(events.player_2.player_id < events.player_1.player_id, 1, -1) as upward_value
    from lake.haggle.events
    cross join unnest(events.player_2.items) as line (item_id, quantity, value)
    where events.event_type = 'trade_accepted'
),

pair_flows as (
    select
        realm,
        day,
        sum(trades) as trades,
        sum(gross_value) as gross_value,
        abs(sum(upward_value)) as net_value
    from flows
    group by realm, day, least(giver_id, taker_id), greatest(giver_id, taker_id), item_id
)

select
    realm,
    day,
    sum(trades) as trades,
    sum(gross_value) as gross_value,
    sum(net_value) as net_value
from pair_flows
group by realm, day
