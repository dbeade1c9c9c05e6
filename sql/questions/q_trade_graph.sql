-- question: Who trades with whom: how dense, how mutual and how connected is it?
-- family: players
-- grain: one row per realm with an accepted trade
-- counted: accepted trades; two players that had one are a pair, whoever came first. Value is gold, and items at list
--          value of then. Of a pair, the part of its value that went both ways is twice what went the lesser way.
--          Components (players that are connected through pairs) are those that maintenance found last, and so are null
--          until it has run, and at a moment before it
-- parameters: none
-- order: realm
-- column realm varchar: the unit of atomicity
-- column traders bigint: players that had an accepted trade
-- column pairs bigint: pairs
-- column trades bigint: accepted trades
-- column repeat_pairs bigint: pairs with more than one trade
-- column repeat_pair_share double: their share of the pairs
-- column two_way_pairs bigint: pairs in which value went both ways, in one trade or in several
-- column two_way_pair_share double: their share of the pairs
-- column mutual_value_share double: share of all value that went both ways between its pair; null if nothing had value
-- column mean_degree double: partners of a player, in the mean
-- column greatest_degree bigint: partners of the player that has most
-- column components bigint: components
-- column largest_component bigint: players of the largest component
-- column largest_component_share double: their share of the players of all components
-- column components_sequence bigint: the newest accepted trade that the components know of
with ends as (
    select
        pairs.realm,
        endpoint.player_id,
        count(*) as degree,
        sum(pairs.trades) as trades,
        max(pairs.sequence) as newest,
        count_if(pairs.trades > 1) as repeat_pairs,
        count_if(pairs.upward_value > 0 and pairs.downward_value > 0) as two_way_pairs,
        sum(pairs.upward_value + pairs.downward_value) as pair_value,
        sum(2 * least(pairs.upward_value, pairs.downward_value)) as mutual_value
    from lake.haggle.pair_edges as pairs
    cross join unnest(array[pairs.lower_id, pairs.higher_id]) as endpoint (player_id)
    group by pairs.realm, endpoint.player_id
),

graphs as (
    -- each pair is seen from both its ends, hence the halves
    select
        realm,
        count(*) as traders,
        cast(sum(degree) / 2 as bigint) as pairs,
        cast(sum(trades) / 2 as bigint) as trades,
        cast(sum(repeat_pairs) / 2 as bigint) as repeat_pairs,
        cast(sum(two_way_pairs) / 2 as bigint) as two_way_pairs,
        cast(sum(mutual_value) as double) / nullif(sum(pair_value), 0) as mutual_value_share,
        max(degree) as greatest_degree,
        max(newest) as newest
    from ends
    group by realm
),

connected as (
    select
        realm,
        component,
        count(*) as size,
        max(sequence) as sequence
    from lake.haggle.trade_components
    group by realm, component
),

components as (
    select
        realm,
        count(*) as components,
        max(size) as largest,
        sum(size) as players,
        max(sequence) as sequence
    from connected
    group by realm
)

select
    graphs.realm,
    graphs.traders,
    graphs.pairs,
    graphs.trades,
    graphs.repeat_pairs,
    cast(graphs.repeat_pairs as double) / graphs.pairs as repeat_pair_share,
    graphs.two_way_pairs,
    cast(graphs.two_way_pairs as double) / graphs.pairs as two_way_pair_share,
    graphs.mutual_value_share,
    2e0 * graphs.pairs / graphs.traders as mean_degree,
    graphs.greatest_degree,
    components.components,
    components.largest as largest_component,
    cast(components.largest as double) / components.players as largest_component_share,
    components.sequence as components_sequence
from graphs
left join components
    on graphs.realm = components.realm and graphs.newest >= components.sequence
order by graphs.realm
