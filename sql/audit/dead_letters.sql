-- audit: how many records were not valid events?
-- grain: one row
-- counted: rows and different places in Kafka
-- parameters: 1 topic
-- order: none
select
    count(*) as dead_letters,
    count(distinct row(partition, "offset")) as different
from lake.haggle.dead_letters
where topic = ?
