-- audit: from which event on does Kafka hold a partition?
-- grain: one row
-- counted: events of the realm that stand at an offset which is still there
-- parameters: the topic's id, the partition, the oldest offset that is there, and the realm
-- order: none
select min(sequence) as oldest_sequence
from lake.haggle.events
where kafka_topic_id = ? and kafka_partition = ? and kafka_offset >= ? and realm = ?
