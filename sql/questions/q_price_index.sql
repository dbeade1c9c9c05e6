-- question: How did prices move from day to day?
-- family: items and prices
-- grain: one row per realm and day on which an item had 5 priced trades or more
-- counted: a chained Fisher index of unit prices (see q_price). From a day of this list to the next, the items that had
--          5 priced trades or more on both are compared: the link is the geometric mean of Laspeyres (what the units of
--          the day before cost then and now) and Paasche (what today's units cost then and now), each unit at the day's
--          mean price by units. The index is the product of the links; where nothing can be compared it stays
-- parameters: none
-- order: realm, day
-- column realm varchar: the unit of atomicity
-- column day date: the day (UTC)
-- column items_priced bigint: items with 5 priced trades or more on the day
-- column items_compared bigint: items that had as many on the day of this list before, too
-- column link double: prices of the day, divided by those of the day before; null if nothing can be compared
-- column price_index double: 100 at the first day, and from there the product of the links
with well_priced as (
    select
        realm,
        day,
        item_id,
        cast(units as double) as units,
        cast(gold as double) / units as unit_price,
        dense_rank() over (partition by realm order by day) as place
    from lake.haggle.price_days
    where priced_trades >= 5
),

neighbours as (
    select
        realm,
        day,
        units,
        unit_price,
        coalesce(place = 1 + lag(place) over (partition by realm, item_id order by place), false) as is_compared,
        lag(units) over (partition by realm, item_id order by place) as units_before,
        lag(unit_price) over (partition by realm, item_id order by place) as price_before
    from well_priced
),

links as (
    select
        realm,
        day,
        count(*) as items_priced,
        count_if(is_compared) as items_compared,
        sqrt(
            sum(if(is_compared, unit_price * units_before)) / sum(if(is_compared, price_before * units_before))
            * sum(if(is_compared, unit_price * units)) / sum(if(is_compared, price_before * units))
        ) as link
    from neighbours
    group by realm, day
)

select
    realm,
    day,
    items_priced,
    items_compared,
    link,
    100 * exp(sum(ln(coalesce(link, 1))) over (partition by realm order by day)) as price_index
from links
order by realm, day
