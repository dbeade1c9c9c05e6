-- question: Which class gives how much to which, and what does it get for it?
-- family: players
-- grain: one row per realm, class and class that it traded with; trades of two classes stand in both rows
-- counted: accepted trades; value is gold, and items at list value of then. Within a class, each trade counts once, and
--          what is given is what is received
-- parameters: none
-- order: realm, player_class, partner_class
-- column realm varchar: the unit of atomicity
-- column player_class varchar: the class; unknown if the lake does not have the player's creation
-- column partner_class varchar: the class of those that it traded with
-- column trades bigint: trades between the two
-- column given_value bigint: value that players of the class gave
-- column received_value bigint: value that they got for it
-- column given_per_trade double: value given, per trade
-- column received_per_trade double: value received, per trade
-- column received_to_given double: received divided by given; null if nothing was given
with swaps as (
    select
        pairs.realm,
        coalesce(one.player_class, 'unknown') as class_1,
        coalesce(two.player_class, 'unknown') as class_2,
        sum(pairs.trades) as trades,
        sum(pairs.upward_value) as value_1,
        sum(pairs.downward_value) as value_2
    from lake.haggle.pair_edges as pairs
    left join lake.haggle.standings as one
        on pairs.realm = one.realm and pairs.lower_id = one.player_id
    left join lake.haggle.standings as two
        on pairs.realm = two.realm and pairs.higher_id = two.player_id
    group by pairs.realm, coalesce(one.player_class, 'unknown'), coalesce(two.player_class, 'unknown')
),

views as (
    select
        swaps.realm,
        if(side.number = 1, swaps.class_1, swaps.class_2) as player_class,
        if(side.number = 1, swaps.class_2, swaps.class_1) as partner_class,
        if(side.number = 1 or swaps.class_1 <> swaps.class_2, swaps.trades, 0) as trades,
        if(side.number = 1, swaps.value_1, swaps.value_2) as given_value,
        if(side.number = 1, swaps.value_2, swaps.value_1) as received_value
    from swaps
    cross join unnest(array[1, 2]) as side (number)
),

directed as (
    select
        realm,
        player_class,
        partner_class,
        sum(trades) as trades,
        sum(given_value) as given_value,
        sum(received_value) as received_value
    from views
    group by realm, player_class, partner_class
)

select
    realm,
    player_class,
    partner_class,
    trades,
    given_value,
    received_value,
    cast(given_value as double) / trades as given_per_trade,
    cast(received_value as double) / trades as received_per_trade,
    cast(received_value as double) / nullif(given_value, 0) as received_to_given
from directed
order by realm, player_class, partner_class
