-- question: Where do items come from, and from which class to which do they go?
-- family: items and prices
-- grain: one row per realm, item and class of which a player was given the item, lost it or traded it
-- counted: units that creations brought, that accepted adjustments gave and took, and that accepted trades moved. What
--          moves within a class counts as given and as got, so that the net of all classes together is 0
-- parameters: none
-- order: realm, item_id, player_class
-- column realm varchar: the unit of atomicity
-- column item_id bigint: the item
-- column name varchar: its name; null if it was in no catalog
-- column player_class varchar: the class; unknown if the lake does not have the player's creation
-- column given bigint: units that creations and the game gave players of the class
-- column taken bigint: units that the game took from them
-- column traded_away bigint: units that they gave in trades
-- column traded_in bigint: units that they got in trades
-- column net_traded bigint: got less given in trades: above 0, the item goes to the class; below, it comes from there
-- column remaining bigint: given less taken and with the net of trades: what is left with the class
with flows as (
    select
        flows.realm,
        flows.item_id,
        coalesce(standings.player_class, 'unknown') as player_class,
        sum(flows.given) as given,
        sum(flows.taken) as taken,
        sum(flows.traded_away) as traded_away,
        sum(flows.traded_in) as traded_in
    from lake.haggle.item_flows as flows
    left join lake.haggle.standings as standings
        on flows.realm = standings.realm and flows.player_id = standings.player_id
    group by flows.realm, flows.item_id, coalesce(standings.player_class, 'unknown')
)

select
    flows.realm,
    flows.item_id,
    names.name,
    flows.player_class,
    flows.given,
    flows.taken,
    flows.traded_away,
    flows.traded_in,
    flows.traded_in - flows.traded_away as net_traded,
    flows.given - flows.taken + flows.traded_in - flows.traded_away as remaining
from flows
left join lake.haggle.item_names as names
    on flows.realm = names.realm and flows.item_id = names.item_id
order by flows.realm, flows.item_id, flows.player_class
