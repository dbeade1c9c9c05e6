-- audit: up to which offset of a partition has the lake landed?
-- grain: one row
-- counted: rows of all realms
-- parameters: the topic's id, the partition, and the least offset to look at
-- order: none
select coalesce(max(kafka_offset), -1) as newest_offset
from lake.haggle.events
where kafka_topic_id = ? and kafka_partition = ? and kafka_offset >= ?
