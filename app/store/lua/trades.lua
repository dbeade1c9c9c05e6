--[[ Trades: decided one by one, each for itself, or found to be decided before.

A trade comes as layout.py packs it. Functions that decide trades return {'decided', MessagePack of one result per trade,
answers, names} or {'outbox_full'}; `names` are those of both players of each answer; a result is {status, sequence, reason or ''}. Its status is `decided`, `replayed` (it was
before, and this is the answer of then), `recalled` (it was, and the players are as they are now) or `mismatch` (the
trade_id had other content). ]]

local TELL = 'c' .. DIGEST_BYTES .. 'c' .. FINGERPRINT_BYTES

-- Trades, of their MessagePack and of their digests and fingerprints, one after the other.
local function read_trades(packed, tells)
  local list = cmsgpack.unpack(packed)
  local place = 1
  for _, trade in ipairs(list) do
    trade[TRADE_DIGEST], trade[TRADE_FINGERPRINT], place = struct.unpack(TELL, tells, place)
  end
  return list
end

-- Applies to a player what its side gives and receives, and returns which items that touched. Receiving comes first,
-- so that an item that goes both ways never passes through zero.
local function exchange(player, side, other)
  local touched = {}
  for _, line in ipairs(other.lines) do add_units(player, line[ITEM_ID], line[QUANTITY], touched) end
  for _, line in ipairs(side.lines) do add_units(player, line[ITEM_ID], -line[QUANTITY], touched) end
  player[GOLD] = player[GOLD] - side.gold + other.gold
  player[UNITS] = player[UNITS] - side.units + other.units
  player[VALUE] = player[VALUE] - side.value + other.value
  return touched
end

-- Moves what both sides give, in memory; returns the event's body and, packed, both players' trades before this one.
local function accept(realm, trade_id, offer_id, one, two)
  local player_1, player_2 = load_player(realm, one.player_id), load_player(realm, two.player_id)
  local touched_1, touched_2 = exchange(player_1, one, two), exchange(player_2, two, one)
  local previous = cmsgpack.pack(player_1[LAST_TRADE], player_1[LAST_MINUTE], player_2[LAST_TRADE], player_2[LAST_MINUTE])
  local sequence, minute = realm.sequence + 1, realm.staged_players and 0 or realm.minute
  player_1[LAST_TRADE], player_1[LAST_MINUTE] = sequence, minute
  player_2[LAST_TRADE], player_2[LAST_MINUTE] = sequence, minute
  change(realm, player_1)
  change(realm, player_2)
  local body = exchange_body('trade_accepted', trade_id, offer_id, nil, nil, one, state_of(player_1, touched_1), two,
    state_of(player_2, touched_2))
  return body, previous
end

local function refuse(trade_id, offer_id, reason, one, two)
  return exchange_body('trade_rejected', trade_id, offer_id, nil, reason, one, nil, two, nil)
end

-- Decides a trade in memory, with the reason against it if that is known already; returns the reason or nil, and the
-- answer.
local function decide(realm, trade, reason)
  local trade_id, one, two = trade[TRADE_ID], read_side(realm, trade[TRADE_PLAYER_1]), read_side(realm, trade[TRADE_PLAYER_2])
  reason = reason or trade_rejection(realm, one, two)
  local body, previous
  if reason then
    body = refuse(trade_id, nil, reason, one, two)
  else
    body, previous = accept(realm, trade_id, nil, one, two)
  end
  emit(realm, body)
  local answer = make_answer(realm, realm.sequence, realm.occurred_at, body, one, two, previous)
  keep_decision(realm, trade[TRADE_DIGEST], trade[TRADE_FINGERPRINT], reason, answer)
  return reason, answer
end

-- ---------------------------------------------------------------- results

-- Of a result in memory; the answer is not packed with it.
local STATUS, SEQUENCE, REASON, ANSWER = 1, 2, 3, 4

-- Of what was decided by an earlier catalog, nobody knows the values of then.
local function forget_values(realm, record, ...)
  if record.occurred_us >= realm.catalog.since_us then return end
  for _, side in ipairs({...}) do
    side.value = false
    for _, line in ipairs(side.lines) do line[UNIT_VALUE] = false end
  end
end

-- The answer to a trade that was decided before: the one of then, or, when that is kept no longer, what was decided with
-- both players as they are now.
local function answer_again(realm, trade, record)
  local whole = whole_answer(realm, record)
  if whole then return whole, 'replayed' end
  local one, two = read_side(realm, trade[TRADE_PLAYER_1]), read_side(realm, trade[TRADE_PLAYER_2])
  forget_values(realm, record, one, two)
  local event_type = record.reason and 'trade_rejected' or 'trade_accepted'
  local body = exchange_body(event_type, trade[TRADE_ID], nil, nil, record.reason, one, nil, two, nil)
  return make_answer(realm, record.sequence, time_text(record.occurred_us), body, one, two), 'recalled'
end

local function repeated(realm, trade, record)
  if record.fingerprint ~= trade[TRADE_FINGERPRINT] then return {'mismatch', 0, ''} end
  local answer, status = answer_again(realm, trade, record)
  return {status, record.sequence, record.reason or '', answer}
end

-- Looks up which trades were decided before; returns their results, how many were not, how many were refused and the
-- first trade_id that had other content.
local function find_decided(realm, list)
  local results, due, refused, other = {}, 0, 0, nil
  for i, trade in ipairs(list) do
    local record = find_decision(realm, trade[TRADE_DIGEST])
    if record then
      results[i] = repeated(realm, trade, record)
      if results[i][REASON] ~= '' then refused = refused + 1 end
      if results[i][STATUS] == 'mismatch' then other = other or trade[TRADE_ID] end
    else
      due = due + 1
    end
  end
  return results, due, refused, other
end

local function decided(realm, trade, reason)
  local answer
  reason, answer = decide(realm, trade, reason)
  return {'decided', realm.sequence, reason or '', answer}
end

local function reply(results)
  for _, result in ipairs(results) do result[ANSWER] = nil end
  return {'decided', cmsgpack.pack(results)}
end

local function reply_with_answers(realm, list, results)
  local answers, names = {}, {}
  for i, result in ipairs(results) do
    answers[i] = result[ANSWER] or false
    names[2 * i - 1] = names_of(realm, list[i][TRADE_PLAYER_1][SIDE_PLAYER_ID])
    names[2 * i] = names_of(realm, list[i][TRADE_PLAYER_2][SIDE_PLAYER_ID])
  end
  local answer = reply(results)
  answer[3], answer[4] = answers, names
  return answer
end

-- ---------------------------------------------------------------- functions

--[[ trades: decides trades one after the other, each for itself. O(trades): callers keep a call short.
ARGV  4 MessagePack of the trades, 5 their digests and fingerprints, 6 '1' to have the answers returned ]]
local function trades(keys, args)
  local realm, list, with_answers = open_realm(keys, args), read_trades(args[4], args[5]), args[6] == '1'
  local results, due = find_decided(realm, list)
  if due > 0 and not has_room(realm, due) then return {'outbox_full'} end
  for i, trade in ipairs(list) do
    local twin = decided_here(realm, trade[TRADE_DIGEST])
    results[i] = results[i] or (twin and repeated(realm, trade, twin)) or decided(realm, trade)
  end
  write_all(realm)
  return with_answers and reply_with_answers(realm, list, results) or reply(results)
end

-- Sequence and minute of the trade of a player before the one of this answer, or false; nil if it is no trade of the player.
local function previous_trade(answer, player_id)
  if answer[ANSWER_BODY][BODY_REASON] then return nil end
  local player_1, player_2 = answer[ANSWER_PLAYER_1], answer[ANSWER_PLAYER_2]
  if player_1 and player_1[PLAYER_ID] == player_id then
    return answer[ANSWER_PREVIOUS_1], answer[ANSWER_PREVIOUS_MINUTE_1]
  end
  if player_2 and player_2[PLAYER_ID] == player_id then
    return answer[ANSWER_PREVIOUS_2], answer[ANSWER_PREVIOUS_MINUTE_2]
  end
  return nil
end

local function answer_of(realm, sequence, minute)
  return sequence and redis.call('HGET', answers_key(realm, minute), integer_text(sequence))
end

--[[ player_trades: a player's accepted trades, newest first, as far back as whole answers are kept. O(limit).
ARGV  4 player_id, 5 sequence and 6 minute of the trade to begin with, or '' and '' for the newest, 7 limit
Returns {sequence, minute, answer, …}: where the next page begins, or '' and ''. Each answer names the trade before it of
either player. ]]
local function player_trades(keys, args)
  local realm, player_id, limit = read_realm(keys, args), tonumber(args[4]), tonumber(args[7])
  local player, found = load_player(realm, player_id), {}
  local sequence, minute = tonumber(args[5]), tonumber(args[6])
  if not sequence and player then sequence, minute = player[LAST_TRADE], player[LAST_MINUTE] end
  local answer = answer_of(realm, sequence, minute)
  while answer and #found < limit do
    local before, before_minute = previous_trade(cmsgpack.unpack(answer), player_id)
    -- a trade of others: as if there were none
    if before == nil then return {'', '', unpack(found)} end
    found[#found + 1], sequence, minute = answer, before, before_minute
    answer = answer_of(realm, sequence, minute)
  end
  if not answer then return {'', '', unpack(found)} end
  return {sequence, minute, unpack(found)}
end
