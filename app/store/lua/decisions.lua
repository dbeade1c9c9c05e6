--[[ What was decided, by the names of commands, so that none has two effects.

Of each decision there is a record of RECORD_BYTES for a day at least, and of most the whole answer for some minutes.

Records stand in hashes so small that Redis packs each into one string: `decided:<segment>:<shard>`, by a digest of the
command's name, which also says which shard. A segment is a span of time; it ends after SEGMENT_S, or sooner when its
shards are full, and the next one has as many shards as its records will need. So a name is looked for once in each of
the few segments of a day, and what is too old goes a segment at a time (`forget_old`).

Whole answers stand in a hash for each minute, `answers:<minute>`, by sequence number. ]]

local FIRST_SHARDS, MOST_SHARDS = 256, 1048576
local SHARD_TARGET, SHARD_FULL = 64, 96
-- of a segment
local NUMBER, SHARDS, FIRST_SEQUENCE, STARTED_S = 1, 2, 3, 4
-- fingerprint, sequence, when it was decided in µs since 1970, and why it was refused: its place in REASONS, or 0
local RECORD, RECORD_BYTES = '>c8I7I7B', 23

-- ---------------------------------------------------------------- where records and answers stand

local function answers_key(realm, minute)
  return realm.keys[ANSWERS_PREFIX] .. minute
end

local function shard_prefix(realm, segment)
  return realm.keys[DECIDED_PREFIX] .. segment[NUMBER] .. ':'
end

local function shard_key(realm, segment, digest)
  return shard_prefix(realm, segment) .. struct.unpack('>I4', digest) % segment[SHARDS]
end

local function shards_for(records)
  local shards = FIRST_SHARDS
  while shards < MOST_SHARDS and shards * SHARD_TARGET < records do shards = shards * 2 end
  return shards
end

-- The segment that takes new records: the newest one, or the next if that is over or full.
local function open_segment(realm)
  local segments = realm.retained.segments
  local newest = segments[#segments]
  local sequence = realm.sequence_before or realm.sequence
  local records, age_s = sequence - newest[FIRST_SEQUENCE], realm.seconds - newest[STARTED_S]
  local is_full = records >= newest[SHARDS] * SHARD_FULL and newest[SHARDS] < MOST_SHARDS
  if not is_full and age_s < SEGMENT_S then return newest end
  local shards = is_full and newest[SHARDS] * 4 or shards_for(records)
  local following = {newest[NUMBER] + 1, shards, sequence, realm.seconds}
  segments[#segments + 1] = following
  realm.retained.is_changed = true
  return following
end

-- ---------------------------------------------------------------- retained

--[[ What there is of records and answers: MessagePack of {oldest minute, next shard of the oldest segment to remove,
segments}. ]]
function read_retained(packed, seconds, sequence)
  if not packed then
    local first = {1, FIRST_SHARDS, sequence, seconds}
    return {minute = minute_of(seconds * 1e6), next_shard = 0, segments = {first}, is_changed = true}
  end
  local fields = cmsgpack.unpack(packed)
  return {minute = fields[1], next_shard = fields[2], segments = fields[3]}
end

local function write_retained(realm)
  local retained = realm.retained
  if not retained.is_changed then return end
  redis.call('SET', realm.keys[RETAINED_KEY], cmsgpack.pack({retained.minute, retained.next_shard, retained.segments}))
end

-- ---------------------------------------------------------------- keeping

local function packed_record(record)
  return struct.pack(RECORD, record.fingerprint, record.sequence, record.occurred_us,
    record.reason and REASON_PLACES[record.reason] or 0)
end

local function read_record(packed)
  local fingerprint, sequence, occurred_us, reason = struct.unpack(RECORD, packed)
  return {fingerprint = fingerprint, sequence = sequence, occurred_us = occurred_us, reason = REASONS[reason]}
end

-- Notes in memory what was decided last; `answer` may be left out.
local function keep_decision(realm, digest, fingerprint, reason, answer)
  realm.digests[#realm.digests + 1] = digest
  realm.decided[digest] = {fingerprint = fingerprint, sequence = realm.sequence, occurred_us = realm.occurred_us,
    reason = reason, answer = answer}
end

local function write_decisions(realm)
  local segment, answers = open_segment(realm), {}
  for _, digest in ipairs(realm.digests) do
    local record = realm.decided[digest]
    redis.call('HSET', shard_key(realm, segment, digest), digest, packed_record(record))
    if record.answer then
      answers[#answers + 1] = integer_text(record.sequence)
      answers[#answers + 1] = record.answer
    end
  end
  if #answers > 0 then redis.call('HSET', answers_key(realm, minute_of(realm.occurred_us)), unpack(answers)) end
  write_retained(realm)
end

-- ---------------------------------------------------------------- finding

-- Makes of a mark what a committed batch left: the record and the answer. That of another batch goes: nil.
local function finish_decision(realm, shard, digest, batch_id)
  local key, _, staged_decisions = batch_keys(realm, batch_id)
  local status = status_of(realm, batch_id)
  local staged = status == 'committed' and redis.call('HGET', staged_decisions, digest)
  if status == 'open' and realm.only_reads then return nil end
  if not staged then
    redis.call('HDEL', shard, digest)
    return nil
  end
  local committed = redis.call('HMGET', key, 'base', 'occurred_us')
  local base, occurred_us = tonumber(committed[1]), tonumber(committed[2])
  local number, fingerprint, answer = unpack(cmsgpack.unpack(staged))
  local record = {fingerprint = fingerprint, sequence = base + number, occurred_us = occurred_us}
  answer[ANSWER_SEQUENCE], answer[ANSWER_OCCURRED_AT] = record.sequence, time_text(occurred_us)
  answer[ANSWER_PREVIOUS_1] = place_after(answer[ANSWER_PREVIOUS_1], base, occurred_us)
  answer[ANSWER_PREVIOUS_2] = place_after(answer[ANSWER_PREVIOUS_2], base, occurred_us)
  record.answer = cmsgpack.pack(answer)
  redis.call('HSET', shard, digest, packed_record(record))
  redis.call('HSET', answers_key(realm, minute_of(record.occurred_us)), integer_text(record.sequence), record.answer)
  redis.call('HDEL', staged_decisions, digest)
  return record
end

-- The record of a command, or nil. A call finds what it has itself decided.
local function find_decision(realm, digest)
  local segments, found = realm.retained.segments, realm.decided[digest]
  local place = #segments
  while not found and place > 0 do
    local shard = shard_key(realm, segments[place], digest)
    local stored = redis.call('HGET', shard, digest)
    if stored and #stored == RECORD_BYTES then
      found = read_record(stored)
    elseif stored then
      found = finish_decision(realm, shard, digest, stored)
    end
    place = place - 1
  end
  return found
end

-- The whole answer of a decision, or false once it is kept no longer.
local function whole_answer(realm, record)
  return record.answer
    or redis.call('HGET', answers_key(realm, minute_of(record.occurred_us)), integer_text(record.sequence))
end

-- ---------------------------------------------------------------- answers

-- Puts an answer together from what is packed already; both players are as they are now.
local function make_answer(realm, sequence, occurred_at, body, one, two, previous_1, previous_2)
  return ANSWER_HEAD .. cmsgpack.pack(sequence, occurred_at) .. body
    .. packed_or_nobody(realm, one.player_id) .. packed_or_nobody(realm, two.player_id)
    .. cmsgpack.pack(previous_1 or false, previous_2 or false)
end

-- ---------------------------------------------------------------- functions

-- The strings of `size` bytes that one is made of.
local function split(text, size)
  local parts = {}
  for first = 1, #text, size do parts[#parts + 1] = string.sub(text, first, first + size - 1) end
  return parts
end

--[[ decisions: what is known of commands. O(digests).
ARGV  3 their digests, one after the other
Returns for each {fingerprint, sequence, occurred_at, reason or '', whole answer or ''}, or false. ]]
local function decisions(keys, args)
  local realm, list = read_realm(keys, args), {}
  for i, digest in ipairs(split(args[3], DIGEST_BYTES)) do
    local record = find_decision(realm, digest)
    list[i] = record and {record.fingerprint, record.sequence, time_text(record.occurred_us), record.reason or '',
      whole_answer(realm, record) or ''} or false
  end
  return list
end

local function forget_answers(realm, keep_s, most)
  local retained, before = realm.retained, minute_of((realm.seconds - keep_s) * 1e6)
  local minutes = {}
  while retained.minute < before and #minutes < most do
    minutes[#minutes + 1] = answers_key(realm, retained.minute)
    retained.minute = retained.minute + 1
  end
  if #minutes > 0 then redis.call('UNLINK', unpack(minutes)) end
  return #minutes
end

local function forget_records(realm, keep_s, most)
  local retained, shards = realm.retained, {}
  local oldest, following = retained.segments[1], retained.segments[2]
  if not following or following[STARTED_S] + keep_s >= realm.seconds then return 0 end
  while retained.next_shard < oldest[SHARDS] and #shards < most do
    shards[#shards + 1] = shard_prefix(realm, oldest) .. retained.next_shard
    retained.next_shard = retained.next_shard + 1
  end
  if #shards > 0 then redis.call('UNLINK', unpack(shards)) end
  if retained.next_shard == oldest[SHARDS] then
    table.remove(retained.segments, 1)
    retained.next_shard = 0
  end
  return #shards
end

--[[ forget_old: removes records and whole answers that are kept no longer. O(keys).
ARGV  3 how long records are kept in seconds, 4 how long whole answers are, 5 most keys to remove of either
Returns how many keys are gone; as many as there may be: call it again. ]]
local function forget_old(keys, args)
  local realm, most = open_realm(keys, args), tonumber(args[5])
  local answers = forget_answers(realm, tonumber(args[4]), most)
  local records = forget_records(realm, tonumber(args[3]), most)
  realm.retained.is_changed = answers + records > 0
  write_retained(realm)
  return answers + records
end
