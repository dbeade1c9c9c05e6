-- audit: which records of a part of a partition are in the lake?
-- grain: one row
-- counted: the realm's rows, their different offsets, and the dead letters among them
-- parameters: the topic's id, the partition, the first and the last offset, and twice the realm
-- order: none
select
    count(*) as records,
    count(distinct kafka_offset) as different,
    count_if(dead_letter is not null) as dead_letters
from lake.haggle.events
where
    kafka_topic_id = ? and kafka_partition = ? and kafka_offset >= ? and kafka_offset <= ?
    and (realm = ? or kafka_key = to_utf8(?))
