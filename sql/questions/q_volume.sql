-- question: How much was exchanged on each day, and how much of it only went back and forth?
-- family: trades
-- grain: one row per realm and day with an accepted trade
-- counted: gold, and items at list value of then, that accepted trades moved, both sides; of the same pair of players,
--          on the same day, what went one way of gold or of one item cancels what went the other way
-- parameters: none
-- order: realm, day
-- column realm varchar: the unit of atomicity
-- column day date: the day (UTC)
-- column trades bigint: trades that were accepted
-- column gross_value bigint: gold value of all that was given
-- column net_value bigint: gold value of what is left of it once opposite flows have cancelled
-- column cancelled_share double: the part of the gross value that cancelled, 0 to 1; null if nothing of value was given
select
    realm,
    day,
    trades,
    gross_value,
    net_value,
    1 - net_value / nullif(cast(gross_value as double), 0) as cancelled_share
from lake.haggle.day_volumes
order by realm, day
