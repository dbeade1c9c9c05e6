-- audit: are lines, states and accepted offers complete, and there once?
-- grain: one row
-- counted: rows and different keys of trade_lines, of player_states and of accepted offers; how many there must be,
--          which follows from the number of lines that each trade says it has, from the players, the accepted trades
--          (two states each) and the offers made and closed (one state each), and from the trades that came of offers
-- parameters: 1 to 4 the realm
-- order: none
with lines as (
    select
        count(*) as lines,
        count(distinct row(sequence, side, item_id)) as different_lines
    from lake.haggle.trade_lines
    where realm = ?
),

versions as (
    select
        count(*) as states,
        count(distinct version) as different_states,
        max(version) as last_version
    from lake.haggle.player_states
    where realm = ?
    group by player_id
),

states as (
    select
        coalesce(sum(states), 0) as states,
        coalesce(sum(different_states), 0) as different_states,
        coalesce(sum(last_version), 0) as last_versions,
        count(*) as players
    from versions
),

trades as (
    select
        count_if(status = 'accepted') as accepted,
        count_if(status = 'accepted' and offer_id is not null) as due_accepted_offers,
        coalesce(sum(player_1_lines + player_2_lines), 0) as due_lines
    from lake.haggle.trades
    where realm = ?
),

offers as (
    select
        count_if(status in ('made', 'declined', 'cancelled', 'expired')) as made_or_closed,
        count_if(status = 'accepted') as accepted,
        count(distinct if(status = 'accepted', sequence)) as different_accepted
    from lake.haggle.offers
    where realm = ?
)

select
    lines.lines,
    lines.different_lines,
    trades.due_lines,
    states.states,
    states.different_states,
    states.last_versions,
    offers.accepted as accepted_offers,
    offers.different_accepted as different_accepted_offers,
    trades.due_accepted_offers,
    states.players + 2 * trades.accepted + offers.made_or_closed as due_states
from lines
cross join states
cross join trades
cross join offers
