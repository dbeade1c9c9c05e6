-- figure: the pairs of players that traded most with each other
-- grain: one row per realm and pair, of the 30 that had most trades
-- counted: accepted trades; of as many, those of more value come first. pairs: how many pairs there are in all
-- parameters: none
-- order: realm, most trades first, then most value, then players
with ranked as (
    select
        realm,
        lower_id,
        higher_id,
        trades,
        upward_value + downward_value as value,
        upward_value > 0 and downward_value > 0 as two_way,
        count(*) over (partition by realm) as pairs,
        row_number() over (
            partition by realm
            order by trades desc, upward_value + downward_value desc, lower_id asc, higher_id asc
        ) as place
    from lake.haggle.pair_edges
)

select
    realm,
    lower_id,
    higher_id,
    trades,
    value,
    two_way,
    pairs
from ranked
where place <= 30
order by realm asc, place asc
