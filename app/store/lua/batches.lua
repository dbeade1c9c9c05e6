--[[ Batches that are decided together: all trades are accepted, or none is.

A small one is decided in one call. One that is too large for it takes `stage` call by call, then `commit` in one short
step, then `finish_batch` call by call. Staging decides trades on copies of the players, and marks each player and each
name with the batch. Who comes upon a mark of a batch that is still open gives that batch up and goes on, so
nobody waits; who comes upon one of a committed batch first makes that key what the batch left it (players.lua, decisions.lua). So the
commit is one status, and whatever ends afterwards, everyone sees all of the batch. ]]

-- Refuses all trades that have no answer yet: the one at `culprit` for `reason`, the others for its sake.
local function refuse_all(realm, list, results, culprit, reason)
  for i, trade in ipairs(list) do
    results[i] = results[i] or decided(realm, trade, i == culprit and reason or 'batch_refused')
  end
end

-- Decides all trades of the list, or refuses all for the sake of the first that is refused.
local function decide_all(realm, list)
  local first, results = realm.sequence, {}
  for i, trade in ipairs(list) do
    results[i] = decided(realm, trade)
    local reason = results[i][REASON]
    if reason ~= '' then
      forget(realm, first)
      results = {}
      refuse_all(realm, list, results, i, reason)
      return results
    end
  end
  return results
end

-- Of a batch of which some trades have answers and none was refused: one that was accepted without the rest.
local function accepted_without_the_rest(list, results)
  for i, trade in ipairs(list) do
    if results[i] then return trade[TRADE_ID] end
  end
end

--[[ all_or_nothing: decides trades together; no trade_id twice. A repeat of a batch gets its results; with a part of its
trades refused before, the rest is refused too.
ARGV  4 MessagePack of the trades, 5 their digests and fingerprints
Returns what `trades` returns, or {'mismatch', trade_id} if one had other content or was accepted without the rest. ]]
local function all_or_nothing(keys, args)
  local realm, list = open_realm(keys, args), read_trades(args[4], args[5])
  local results, due, refused, other = find_decided(realm, list)
  if due > 0 and due < #list and refused == 0 then other = other or accepted_without_the_rest(list, results) end
  if other then return {'mismatch', other} end
  if due > 0 and not has_room(realm, due) then return {'outbox_full'} end
  if refused > 0 then
    refuse_all(realm, list, results)
  elseif due > 0 then
    results = decide_all(realm, list)
  end
  write_all(realm)
  return reply(results)
end

--[[ refuse_trades: refuses the next trades of a large batch.
ARGV  4 and 5 as of `all_or_nothing`, 6 which of the trades was refused, or 0, 7 the reason
Returns what `trades` returns, or {'mismatch', trade_id}. ]]
local function refuse_trades(keys, args)
  local realm, list, culprit, reason = open_realm(keys, args), read_trades(args[4], args[5]), tonumber(args[6]), args[7]
  local results, due, _, other = find_decided(realm, list)
  if other then return {'mismatch', other} end
  if due > 0 and not has_room(realm, due) then return {'outbox_full'} end
  refuse_all(realm, list, results, culprit, reason)
  write_all(realm)
  return reply(results)
end

-- ---------------------------------------------------------------- too large for one call

local function mark_player(realm, player_id, batch_id)
  local key = player_key(realm, player_id)
  local player = cmsgpack.unpack(redis.call('GET', key))
  player[BATCH] = batch_id
  redis.call('SET', key, cmsgpack.pack(player))
end

-- Writes what a call has staged, which is forgotten if the batch is not committed in time.
local function write_staged(realm, batch_id)
  local key, staged_players, staged_decisions, staged_events = batch_keys(realm, batch_id)
  for player_id in pairs(realm.players) do
    redis.call('HSET', staged_players, player_id, realm.packed[player_id])
    mark_player(realm, player_id, batch_id)
  end
  open_generation(realm)
  for _, digest in ipairs(realm.digests) do
    local record = decided_here(realm, digest)
    local staged = cmsgpack.pack({record.sequence, record.fingerprint, cmsgpack.unpack(record.answer)})
    redis.call('HSET', staged_decisions, digest, staged)
    redis.call('HSET', newest_shard(realm, digest), digest, batch_id)
  end
  write_retained(realm)
  redis.call('RPUSH', staged_events, #realm.bodies, packed_list(realm.bodies))
  for _, staged in ipairs({key, staged_players, staged_decisions, staged_events}) do
    redis.call('EXPIRE', staged, STAGING_TTL_S)
  end
end

-- Whether a batch may go on: nobody has given it up, and it is still decided by the catalog that it began with.
local function is_open(realm, key)
  local fields = redis.call('HMGET', key, 'status', 'catalog')
  return fields[1] == 'open' and fields[2] == realm.catalog_tag
end

--[[ stage: decides the next trades of a batch.
ARGV  4 and 5 as of `all_or_nothing`, 6 batch_id, 7 number of trades staged before
Returns {'staged'}, {'refused', which of these trades, reason} or {'aborted'}: start again. ]]
local function stage(keys, args)
  local realm, list, batch_id, offset = open_realm(keys, args), read_trades(args[4], args[5]), args[6], tonumber(args[7])
  local key, staged_players, staged_decisions, staged_events = batch_keys(realm, batch_id)
  if offset == 0 then redis.call('HSET', key, 'status', 'open', 'catalog', realm.catalog_tag) end
  if not is_open(realm, key) then return {'aborted'} end
  realm.staged_players, realm.sequence_before, realm.sequence = staged_players, realm.sequence, offset
  for i, trade in ipairs(list) do
    local reason = find_decision(realm, trade[TRADE_DIGEST]) and 'decided' or decide(realm, trade)
    if reason then
      redis.call('DEL', key, staged_players, staged_decisions, staged_events)
      return reason == 'decided' and {'aborted'} or {'refused', i, reason}
    end
  end
  write_staged(realm, batch_id)
  return {'staged'}
end

--[[ commit: makes a staged batch true, at once. O(calls of `stage`).
ARGV  4 batch_id, 5 number of its trades
Returns {'committed', sequence before its first event, occurred_at}, {'aborted'} or {'outbox_full'}. ]]
local function commit(keys, args)
  local realm, batch_id, trade_count = open_realm(keys, args), args[4], tonumber(args[5])
  local key, staged_players, staged_decisions, staged_events = batch_keys(realm, batch_id)
  if not is_open(realm, key) then return {'aborted'} end
  if not has_room(realm, trade_count) then return {'outbox_full'} end
  local base, chunks = realm.sequence, redis.call('LRANGE', staged_events, 0, -1)
  for i = 1, #chunks, 2 do
    realm.sequence = realm.sequence + tonumber(chunks[i])
    redis.call('XADD', keys[OUTBOX_KEY], integer_text(realm.sequence) .. '-0', 'occurred_at', realm.occurred_at,
      'events', chunks[i + 1])
  end
  redis.call('SET', keys[SEQUENCE_KEY], realm.sequence)
  redis.call('HSET', key, 'status', 'committed', 'base', base, 'occurred_us', integer_text(realm.occurred_us))
  for _, staged in ipairs({key, staged_players, staged_decisions}) do redis.call('PERSIST', staged) end
  redis.call('DEL', staged_events)
  return {'committed', base, realm.occurred_at}
end

--[[ finish_batch: makes players and decisions what a committed batch left them.
ARGV  4 batch_id, 5 MessagePack of player_ids, 6 digests of trade_ids, one after the other ]]
local function finish_batch(keys, args)
  local realm, batch_id = open_realm(keys, args), args[4]
  for _, player_id in ipairs(cmsgpack.unpack(args[5])) do load_player(realm, player_id) end
  for _, digest in ipairs(split(args[6], DIGEST_BYTES)) do find_decision(realm, digest) end
  local key, staged_players, staged_decisions = batch_keys(realm, batch_id)
  if redis.call('EXISTS', staged_players, staged_decisions) == 0 then redis.call('DEL', key) end
  return {'finished'}
end
