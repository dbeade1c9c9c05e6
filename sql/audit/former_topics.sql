-- audit: up to which event did the lake come by topics before this one?
-- grain: one row
-- counted: the realm's events of other topics
-- parameters: the realm, and the topic's id
-- order: none
select coalesce(max(sequence), 0) as sequence
from lake.haggle.events
where realm = ? and kafka_topic_id <> ?
