--[[ Events: their bodies, and the one step that writes them with all that was decided. The relay makes the events of
app/contract/events.py of them, and puts names into them, which no body has. ]]

-- A player's state after a change, packed as events show it; `touched` lists the items that changed. What is packed piece
-- by piece needs no tables: a list of lists would be gone through three times.
local function state_of(player, touched)
  local quantities, n = {}, 0
  for item_id in pairs(touched) do
    quantities[n + 1], quantities[n + 2], n = item_id, player[ITEMS][item_id] or 0, n + 2
  end
  return STATE_HEAD
    .. cmsgpack.pack(player[VERSION], player[GOLD], player[UNITS], player[DISTINCT], player[VALUE], quantities)
end

local function side_body(side, state)
  local value = side.value and side.value <= MAX_AMOUNT and side.value or false
  return SIDE_BODY_HEAD .. cmsgpack.pack(side.player_id, side.gold, value, side.lines) .. (state or FALSE)
end

-- The body of every event but player_created.
local function exchange_body(event_type, trade_id, offer_id, expires_at, reason, one, state_1, two, state_2)
  return BODY_HEAD
    .. cmsgpack.pack(event_type, trade_id or false, offer_id or false, expires_at or false, reason or false)
    .. side_body(one, state_1) .. side_body(two, state_2)
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

-- The body of an event about one player: renamed, forgotten.
local function player_body(event_type, player, touched)
  return PLAYER_BODY_HEAD .. cmsgpack.pack(event_type, player[PLAYER_ID]) .. state_of(player, touched)
end

-- Writes everything that the call decided: players, the outbox entry, records and answers, what the game gave and took.
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
  redis.call('SET', realm.keys[SEQUENCE_KEY], realm.sequence)
  redis.call('XADD', realm.keys[OUTBOX_KEY], integer_text(realm.sequence) .. '-0', 'occurred_at', realm.occurred_at,
    'events', packed_list(realm.bodies))
  write_decisions(realm)
  write_supply(realm)
end
