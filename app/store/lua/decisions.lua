--[[ What was decided, by the names of commands, so that none has two effects.

Of each decision there is a record of RECORD_BYTES for a day at least, and of most the whole answer for some minutes.

Records stand in hashes so small that Redis packs each into one string: `decided:<generation>:<shard>`, by a digest of the
command's name, which also says which shard. `sweep` goes through all shards once in SWEEP_S and removes what is too old.
When the shards are full, the next generation begins, with twice as many; the sweep moves the old one's records into it.
So a name is looked for once, or twice while records move.

Whole answers stand in a hash for each minute, `answers:<minute>`, by sequence number. ]]

local FIRST_SHARDS, MOST_SHARDS = 16384, 4194304
-- of 12 to 24 records each: more would save little memory, and each is gone through to find one
local SHARD_FULL = 24
-- of a generation; the first sequence is about that of its oldest record
local NUMBER, SHARDS, FIRST_SEQUENCE = 1, 2, 3
-- fingerprint, sequence, when it was decided in µs since 1970, and why it was refused: its place in REASONS, or 0
local RECORD, RECORD_BYTES = '>c' .. FINGERPRINT_BYTES .. 'I7I7B', FINGERPRINT_BYTES + 15

-- ---------------------------------------------------------------- where records and answers stand

local function answers_key(realm, minute)
  return realm.keys[ANSWERS_PREFIX] .. minute
end

local function shard_key(realm, generation, shard)
  return realm.keys[DECIDED_PREFIX] .. generation[NUMBER] .. ':' .. shard
end

--[[ The shard of a digest. Callers choose names, so they could choose digests of one shard and make it large; but they do
not know the realm's two factors of 20 bits. (All sums are below 2^53, exact in a double.) ]]
local function shard_of(realm, generation, digest)
  local one, two = struct.unpack('>I4I4', digest)
  local retained = realm.retained
  return math.floor((one * retained.factor_1 + two * retained.factor_2) / 65536) % generation[SHARDS]
end

-- Two odd numbers below 2^20 that nobody outside can know.
local function new_factors()
  local secret = redis.sha1hex(redis.call('INFO', 'server'))
  return tonumber(string.sub(secret, 1, 5), 16) % 524288 * 2 + 1, tonumber(string.sub(secret, 6, 10), 16) % 524288 * 2 + 1
end

-- The shard of the newest generation, where a digest is looked for and then written.
local function newest_shard(realm, digest)
  local key = realm.shards[digest]
  if not key then
    local generations = realm.retained.generations
    local newest = generations[#generations]
    key = shard_key(realm, newest, shard_of(realm, newest, digest))
    realm.shards[digest] = key
  end
  return key
end

-- Begins the next generation if the newest one is full.
local function open_generation(realm)
  local generations = realm.retained.generations
  local newest = generations[#generations]
  local records = (realm.sequence_before or realm.sequence) - newest[FIRST_SEQUENCE]
  if records < newest[SHARDS] * SHARD_FULL or newest[SHARDS] >= MOST_SHARDS then return end
  local following = {newest[NUMBER] + 1, newest[SHARDS] * 2, newest[FIRST_SEQUENCE]}
  -- the sweep begins again, to move what there is
  if #generations == 1 then realm.retained.next_shard = 0 end
  generations[#generations + 1] = following
  realm.retained.is_changed, realm.shards = true, {}
end

-- ---------------------------------------------------------------- retained

--[[ What there is of records and answers: MessagePack of {oldest minute, next shard to sweep, when the one before it was
swept, generations, both factors of shards}. The oldest generation is the one that is swept. ]]
function read_retained(packed, seconds, sequence)
  if not packed then
    local factor_1, factor_2 = new_factors()
    return {minute = minute_of(seconds * 1e6), next_shard = 0, swept_s = seconds,
      generations = {{1, FIRST_SHARDS, sequence}}, factor_1 = factor_1, factor_2 = factor_2, is_changed = true}
  end
  local fields = cmsgpack.unpack(packed)
  return {minute = fields[1], next_shard = fields[2], swept_s = fields[3], generations = fields[4], factor_1 = fields[5],
    factor_2 = fields[6]}
end

local function write_retained(realm)
  local retained = realm.retained
  if not retained.is_changed then return end
  redis.call('SET', realm.keys[RETAINED_KEY],
    cmsgpack.pack({retained.minute, retained.next_shard, retained.swept_s, retained.generations, retained.factor_1,
      retained.factor_2}))
end

-- ---------------------------------------------------------------- keeping

local function packed_record(fingerprint, sequence, occurred_us, reason)
  return struct.pack(RECORD, fingerprint, sequence, occurred_us, reason and REASON_PLACES[reason] or 0)
end

local function read_record(packed)
  local fingerprint, sequence, occurred_us, reason = struct.unpack(RECORD, packed)
  return {fingerprint = fingerprint, sequence = sequence, occurred_us = occurred_us, reason = REASONS[reason]}
end

-- Notes in memory what was decided last; `answer` may be left out, and `number` takes the sequence's place if it is given.
local function keep_decision(realm, digest, fingerprint, reason, answer, number)
  local place = #realm.digests + 1
  realm.digests[place], realm.decided[digest] = digest, place
  realm.records[place] = packed_record(fingerprint, number or realm.sequence, realm.occurred_us, reason)
  realm.sequences[place], realm.answers[place] = realm.sequence, answer or false
end

-- What was noted of a decision of this call, or nil.
local function decided_here(realm, digest)
  local place = realm.decided[digest]
  if not place then return nil end
  local record = read_record(realm.records[place])
  record.answer = realm.answers[place]
  return record
end

local function write_decisions(realm)
  open_generation(realm)
  local answers = {}
  for place, digest in ipairs(realm.digests) do
    redis.call('HSET', newest_shard(realm, digest), digest, realm.records[place])
    if realm.answers[place] then
      answers[#answers + 1] = integer_text(realm.sequences[place])
      answers[#answers + 1] = realm.answers[place]
    end
  end
  if #answers > 0 then redis.call('HSET', answers_key(realm, realm.minute), unpack(answers)) end
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
  answer[ANSWER_PREVIOUS_1], answer[ANSWER_PREVIOUS_MINUTE_1] = after_commit(answer[ANSWER_PREVIOUS_1],
    answer[ANSWER_PREVIOUS_MINUTE_1], base, occurred_us)
  answer[ANSWER_PREVIOUS_2], answer[ANSWER_PREVIOUS_MINUTE_2] = after_commit(answer[ANSWER_PREVIOUS_2],
    answer[ANSWER_PREVIOUS_MINUTE_2], base, occurred_us)
  record.answer = cmsgpack.pack(answer)
  redis.call('HSET', shard, digest, packed_record(fingerprint, record.sequence, occurred_us))
  local minute = minute_of(record.occurred_us)
  -- a minute that has been forgotten would never be again
  if minute >= realm.retained.minute then
    redis.call('HSET', answers_key(realm, minute), integer_text(record.sequence), record.answer)
  end
  redis.call('HDEL', staged_decisions, digest)
  return record
end

-- The record of a command, or nil. A call finds what it has itself decided.
local function find_decision(realm, digest)
  local generations, found = realm.retained.generations, decided_here(realm, digest)
  local place = #generations
  while not found and place > 0 do
    local shard = place == #generations and newest_shard(realm, digest)
      or shard_key(realm, generations[place], shard_of(realm, generations[place], digest))
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

-- MessagePack of four times false
local NO_PREVIOUS = '\194\194\194\194'

-- Puts an answer together from what is packed already; both players are as they are now.
local function make_answer(realm, sequence, occurred_at, body, one, two, previous)
  return ANSWER_HEAD .. cmsgpack.pack(sequence, occurred_at) .. body
    .. packed_or_nobody(realm, one.player_id) .. packed_or_nobody(realm, two.player_id) .. (previous or NO_PREVIOUS)
end

-- The names of both players of a packed answer, for a reply.
local function names_in_answer(realm, answer)
  if not answer then return false, false end
  local body = cmsgpack.unpack(answer)[ANSWER_BODY]
  return names_of(realm, body[BODY_PLAYER_1][SIDE_BODY_PLAYER_ID]), names_of(realm, body[BODY_PLAYER_2][SIDE_BODY_PLAYER_ID])
end

-- ---------------------------------------------------------------- functions

-- The strings of `size` bytes that one is made of.
local function split(text, size)
  local parts = {}
  for first = 1, #text, size do parts[#parts + 1] = string.sub(text, first, first + size - 1) end
  return parts
end

--[[ decisions: what is known of commands. O(digests).
ARGV  4 their digests, one after the other
Returns for each {fingerprint, sequence, occurred_at, reason or '', whole answer or ''}, or false; then the names of both
players of each answer, or false and false. ]]
local function decisions(keys, args)
  local realm, list, names = read_realm(keys, args), {}, {}
  for i, digest in ipairs(split(args[4], DIGEST_BYTES)) do
    local record = find_decision(realm, digest)
    local answer = record and whole_answer(realm, record)
    list[i] = record and {record.fingerprint, record.sequence, time_text(record.occurred_us), record.reason or '',
      answer or ''} or false
    names[2 * i - 1], names[2 * i] = names_in_answer(realm, answer)
  end
  return {list, names}
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

-- ---------------------------------------------------------------- sweeping

local MOST_SHARDS_AT_ONCE = 50

-- What is to be kept under a digest, or nil if it is a record from before `before_us` or what a batch left that was given
-- up; the mark of a batch that is open stays.
local function kept(realm, shard, digest, stored, before_us)
  local record
  if #stored == RECORD_BYTES then
    record = read_record(stored)
  else
    local status = redis.call('HGET', batch_keys(realm, stored), 'status')
    if status == 'open' then return stored end
    record = finish_decision(realm, shard, digest, stored)
    stored = record and packed_record(record.fingerprint, record.sequence, record.occurred_us)
  end
  if not record or record.occurred_us >= before_us then return stored end
  local oldest = realm.retained.generations[1]
  oldest[FIRST_SEQUENCE] = math.max(oldest[FIRST_SEQUENCE], record.sequence)
  return nil
end

-- Removes from a shard what is not to be kept.
local function sweep_shard(realm, key, before_us)
  local entries = redis.call('HGETALL', key)
  for i = 1, #entries, 2 do
    if not kept(realm, key, entries[i], entries[i + 1], before_us) then redis.call('HDEL', key, entries[i]) end
  end
end

-- Moves what is to be kept from a shard to those of the newest generation.
local function move_shard(realm, key, before_us)
  local generations, entries = realm.retained.generations, redis.call('HGETALL', key)
  local newest = generations[#generations]
  for i = 1, #entries, 2 do
    local digest = entries[i]
    local stored = kept(realm, key, digest, entries[i + 1], before_us)
    if stored then redis.call('HSET', shard_key(realm, newest, shard_of(realm, newest, digest)), digest, stored) end
  end
  redis.call('UNLINK', key)
end

-- How many shards are due: as many as the time since the last of them is of SWEEP_S.
local function due_shards(realm, shards)
  return math.min(math.floor((realm.seconds - realm.retained.swept_s) * shards / SWEEP_S), MOST_SHARDS_AT_ONCE)
end

-- Goes on with the oldest generation, which after its last shard is gone or begins again; returns how many shards it was.
local function sweep(realm, keep_s)
  local retained, before_us = realm.retained, (realm.seconds - keep_s) * 1e6
  local oldest, is_moved = retained.generations[1], #retained.generations > 1
  local shards = oldest[SHARDS]
  local number = math.min(is_moved and MOST_SHARDS_AT_ONCE or due_shards(realm, shards), shards - retained.next_shard)
  for shard = retained.next_shard, retained.next_shard + number - 1 do
    (is_moved and move_shard or sweep_shard)(realm, shard_key(realm, oldest, shard), before_us)
  end
  retained.swept_s = is_moved and realm.seconds or retained.swept_s + number * SWEEP_S / shards
  retained.next_shard = (retained.next_shard + number) % shards
  if is_moved and retained.next_shard == 0 then table.remove(retained.generations, 1) end
  return number
end

--[[ forget_old: removes records and whole answers that are kept no longer. O(what it removes or looks at).
ARGV  4 how long records are kept in seconds, 5 how long whole answers are, 6 most minutes of answers to remove
Returns how many minutes of answers and shards of records it went through: call it again soon while that is many. ]]
local function forget_old(keys, args)
  local realm = open_realm(keys, args)
  local answers = forget_answers(realm, tonumber(args[5]), tonumber(args[6]))
  local shards = sweep(realm, tonumber(args[4]))
  realm.retained.is_changed = answers + shards > 0
  write_retained(realm)
  return answers + shards
end
