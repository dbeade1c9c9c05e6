-- question: How much was given for nothing, and how much of it was answered?
-- family: players
-- grain: one row per realm and day with a gift
-- counted: gifts: accepted trades in which one side gave nothing; value is gold, and items at list value of then. A
--          gift is answered if its receiver gave its giver a gift at the same moment or within 7 days of it, of
--          whatever value
-- parameters: none
-- order: realm, day
-- column realm varchar: the unit of atomicity
-- column day date: the day (UTC)
-- column gifts bigint: gifts
-- column givers bigint: different players that gave one
-- column gift_value bigint: what they were worth
-- column answered bigint: gifts that were answered
-- column answered_share double: their share of the gifts
-- column answered_value_share double: their share of the value; null if nothing had value
with answers as (
    select
        realm,
        day,
        giver_id,
        gift_value,
        -- of the pair's gifts from now to a week later, as many as are from the taker
        0 < if(
            giver_id < taker_id,
            count_if(giver_id > taker_id) over week_on,
            count_if(giver_id < taker_id) over week_on
        ) as is_answered
    from lake.haggle.gifts
    window week_on as (
        partition by realm, least(giver_id, taker_id), greatest(giver_id, taker_id)
        order by to_unixtime(occurred_at) range between current row and 604800 following
    )
)

select
    realm,
    day,
    count(*) as gifts,
    count(distinct giver_id) as givers,
    sum(gift_value) as gift_value,
    count_if(is_answered) as answered,
    cast(count_if(is_answered) as double) / count(*) as answered_share,
    sum(if(is_answered, gift_value, 0)) / nullif(cast(sum(gift_value) as double), 0) as answered_value_share
from answers
group by realm, day
order by realm, day
