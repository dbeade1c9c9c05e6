-- audit: how many records were not valid events, and why?
-- grain: one row per reason
-- counted: rows, and different places in Kafka
-- parameters: the topic
-- order: reason
select
    reason,
    count(*) as dead_letters,
    count(distinct row(topic_id, partition, "offset")) as different
from lake.haggle.dead_letters
where topic = ?
group by reason
order by reason
