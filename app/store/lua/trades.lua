--[[ Trades: decided one by one, each for itself, or found to be decided before.

A trade comes as layout.py packs it. Functions that decide trades return {'decided', MessagePack of one result per trade,
stored answers} or {'outbox_full'}; a result is {'decided' | 'replayed' | 'mismatch' (the trade_id had other content),
sequence, reason or ''}. ]]

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

-- Moves what both sides give, in memory; returns the event's body and both players' trades before this one.
local function accept(realm, trade_id, offer_id, one, two)
  local player_1, player_2 = load_player(realm, one.player_id), load_player(realm, two.player_id)
  local touched_1, touched_2 = exchange(player_1, one, two), exchange(player_2, two, one)
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
  local trade_id, one, two = trade[TRADE_ID], read_side(trade[TRADE_PLAYER_1]), read_side(trade[TRADE_PLAYER_2])
  reason = reason or trade_rejection(realm, one, two)
  local body, previous_1, previous_2
  if reason then
    body = refuse(trade_id, nil, reason, one, two)
  else
    body, previous_1, previous_2 = accept(realm, trade_id, nil, one, two)
  end
  emit(realm, body)
  store_answer(realm, trade_id, trade[TRADE_FINGERPRINT], body, one, two, previous_1, previous_2)
  return reason or ''
end

-- ---------------------------------------------------------------- results

-- Of a result in memory; the stored answer is not packed with it.
local STATUS, SEQUENCE, REASON, ANSWER = 1, 2, 3, 4

local function replay(stored, fingerprint)
  local answer = cmsgpack.unpack(stored)
  if answer[ANSWER_FINGERPRINT] ~= fingerprint then return {'mismatch', 0, ''} end
  return {'replayed', answer[ANSWER_SEQUENCE], answer[ANSWER_BODY][BODY_REASON] or '', stored}
end

-- Looks up which trades have stored answers; returns their results, how many have none, how many were refused and the
-- first trade_id that had other content.
local function find_stored(realm, list)
  local results, due, refused, other = {}, 0, 0, nil
  for i, trade in ipairs(list) do
    local stored = load_answer(realm, trade[TRADE_ID])
    if stored then
      results[i] = replay(stored, trade[TRADE_FINGERPRINT])
      if results[i][REASON] ~= '' then refused = refused + 1 end
      if results[i][STATUS] == 'mismatch' then other = other or trade[TRADE_ID] end
    else
      due = due + 1
    end
  end
  return results, due, refused, other
end

local function decided(realm, trade, reason)
  reason = decide(realm, trade, reason)
  return {'decided', realm.sequence, reason, realm.answers[trade[TRADE_ID]]}
end

local function reply(results, with_answers)
  local answers = {}
  for i, result in ipairs(results) do
    answers[i] = with_answers and result[ANSWER] or false
    result[ANSWER] = nil
  end
  return {'decided', cmsgpack.pack(results), answers}
end

-- ---------------------------------------------------------------- functions

--[[ trades: decides trades one after the other, each for itself. O(trades): callers keep a call short.
ARGV  3 MessagePack of the trades, 4 '1' to have the answers returned ]]
local function trades(keys, args)
  local realm, list, with_answers = open_realm(keys, args), cmsgpack.unpack(args[3]), args[4] == '1'
  local results, due = find_stored(realm, list)
  if due > 0 and not has_room(realm, due) then return {'outbox_full'} end
  for i, trade in ipairs(list) do
    local twin = realm.answers[trade[TRADE_ID]]
    results[i] = results[i] or (twin and replay(twin, trade[TRADE_FINGERPRINT])) or decided(realm, trade)
  end
  write_all(realm)
  return reply(results, with_answers)
end

--[[ answers: the stored answers of trades, or of offers ('offer/' and the id). O(ids).
ARGV  3 MessagePack of their ids
Returns an answer or false for each. ]]
local function answers(keys, args)
  local realm, list = read_realm(keys, args), {}
  for i, answer_id in ipairs(cmsgpack.unpack(args[3])) do list[i] = load_answer(realm, answer_id) end
  return list
end

-- Which trade of a player came before the one of this answer; nil if the player has no part in it.
local function previous_trade(answer, player_id)
  local player_1, player_2 = answer[ANSWER_PLAYER_1], answer[ANSWER_PLAYER_2]
  if player_1 and player_1[PLAYER_ID] == player_id then return answer[ANSWER_PREVIOUS_1] or '' end
  if player_2 and player_2[PLAYER_ID] == player_id then return answer[ANSWER_PREVIOUS_2] or '' end
  return nil
end

--[[ player_trades: a player's accepted trades, newest first, as far back as answers are stored. O(limit).
ARGV  3 player_id, 4 trade_id to begin with or '' for the newest, 5 limit
Returns {next trade_id or '', stored answer, …}. Each answer names the trade before it of either player. ]]
local function player_trades(keys, args)
  local realm, player_id, first, limit = read_realm(keys, args), tonumber(args[3]), args[4], tonumber(args[5])
  local player = load_player(realm, player_id)
  local trade_id, found = first ~= '' and first or (player and player[LAST_TRADE]) or '', {}
  while trade_id ~= '' and #found < limit do
    local stored = load_answer(realm, trade_id)
    local previous = stored and previous_trade(cmsgpack.unpack(stored), player_id)
    if not previous then return {'', unpack(found)} end
    found[#found + 1] = stored
    trade_id = previous
  end
  local is_there = trade_id ~= '' and load_answer(realm, trade_id)
  return {is_there and trade_id or '', unpack(found)}
end
