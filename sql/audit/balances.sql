-- audit: what does each player hold, replayed from creation through every accepted trade?
-- grain: one row per player and thing held; item_id 0 is gold
-- counted: the state at creation, less what was given, plus what was received; nothing from later states
-- parameters: 1 to 5 the realm
-- order: player_id, item_id
with created as (
    select
        player_id,
        gold,
        items
    from lake.haggle.player_states
    where realm = ? and version = 1
),

moved as (
    select
        trade_lines.player_id as giver,
        if(trade_lines.side = 1, trades.player_2_id, trades.player_1_id) as receiver,
        trade_lines.item_id,
        trade_lines.quantity
    from lake.haggle.trade_lines
    inner join lake.haggle.trades
        on trade_lines.sequence = trades.sequence
    where trade_lines.realm = ? and trades.realm = ? and trades.status = 'accepted'
    union all
    select
        player_1_id as giver,
        player_2_id as receiver,
        0 as item_id,
        player_1_gold as quantity
    from lake.haggle.trades
    where realm = ? and status = 'accepted'
    union all
    select
        player_2_id as giver,
        player_1_id as receiver,
        0 as item_id,
        player_2_gold as quantity
    from lake.haggle.trades
    where realm = ? and status = 'accepted'
),

changes as (
    select
        player_id,
        0 as item_id,
        gold as amount
    from created
    union all
    select
        created.player_id,
        held.item_id,
        held.quantity
    from created
    cross join unnest(created.items) as held (item_id, quantity)
    union all
    select
        giver as player_id,
        item_id,
        -quantity as amount
    from moved
    union all
    select
        receiver,
        item_id,
        quantity
    from moved
)

select
    player_id,
    item_id,
    sum(amount) as amount
from changes
group by player_id, item_id
having sum(amount) <> 0
order by player_id, item_id
