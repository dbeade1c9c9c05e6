#!lua name=haggle
--[[ The rules of Haggle. Each function decides commands atomically and writes state, outbox entry and stored answers
in the same step. app/adapters/redis.py loads this library, builds all keys and calls it; reasons are those of
app/contract/reasons.py, and app/adapters/packed.py makes the events of app/contract/events.py of what is packed here.

In every function: all checks first, on players in memory, then all writes; so a refusal or a defect writes nothing
half-way. Amounts are integers of 0 … 2^53-1, which Lua's doubles hold exactly; callers check types and ranges.

KEYS of every function (a prefix ends with ':' and is followed by an id)
  1 sequence: number of events decided       2 outbox: stream     3 published: newest event that Kafka holds
  4 prefix of players   5 prefix of stored answers   6 prefix of batches in progress   7 prefix of offers
  8 prefix of each player's open offers (sorted sets)   9 when open offers expire (sorted set)   10 player counter

A player is MessagePack, see `PLAYER_ID` …: one string is read and written faster than a hash of many fields.
An outbox entry stands for one or more events: its id is <sequence of the last>-0, its fields are `occurred_at` and
`events`, MessagePack of a list of event bodies, see `exchange_body` and `create_player`.
A stored answer is MessagePack of {fingerprint, sequence, occurred_at, body of the event, player 1, player 2,
last_trade of player 1 before it, last_trade of player 2 before it}; a player that there is not is false.

A trade comes as {trade_id, fingerprint, side, side}, a side as {player_id, gold, version seen or false, whole state
seen or false, lines}, a line as {item_id, quantity, value of one unit or false (item unknown)}, an item once a side. ]]

local MAX_AMOUNT = 9007199254740991
local STAGING_TTL_S = 60

-- The text of an amount; Lua's own conversion, which `..` makes, keeps 14 digits.
local function integer_text(number)
  return number < 1e14 and number or string.format('%.0f', number)
end

-- ---------------------------------------------------------------- time

-- UTC calendar date of a day number since 1970-01-01: civil_from_days of Howard Hinnant,
-- "chrono-Compatible Low-Level Date Algorithms".
local function civil_date(days)
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local day = doy - math.floor((153 * mp + 2) / 5) + 1
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return year, month, day
end

-- A time as 2026-11-24T08:00:00.000000Z.
local function utc_text(seconds, microseconds)
  local year, month, day = civil_date(math.floor(seconds / 86400))
  local rest = seconds % 86400
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', year, month, day,
    math.floor(rest / 3600), math.floor(rest / 60) % 60, rest % 60, microseconds)
end

-- ---------------------------------------------------------------- the realm of one call

--[[ What one call knows and is about to write. ARGV of every function that decides begins with
1 outbox_max_entries, 2 answer_ttl_s. ]]
local function open_realm(keys, args)
  local counts = redis.call('MGET', keys[1], keys[3])
  local time = redis.call('TIME')
  local seconds, microseconds = tonumber(time[1]), tonumber(time[2])
  return {
    keys = keys, players = {}, packed = {}, changed = {}, bodies = {}, answers = {}, answer_ids = {},
    sequence = tonumber(counts[1] or 0), published = tonumber(counts[2] or 0),
    outbox_max_entries = tonumber(args[1]), answer_ttl_s = args[2],
    seconds = seconds, microseconds = microseconds, occurred_at = utc_text(seconds, microseconds),
  }
end

-- The realm for a call that decides nothing.
local function read_realm(keys, args)
  local realm = open_realm(keys, args)
  realm.only_reads = true
  return realm
end

local function has_room(realm, events)
  return realm.sequence - realm.published + events <= realm.outbox_max_entries
end

-- ---------------------------------------------------------------- players

--[[ Where a player's fields stand in its list, which is packed to be stored, and in answers and replies.
Units, distinct items and value (in gold) count all items; OFFERS is the number of open offers that it made, and what
those hold in escrow is HELD_GOLD and HELD, which GOLD and ITEMS count too; LAST_TRADE is its newest accepted trade or
false; BATCH marks it or is false, see `stage`. ITEMS and HELD are units by item_id, without zeros; a table whose keys
are 1 to n is packed as a list, which is the same to Lua. ]]
local PLAYER_ID, USERNAME, CLASS, CAPACITY, GOLD, VERSION, UNITS, DISTINCT = 1, 2, 3, 4, 5, 6, 7, 8
local VALUE, ITEMS, HELD_GOLD, HELD, OFFERS, LAST_TRADE, BATCH = 9, 10, 11, 12, 13, 14, 15

local function player_key(realm, player_id)
  return realm.keys[4] .. integer_text(player_id)
end

-- Seals a change of a player in memory: the next version, to be written.
local function change(realm, player)
  player[VERSION] = player[VERSION] + 1
  realm.packed[player[PLAYER_ID]] = cmsgpack.pack(player)
  realm.changed[#realm.changed + 1] = player[PLAYER_ID]
end

-- ---------------------------------------------------------------- batches in progress, as others see them

local function batch_keys(realm, batch_id)
  local key = realm.keys[6] .. batch_id
  return key, key .. ':players', key .. ':answers', key .. ':events'
end

-- The status of a batch that has marked a key. One that is open is given up, unless the call only reads: a command
-- never waits for it.
local function status_of(realm, batch_id)
  local key = batch_keys(realm, batch_id)
  local status = redis.call('HGET', key, 'status')
  if status == 'open' and not realm.only_reads then redis.call('HSET', key, 'status', 'aborted') end
  return status
end

-- Makes a player what a committed batch left it, or just takes the mark of one that was given up; returns it packed.
local function settle_player(realm, player)
  local _, staged_players = batch_keys(realm, player[BATCH])
  local player_id, status = player[PLAYER_ID], status_of(realm, player[BATCH])
  local packed = status == 'committed' and redis.call('HGET', staged_players, player_id)
  if status == 'open' and realm.only_reads then return cmsgpack.pack(player) end
  if packed then
    redis.call('HDEL', staged_players, player_id)
  else
    player[BATCH] = false
    packed = cmsgpack.pack(player)
  end
  redis.call('SET', player_key(realm, player_id), packed)
  return packed
end

local function settle_answer(realm, trade_id, batch_id)
  local key, _, staged_answers = batch_keys(realm, batch_id)
  local status = status_of(realm, batch_id)
  local staged = status == 'committed' and redis.call('HGET', staged_answers, trade_id)
  if status == 'open' and realm.only_reads then return false end
  if not staged then
    redis.call('DEL', realm.keys[5] .. trade_id)
    return false
  end
  local committed = redis.call('HMGET', key, 'base', 'occurred_at')
  local answer = cmsgpack.unpack(staged)
  answer[2], answer[3] = answer[2] + tonumber(committed[1]), committed[2]
  local packed = cmsgpack.pack(answer)
  redis.call('SET', realm.keys[5] .. trade_id, packed, 'EX', realm.answer_ttl_s)
  redis.call('HDEL', staged_answers, trade_id)
  return packed
end

-- The player in memory, one per call, or false if there is none.
local function load_player(realm, player_id)
  local player = realm.players[player_id]
  if player ~= nil then return player end
  local packed = (realm.staged_players and redis.call('HGET', realm.staged_players, player_id))
    or redis.call('GET', player_key(realm, player_id))
  player = packed and cmsgpack.unpack(packed)
  if player and player[BATCH] then
    packed = settle_player(realm, player)
    player = cmsgpack.unpack(packed)
  end
  realm.players[player_id], realm.packed[player_id] = player, packed
  return player
end

-- The stored answer, or false. While a batch is in progress its answers' keys hold 'batch:' and its id.
local function load_answer(realm, answer_id)
  local stored = realm.answers[answer_id] or redis.call('GET', realm.keys[5] .. answer_id)
  if stored and string.sub(stored, 1, 6) == 'batch:' then
    return settle_answer(realm, answer_id, string.sub(stored, 7))
  end
  return stored
end

-- ---------------------------------------------------------------- events

-- A player's state after a change, as events show it; `touched` lists the items that changed.
local function state_of(player, touched)
  local quantities, n = {}, 0
  for item_id in pairs(touched) do
    quantities[n + 1], quantities[n + 2], n = item_id, player[ITEMS][item_id] or 0, n + 2
  end
  return {player[VERSION], player[GOLD], player[UNITS], player[DISTINCT], player[VALUE], quantities}
end

local function side_of(side, state)
  return {side.player_id, side.gold, side.value and side.value <= MAX_AMOUNT and side.value or false, side.lines,
    state or false}
end

-- The body of every event but player_created; what an event does not have is false.
local function exchange_body(event_type, trade_id, offer_id, expires_at, reason, one, state_1, two, state_2)
  return cmsgpack.pack({event_type, trade_id or false, offer_id or false, expires_at or false, reason or false,
    side_of(one, state_1), side_of(two, state_2)})
end

-- MessagePack of a list, of what is packed already: its head is 0x90 and the length, or 0xdc and the length's bytes.
local function packed_list(parts)
  local n = #parts
  local head = n < 16 and string.char(144 + n) or string.char(220, math.floor(n / 256), n % 256)
  return head .. table.concat(parts)
end

-- Puts an event under the next sequence number.
local function emit(realm, body)
  realm.sequence = realm.sequence + 1
  realm.bodies[#realm.bodies + 1] = body
end

-- Writes everything that the call decided: players, the outbox entry, stored answers.
local function write_all(realm)
  if #realm.bodies == 0 then return end
  local players, written = {}, {}
  for _, player_id in ipairs(realm.changed) do
    if not written[player_id] then
      written[player_id] = true
      players[#players + 1] = player_key(realm, player_id)
      players[#players + 1] = realm.packed[player_id]
    end
  end
  if #players > 0 then redis.call('MSET', unpack(players)) end
  redis.call('SET', realm.keys[1], realm.sequence)
  redis.call('XADD', realm.keys[2], integer_text(realm.sequence) .. '-0', 'occurred_at', realm.occurred_at,
    'events', packed_list(realm.bodies))
  for _, answer_id in ipairs(realm.answer_ids) do
    redis.call('SET', realm.keys[5] .. answer_id, realm.answers[answer_id], 'EX', realm.answer_ttl_s)
  end
end

-- ---------------------------------------------------------------- the rules of a trade

local function read_side(packed)
  local side = {player_id = packed[1], gold = packed[2], seen_version = packed[3], seen_state = packed[4],
    lines = packed[5], units = 0, value = 0}
  for _, line in ipairs(side.lines) do
    side.units = side.units + line[2]
    -- false: an item is unknown
    side.value = side.value and line[3] and side.value + line[2] * line[3]
  end
  return side
end

-- The text that a caller's whole view of a player is compared with; app/commands.py writes the same.
local function seen_state_text(player)
  local ids = {}
  for item_id in pairs(player[ITEMS]) do ids[#ids + 1] = item_id end
  table.sort(ids)
  local parts = {player[USERNAME], player[CLASS], integer_text(player[GOLD]), integer_text(player[CAPACITY])}
  for _, item_id in ipairs(ids) do parts[#parts + 1] = item_id .. ':' .. integer_text(player[ITEMS][item_id]) end
  return table.concat(parts, '\0')
end

local function is_stale(side, player)
  return (side.seen_version and side.seen_version ~= player[VERSION])
    or (side.seen_state and side.seen_state ~= seen_state_text(player))
end

local function lacks_gold(side, player)
  return player[GOLD] - player[HELD_GOLD] < side.gold
end

local function lacks_items(side, player)
  for _, line in ipairs(side.lines) do
    if (player[ITEMS][line[1]] or 0) - (player[HELD][line[1]] or 0) < line[2] then return true end
  end
  return false
end

local function overflows(side, other, player)
  return player[GOLD] - side.gold + other.gold > MAX_AMOUNT
end

local function exceeds_capacity(side, other, player)
  return player[UNITS] - side.units + other.units > player[CAPACITY]
end

-- The first reason against an exchange of any kind, or nil; then both players.
local function general_rejection(realm, one, two)
  if one.player_id == two.player_id then return 'same_player' end
  if one.gold + two.gold + #one.lines + #two.lines == 0 then return 'empty_trade' end
  if not one.value or not two.value then return 'unknown_item' end
  local player_1, player_2 = load_player(realm, one.player_id), load_player(realm, two.player_id)
  if not player_1 or not player_2 then return 'unknown_player' end
  if is_stale(one, player_1) or is_stale(two, player_2) then return 'stale_state' end
  return nil, player_1, player_2
end

-- The first reason against the trade, or nil; the order is that of `Rejection`.
local function rejection(realm, one, two)
  local reason, player_1, player_2 = general_rejection(realm, one, two)
  if reason then return reason end
  if lacks_gold(one, player_1) or lacks_gold(two, player_2) then return 'insufficient_gold' end
  if lacks_items(one, player_1) or lacks_items(two, player_2) then return 'insufficient_items' end
  if overflows(one, two, player_1) or overflows(two, one, player_2) then return 'gold_overflow' end
  if exceeds_capacity(one, two, player_1) or exceeds_capacity(two, one, player_2) then return 'capacity_exceeded' end
  return nil
end

local function add_units(player, item_id, delta, touched)
  local before = player[ITEMS][item_id] or 0
  local after = before + delta
  if before == 0 and after > 0 then player[DISTINCT] = player[DISTINCT] + 1 end
  if before > 0 and after == 0 then player[DISTINCT] = player[DISTINCT] - 1 end
  player[ITEMS][item_id] = after > 0 and after or nil
  touched[item_id] = true
end

-- Applies to a player what its side gives and receives, and returns which items that touched. Receiving comes first,
-- so that an item that goes both ways never passes through zero.
local function settle(player, side, other)
  local touched = {}
  for _, line in ipairs(other.lines) do add_units(player, line[1], line[2], touched) end
  for _, line in ipairs(side.lines) do add_units(player, line[1], -line[2], touched) end
  player[GOLD] = player[GOLD] - side.gold + other.gold
  player[UNITS] = player[UNITS] - side.units + other.units
  player[VALUE] = player[VALUE] - side.value + other.value
  return touched
end

-- MessagePack of false
local NOBODY = '\194'

local function packed_or_nobody(realm, player_id)
  local player = load_player(realm, player_id)
  return player and realm.packed[player_id] or NOBODY
end

-- Keeps the answer: an array of 8 (152), put together from what is packed already.
local function store(realm, answer_id, fingerprint, body, one, two, previous_1, previous_2)
  realm.answer_ids[#realm.answer_ids + 1] = answer_id
  realm.answers[answer_id] = '\152' .. cmsgpack.pack(fingerprint, realm.sequence, realm.occurred_at) .. body
    .. packed_or_nobody(realm, one.player_id) .. packed_or_nobody(realm, two.player_id)
    .. cmsgpack.pack(previous_1 or false, previous_2 or false)
end

-- Moves what both sides give, in memory; returns the event's body and both players' trades before this one.
local function accept(realm, trade_id, offer_id, one, two)
  local player_1, player_2 = load_player(realm, one.player_id), load_player(realm, two.player_id)
  local touched_1, touched_2 = settle(player_1, one, two), settle(player_2, two, one)
  local previous_1, previous_2 = player_1[LAST_TRADE], player_2[LAST_TRADE]
  player_1[LAST_TRADE], player_2[LAST_TRADE] = trade_id, trade_id
  change(realm, player_1)
  change(realm, player_2)
  local body = exchange_body('trade_accepted', trade_id, offer_id, nil, nil, one, state_of(player_1, touched_1), two,
    state_of(player_2, touched_2))
  return body, previous_1, previous_2
end

local function refuse(trade_id, offer_id, reason, one, two)
  return exchange_body('trade_rejected', trade_id, offer_id, nil, reason, one, nil, two, nil)
end

-- Decides a trade in memory, with the reason against it if that is known already; returns the reason or ''.
local function decide(realm, trade, reason)
  local trade_id, one, two = trade[1], read_side(trade[3]), read_side(trade[4])
  reason = reason or rejection(realm, one, two)
  local body, previous_1, previous_2
  if reason then
    body = refuse(trade_id, nil, reason, one, two)
  else
    body, previous_1, previous_2 = accept(realm, trade_id, nil, one, two)
  end
  emit(realm, body)
  store(realm, trade_id, trade[2], body, one, two, previous_1, previous_2)
  return reason or ''
end

-- What a stored answer says of its trade: the reason that it was refused for, or ''.
local function stored_reason(answer)
  return answer[4][5] or ''
end

local function replay(stored, fingerprint)
  local answer = cmsgpack.unpack(stored)
  if answer[1] ~= fingerprint then return {'mismatch', 0, ''} end
  return {'replayed', answer[2], stored_reason(answer), stored}
end

-- ---------------------------------------------------------------- trades and batches of them

-- Looks up which trades have stored answers; returns their results, how many have none, how many were refused and the
-- first trade_id that had other content.
local function find_stored(realm, list)
  local results, due, refused, other = {}, 0, 0, nil
  for i, trade in ipairs(list) do
    local stored = load_answer(realm, trade[1])
    if stored then
      results[i] = replay(stored, trade[2])
      if results[i][3] ~= '' then refused = refused + 1 end
      if results[i][1] == 'mismatch' then other = other or trade[1] end
    else
      due = due + 1
    end
  end
  return results, due, refused, other
end

local function decided(realm, trade, reason)
  reason = decide(realm, trade, reason)
  return {'decided', realm.sequence, reason, realm.answers[trade[1]]}
end

local function reply(results, with_answers)
  local answers = {}
  for i, result in ipairs(results) do
    answers[i] = with_answers == '1' and result[4] or false
    result[4] = nil
  end
  return {'decided', cmsgpack.pack(results), answers}
end

--[[ Decides trades one after the other, each for itself. O(trades): callers keep a call short.
ARGV  3 MessagePack of the trades, 4 '1' to have the answers in the results
Returns {'decided', MessagePack of one result per trade, stored answers} or {'outbox_full'}. A result is {'decided' |
'replayed' | 'mismatch' (the trade_id had other content), sequence, reason or ''}. ]]
local function trades(keys, args)
  local realm = open_realm(keys, args)
  local list = cmsgpack.unpack(args[3])
  local results, due = find_stored(realm, list)
  if due > 0 and not has_room(realm, due) then return {'outbox_full'} end
  for i, trade in ipairs(list) do
    local twin = realm.answers[trade[1]]
    results[i] = results[i] or (twin and replay(twin, trade[2])) or decided(realm, trade)
  end
  write_all(realm)
  return reply(results, args[4])
end

local function forget(realm, sequence)
  realm.players, realm.packed, realm.changed = {}, {}, {}
  realm.bodies, realm.answers, realm.answer_ids = {}, {}, {}
  realm.sequence = sequence
end

-- Refuses all trades that have no answer yet: the one at `culprit` for `reason`, the others for its sake.
local function refuse_all(realm, list, results, culprit, reason)
  for i, trade in ipairs(list) do
    results[i] = results[i] or decided(realm, trade, i == culprit and reason or 'batch_refused')
  end
end

--[[ Decides trades together: all are accepted, or none is. ARGV and results are those of `trades`; no trade_id twice.
A repeat of a batch gets its answers; with a part of its trades refused before, the rest is refused too.
Returns what `trades` returns, or {'mismatch', trade_id} if one had other content or was accepted without the rest. ]]
local function all_or_nothing(keys, args)
  local realm = open_realm(keys, args)
  local list = cmsgpack.unpack(args[3])
  local results, due, refused, other = find_stored(realm, list)
  if not other and due > 0 and due < #list and refused == 0 then
    for i, trade in ipairs(list) do other = other or (results[i] and trade[1]) end
  end
  if other then return {'mismatch', other} end
  if due > 0 and not has_room(realm, due) then return {'outbox_full'} end
  if refused > 0 then
    refuse_all(realm, list, results)
  elseif due > 0 then
    local first = realm.sequence
    for i, trade in ipairs(list) do
      results[i] = decided(realm, trade)
      if results[i][3] ~= '' then
        local reason = results[i][3]
        results = {}
        forget(realm, first)
        refuse_all(realm, list, results, i, reason)
        break
      end
    end
  end
  write_all(realm)
  return reply(results, args[4])
end

local function mark(realm, player_id, batch_id)
  local key = player_key(realm, player_id)
  local player = cmsgpack.unpack(redis.call('GET', key))
  player[BATCH] = batch_id
  redis.call('SET', key, cmsgpack.pack(player))
end

--[[ The batches that are too large for one call: `stage` call by call, then `commit` in one short step, then
`settle_batch` call by call. Staging decides trades on copies of the players, and marks each player and each answer's
key with the batch. Who comes upon a mark of a batch that is still open gives that batch up and goes on, so nobody
waits; who comes upon one of a committed batch first makes that key what the batch left it. So the commit is one
status, and whatever ends afterwards, everyone sees all of the batch.

stage: decides the next trades of a batch.
ARGV  3 MessagePack of the trades, 4 batch_id, 5 number of trades staged before
Returns {'staged'}, {'refused', which of these trades, reason} or {'aborted'}: start again. ]]
local function stage(keys, args)
  local realm = open_realm(keys, args)
  local list, batch_id, offset = cmsgpack.unpack(args[3]), args[4], tonumber(args[5])
  local key, staged_players, staged_answers, staged_events = batch_keys(realm, batch_id)
  if offset == 0 then redis.call('HSET', key, 'status', 'open') end
  if redis.call('HGET', key, 'status') ~= 'open' then return {'aborted'} end
  realm.staged_players, realm.sequence = staged_players, offset
  for i, trade in ipairs(list) do
    local reason = load_answer(realm, trade[1]) and 'answered' or decide(realm, trade)
    if reason ~= '' then
      redis.call('DEL', key, staged_players, staged_answers, staged_events)
      return reason == 'answered' and {'aborted'} or {'refused', i, reason}
    end
  end
  for player_id in pairs(realm.players) do
    redis.call('HSET', staged_players, player_id, realm.packed[player_id])
    mark(realm, player_id, batch_id)
  end
  for trade_id, answer in pairs(realm.answers) do
    redis.call('HSET', staged_answers, trade_id, answer)
    redis.call('SET', keys[5] .. trade_id, 'batch:' .. batch_id, 'EX', realm.answer_ttl_s)
  end
  redis.call('RPUSH', staged_events, #realm.bodies, packed_list(realm.bodies))
  for _, staged in ipairs({key, staged_players, staged_answers, staged_events}) do
    redis.call('EXPIRE', staged, STAGING_TTL_S)
  end
  return {'staged'}
end

--[[ commit: makes a staged batch true, at once. O(calls of `stage`).
ARGV  3 batch_id, 4 number of its trades
Returns {'committed', sequence before its first event, occurred_at}, {'aborted'} or {'outbox_full'}. ]]
local function commit(keys, args)
  local realm = open_realm(keys, args)
  local key, staged_players, staged_answers, staged_events = batch_keys(realm, args[3])
  if redis.call('HGET', key, 'status') ~= 'open' then return {'aborted'} end
  if not has_room(realm, tonumber(args[4])) then return {'outbox_full'} end
  local base, chunks = realm.sequence, redis.call('LRANGE', staged_events, 0, -1)
  for i = 1, #chunks, 2 do
    realm.sequence = realm.sequence + tonumber(chunks[i])
    redis.call('XADD', keys[2], integer_text(realm.sequence) .. '-0', 'occurred_at', realm.occurred_at,
      'events', chunks[i + 1])
  end
  redis.call('SET', keys[1], realm.sequence)
  redis.call('HSET', key, 'status', 'committed', 'base', base, 'occurred_at', realm.occurred_at)
  for _, staged in ipairs({key, staged_players, staged_answers}) do redis.call('PERSIST', staged) end
  redis.call('DEL', staged_events)
  return {'committed', base, realm.occurred_at}
end

--[[ settle_batch: makes players and stored answers what a committed batch left them.
ARGV  3 batch_id, 4 MessagePack of player_ids, 5 MessagePack of trade_ids ]]
local function settle_batch(keys, args)
  local realm = open_realm(keys, args)
  for _, player_id in ipairs(cmsgpack.unpack(args[4])) do load_player(realm, player_id) end
  for _, trade_id in ipairs(cmsgpack.unpack(args[5])) do load_answer(realm, trade_id) end
  local key, staged_players, staged_answers = batch_keys(realm, args[3])
  if redis.call('EXISTS', staged_players, staged_answers) == 0 then redis.call('DEL', key) end
  return {'settled'}
end

--[[ refuse_trades: refuses the next trades of a large batch.
ARGV  3 MessagePack of the trades, 4 which of them was refused, or 0, 5 the reason
Returns what `trades` returns, or {'mismatch', trade_id}. ]]
local function refuse_trades(keys, args)
  local realm = open_realm(keys, args)
  local list = cmsgpack.unpack(args[3])
  local results, due, _, other = find_stored(realm, list)
  if other then return {'mismatch', other} end
  if due > 0 and not has_room(realm, due) then return {'outbox_full'} end
  refuse_all(realm, list, results, tonumber(args[4]), args[5])
  write_all(realm)
  return reply(results, '')
end

-- ---------------------------------------------------------------- players

--[[ create_player: a new player with the next id. O(1).
ARGV  3 username ('' for player_<id>), 4 class, 5 capacity, 6 gold, 7 MessagePack of lines as those of a trade
Returns {'created', MessagePack of the player} or {'outbox_full'}. ]]
local function create_player(keys, args)
  local realm = open_realm(keys, args)
  if not has_room(realm, 1) then return {'outbox_full'} end
  local player_id = redis.call('INCR', keys[10])
  local username = args[3] ~= '' and args[3] or 'player_' .. integer_text(player_id)
  local player = {player_id, username, args[4], tonumber(args[5]), tonumber(args[6]), 0, 0, 0, 0, {}, 0, {}, 0, false,
    false}
  local touched = {}
  for _, line in ipairs(cmsgpack.unpack(args[7])) do
    add_units(player, line[1], line[2], touched)
    player[UNITS] = player[UNITS] + line[2]
    player[VALUE] = player[VALUE] + line[2] * line[3]
  end
  change(realm, player)
  emit(realm, cmsgpack.pack({'player_created', player_id, username, player[CLASS], player[CAPACITY],
    state_of(player, touched)}))
  write_all(realm)
  return {'created', realm.packed[player_id]}
end

--[[ players: the states of players. O(players).
ARGV  3 MessagePack of player_ids
Returns the packed player or false for each. ]]
local function players(keys, args)
  local realm, list = read_realm(keys, args), {}
  for i, player_id in ipairs(cmsgpack.unpack(args[3])) do
    load_player(realm, player_id)
    list[i] = realm.packed[player_id]
  end
  return list
end

--[[ answers: the stored answers of trades, or of offers ('offer/' and the id). O(ids).
ARGV  3 MessagePack of their ids
Returns an answer or false for each. ]]
local function answers(keys, args)
  local realm, list = read_realm(keys, args), {}
  for i, answer_id in ipairs(cmsgpack.unpack(args[3])) do list[i] = load_answer(realm, answer_id) end
  return list
end

--[[ player_trades: a player's accepted trades, newest first, as far back as answers are stored. O(limit).
ARGV  3 player_id, 4 trade_id to begin with or '' for the newest, 5 limit
Returns {next trade_id or '', stored answer, …}. Each answer names the trade before it of either player. ]]
local function player_trades(keys, args)
  local realm, player_id = read_realm(keys, args), tonumber(args[3])
  local player = load_player(realm, player_id)
  local trade_id, found = args[4] ~= '' and args[4] or (player and player[LAST_TRADE]) or '', {''}
  while trade_id ~= '' do
    local stored = load_answer(realm, trade_id)
    if not stored then return found end
    if #found > tonumber(args[5]) then
      found[1] = trade_id
      return found
    end
    local trade = cmsgpack.unpack(stored)
    local side = (trade[5] and trade[5][PLAYER_ID] == player_id and 7) or (trade[6] and trade[6][PLAYER_ID] == player_id and 8)
    if not side then return found end
    found[#found + 1] = stored
    trade_id = trade[side] or ''
  end
  return found
end

-- ---------------------------------------------------------------- offers

--[[ An offer is a hash: status (open, accepted, declined, cancelled, expired), sides (MessagePack of both, as they
came), sequence, occurred_at and expires_at of its making, and trade_id once it is accepted. Closed offers expire. ]]

local function offer_key(realm, offer_id)
  return realm.keys[7] .. offer_id
end

local function open_offers_key(realm, player_id)
  return realm.keys[8] .. integer_text(player_id)
end

-- Holds (sign 1) or frees (sign -1), in memory, what a side gives.
local function hold(player, side, sign)
  player[HELD_GOLD] = player[HELD_GOLD] + sign * side.gold
  player[OFFERS] = player[OFFERS] + sign
  for _, line in ipairs(side.lines) do
    local held = (player[HELD][line[1]] or 0) + sign * line[2]
    player[HELD][line[1]] = held > 0 and held or nil
  end
end

local function offer_rejection(realm, one, two, max_open)
  local reason, player = general_rejection(realm, one, two)
  if reason then return reason end
  if lacks_gold(one, player) then return 'insufficient_gold' end
  if lacks_items(one, player) then return 'insufficient_items' end
  if player[OFFERS] >= max_open then return 'too_many_offers' end
  return nil
end

local function write_offer(realm, offer_id, sides, expires_at, expires_s, one, two)
  redis.call('HSET', offer_key(realm, offer_id), 'status', 'open', 'sides', sides, 'sequence', realm.sequence,
    'occurred_at', realm.occurred_at, 'expires_at', expires_at, 'expires_s', expires_s)
  redis.call('ZADD', realm.keys[9], expires_s, offer_id)
  for _, side in ipairs({one, two}) do
    redis.call('ZADD', open_offers_key(realm, side.player_id), realm.sequence, offer_id)
  end
end

--[[ make_offer: player 1 offers what it gives, which is held, for what it asks of player 2.
ARGV  3 offer_id, 4 fingerprint, 5 MessagePack of {side, side}, 6 time until it expires in seconds,
      7 most open offers of a player
Returns {'decided' | 'replayed', stored answer}, {'mismatch'} or {'outbox_full'}. ]]
local function make_offer(keys, args)
  local realm = open_realm(keys, args)
  local offer_id, fingerprint = args[3], args[4]
  local stored = load_answer(realm, 'offer/' .. offer_id)
  if stored then
    return cmsgpack.unpack(stored)[1] == fingerprint and {'replayed', stored} or {'mismatch'}
  end
  if not has_room(realm, 1) then return {'outbox_full'} end
  local sides = cmsgpack.unpack(args[5])
  local one, two = read_side(sides[1]), read_side(sides[2])
  local expires_s = realm.seconds + tonumber(args[6])
  local expires_at = utc_text(expires_s, realm.microseconds)
  local reason = offer_rejection(realm, one, two, tonumber(args[7]))
  local body
  if reason then
    body = exchange_body('offer_rejected', nil, offer_id, expires_at, reason, one, nil, two, nil)
  else
    local player = load_player(realm, one.player_id)
    hold(player, one, 1)
    change(realm, player)
    body = exchange_body('offer_made', nil, offer_id, expires_at, nil, one, state_of(player, {}), two, nil)
  end
  emit(realm, body)
  store(realm, 'offer/' .. offer_id, fingerprint, body, one, two)
  write_all(realm)
  if not reason then write_offer(realm, offer_id, args[5], expires_at, expires_s, one, two) end
  return {'decided', realm.answers['offer/' .. offer_id]}
end

-- Reads an offer, or returns nil; {offer_id, status, expires_at, expires_s, one, two}.
local function read_offer(realm, offer_id)
  local fields = redis.call('HMGET', offer_key(realm, offer_id), 'status', 'sides', 'expires_at', 'expires_s')
  if not fields[1] then return nil end
  local sides = cmsgpack.unpack(fields[2])
  local one, two = read_side(sides[1]), read_side(sides[2])
  -- what was seen counted for the making of the offer, not for its end
  one.seen_version, one.seen_state, two.seen_version, two.seen_state = false, false, false, false
  return {offer_id = offer_id, status = fields[1], expires_at = fields[3], expires_s = tonumber(fields[4]),
    one = one, two = two}
end

local function write_end(realm, offer, status, trade_id)
  local key = offer_key(realm, offer.offer_id)
  redis.call('HSET', key, 'status', status, 'trade_id', trade_id or '')
  redis.call('EXPIRE', key, realm.answer_ttl_s)
  redis.call('ZREM', realm.keys[9], offer.offer_id)
  for _, side in ipairs({offer.one, offer.two}) do
    redis.call('ZREM', open_offers_key(realm, side.player_id), offer.offer_id)
  end
end

-- Ends an open offer without a trade: what it held is free again.
local function close(realm, offer, outcome)
  local player = load_player(realm, offer.one.player_id)
  hold(player, offer.one, -1)
  change(realm, player)
  emit(realm, exchange_body('offer_closed', nil, offer.offer_id, offer.expires_at, outcome, offer.one,
    state_of(player, {}), offer.two, nil))
  write_all(realm)
  write_end(realm, offer, outcome)
end

--[[ close_offer: player 2 declines, or player 1 cancels.
ARGV  3 offer_id, 4 declined | cancelled
Returns {'decided' | 'replayed' (it had ended that way)}, {'closed', status}, {'unknown'} or {'outbox_full'}. ]]
local function close_offer(keys, args)
  local realm = open_realm(keys, args)
  local offer = read_offer(realm, args[3])
  if not offer then return {'unknown'} end
  if offer.status == args[4] then return {'replayed'} end
  if offer.status ~= 'open' then return {'closed', offer.status} end
  if not has_room(realm, 1) then return {'outbox_full'} end
  if offer.expires_s <= realm.seconds then
    close(realm, offer, 'expired')
    return {'closed', 'expired'}
  end
  close(realm, offer, args[4])
  return {'decided'}
end

--[[ accept_offer: player 2 accepts; what is held and what was asked for change hands, as one trade.
ARGV  3 offer_id, 4 trade_id, 5 fingerprint, 6 version of player 2 that the caller saw, or ''
Returns {'decided' | 'replayed', stored answer of the trade}, {'mismatch'}, {'closed', status}, {'unknown'} or
{'outbox_full'}. A refused acceptance leaves the offer open. ]]
local function accept_offer(keys, args)
  local realm = open_realm(keys, args)
  local trade_id, fingerprint = args[4], args[5]
  local stored = load_answer(realm, trade_id)
  if stored then
    return cmsgpack.unpack(stored)[1] == fingerprint and {'replayed', stored} or {'mismatch'}
  end
  local offer = read_offer(realm, args[3])
  if not offer then return {'unknown'} end
  if offer.status ~= 'open' then return {'closed', offer.status} end
  if not has_room(realm, 1) then return {'outbox_full'} end
  if offer.expires_s <= realm.seconds then
    close(realm, offer, 'expired')
    return {'closed', 'expired'}
  end
  local one, two = offer.one, offer.two
  two.seen_version = tonumber(args[6]) or false
  local player = load_player(realm, one.player_id)
  hold(player, one, -1)
  local reason = rejection(realm, one, two)
  local body, previous_1, previous_2
  if reason then
    hold(player, one, 1)
    body = refuse(trade_id, offer.offer_id, reason, one, two)
  else
    body, previous_1, previous_2 = accept(realm, trade_id, offer.offer_id, one, two)
  end
  emit(realm, body)
  store(realm, trade_id, fingerprint, body, one, two, previous_1, previous_2)
  write_all(realm)
  if not reason then write_end(realm, offer, 'accepted', trade_id) end
  return {'decided', realm.answers[trade_id]}
end

--[[ expire_offers: ends the offers whose time is over. O(limit).
ARGV  3 limit
Returns how many. ]]
local function expire_offers(keys, args)
  local realm = open_realm(keys, args)
  local due = redis.call('ZRANGEBYSCORE', keys[9], '-inf', realm.seconds, 'LIMIT', 0, args[3])
  for i, offer_id in ipairs(due) do
    realm = open_realm(keys, args)
    if not has_room(realm, 1) then return i - 1 end
    close(realm, read_offer(realm, offer_id), 'expired')
  end
  return #due
end

--[[ offers: an offer, or a player's open ones by age. O(limit).
ARGV  3 offer_id, or 4 player_id, 5 sequence after which, 6 limit
Returns for each {offer_id, hash of the offer}. ]]
local function offers(keys, args)
  local realm, ids, found = read_realm(keys, args), {args[3]}, {}
  if args[3] == '' then
    ids = redis.call('ZRANGEBYSCORE', open_offers_key(realm, tonumber(args[4])), '(' .. args[5], '+inf', 'LIMIT', 0,
      args[6])
  end
  for _, offer_id in ipairs(ids) do
    local hash = redis.call('HGETALL', offer_key(realm, offer_id))
    if #hash > 0 then found[#found + 1] = {offer_id, hash} end
  end
  return found
end

-- Nothing; but Redis refuses it whenever it refuses commands, as while it is full or a replica.
local function takes_commands()
  return {'yes'}
end

redis.register_function('haggle_takes_commands', takes_commands)
redis.register_function('haggle_trades', trades)
redis.register_function('haggle_all_or_nothing', all_or_nothing)
redis.register_function('haggle_stage', stage)
redis.register_function('haggle_commit', commit)
redis.register_function('haggle_settle_batch', settle_batch)
redis.register_function('haggle_refuse_trades', refuse_trades)
redis.register_function('haggle_create_player', create_player)
redis.register_function('haggle_make_offer', make_offer)
redis.register_function('haggle_accept_offer', accept_offer)
redis.register_function('haggle_close_offer', close_offer)
redis.register_function('haggle_expire_offers', expire_offers)
-- these answer too while memory is full
redis.register_function({function_name = 'haggle_players', callback = players, flags = {'allow-oom'}})
redis.register_function({function_name = 'haggle_answers', callback = answers, flags = {'allow-oom'}})
redis.register_function({function_name = 'haggle_player_trades', callback = player_trades, flags = {'allow-oom'}})
redis.register_function({function_name = 'haggle_offers', callback = offers, flags = {'allow-oom'}})
