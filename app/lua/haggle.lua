#!lua name=haggle
--[[ The rules of Haggle: each function decides one command atomically and writes state, outbox entry and
stored answer in the same step. app/adapters/redis.py loads this library, builds all keys and calls it;
reasons are those of app/contract/reasons.py, events those of app/contract/events.py.

In every function: all checks first, then all writes, then the outbox entry. Amounts are integers of
0 … 2^53-1, which Lua's doubles hold exactly; callers check types and ranges before they call.

A player is a hash: username, class, capacity, gold, version, units, distinct, value (the gold value of all
items held), and one field per item held, named by its id, that counts its units.
The outbox is a stream whose entry ids are <sequence>-0 with one field `event`, a JSON text. ]]

local MAX_AMOUNT = 9007199254740991
local SCHEMA_VERSION = 1

local function integer_text(number)
  return string.format('%.0f', number)
end

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

-- The server's clock, as 2026-11-24T08:00:00.000000Z.
local function utc_now()
  local time = redis.call('TIME')
  local seconds = tonumber(time[1])
  local year, month, day = civil_date(math.floor(seconds / 86400))
  local rest = seconds % 86400
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', year, month, day,
    math.floor(rest / 3600), math.floor(rest / 60) % 60, rest % 60, tonumber(time[2]))
end

local function outbox_is_full(outbox_key, outbox_max_entries)
  return redis.call('XLEN', outbox_key) >= outbox_max_entries
end

-- Appends the event under the realm's next sequence number and returns it, a JSON text; `body` is the text of the
-- fields after the envelope.
local function emit(sequence_key, outbox_key, realm, event_type, occurred_at, body)
  local sequence = integer_text(redis.call('INCR', sequence_key))
  local event = '{"event_id":"' .. realm .. ':' .. sequence
    .. '","event_type":"' .. event_type
    .. '","schema_version":' .. SCHEMA_VERSION
    .. ',"realm":"' .. realm
    .. '","sequence":' .. sequence
    .. ',"occurred_at":"' .. occurred_at .. '",' .. body .. '}'
  redis.call('XADD', outbox_key, sequence .. '-0', 'event', event)
  return event
end

local function holdings_json(quantities)
  local lines = {}
  for item_id, quantity in pairs(quantities) do
    lines[#lines + 1] = '{"item_id":' .. item_id .. ',"quantity":' .. integer_text(quantity) .. '}'
  end
  return '[' .. table.concat(lines, ',') .. ']'
end

local function state_json(state)
  return '{"version":' .. integer_text(state.version)
    .. ',"gold":' .. integer_text(state.gold)
    .. ',"item_units":' .. integer_text(state.units)
    .. ',"distinct_items":' .. integer_text(state.distinct)
    .. ',"item_value":' .. integer_text(state.value)
    .. ',"items":' .. holdings_json(state.changed) .. '}'
end

--[[ create_player: a new player with the next id. O(1).
KEYS  1 sequence, 2 outbox, 3 player counter, 4 prefix of player keys
ARGV  1 realm, 2 outbox_max_entries, 3 username ('' for player_<id>), 4 class, 5 capacity, 6 gold,
      then item_id, quantity, value of one unit, for each item
Returns {'created', player_id, hash of the player as HGETALL gives it}, or {'outbox_full'}. ]]
local function create_player(keys, args)
  if outbox_is_full(keys[2], tonumber(args[2])) then return {'outbox_full'} end

  local state = {version = 1, gold = tonumber(args[6]), units = 0, distinct = 0, value = 0, changed = {}}
  local fields = {}
  for i = 7, #args, 3 do
    local quantity = tonumber(args[i + 1])
    state.changed[args[i]] = quantity
    state.units = state.units + quantity
    state.distinct = state.distinct + 1
    state.value = state.value + quantity * tonumber(args[i + 2])
    fields[#fields + 1] = args[i]
    fields[#fields + 1] = args[i + 1]
  end

  local player_id = integer_text(redis.call('INCR', keys[3]))
  local username = args[3] ~= '' and args[3] or 'player_' .. player_id
  local key = keys[4] .. player_id
  redis.call('HSET', key, 'username', username, 'class', args[4], 'capacity', args[5], 'gold', args[6],
    'version', 1, 'units', state.units, 'distinct', state.distinct, 'value', integer_text(state.value), unpack(fields))
  emit(keys[1], keys[2], args[1], 'player_created', utc_now(),
    '"player_id":' .. player_id .. ',"username":' .. cjson.encode(username) .. ',"player_class":' .. cjson.encode(args[4])
    .. ',"max_capacity":' .. args[5] .. ',"state":' .. state_json(state))
  return {'created', player_id, redis.call('HGETALL', key)}
end

-- Reads one side of a trade from ARGV at `at`; returns the side and where the next one starts.
local function parse_side(args, at)
  local side = {
    player_id = args[at], gold = tonumber(args[at + 1]), gives = {}, units = 0, value = 0,
    seen_version = args[at + 2], seen_state = args[at + 3],
  }
  local count = tonumber(args[at + 4])
  at = at + 5
  for _ = 1, count do
    local line = {item_id = args[at], quantity = tonumber(args[at + 1]), value = tonumber(args[at + 2])}
    side.gives[#side.gives + 1] = line
    side.units = side.units + line.quantity
    if not line.value then
      side.unknown_item = true
    elseif not side.unknown_item then
      side.value = side.value + line.quantity * line.value
    end
    at = at + 3
  end
  return side, at
end

-- The fields that describe a player, in the order of `STATE_FIELDS`, then the units of every item of the trade.
local STATE_FIELDS = {'gold', 'version', 'units', 'distinct', 'value', 'capacity'}

local function load_side(key, side, other)
  local fields = {unpack(STATE_FIELDS)}
  for _, line in ipairs(side.gives) do fields[#fields + 1] = line.item_id end
  for _, line in ipairs(other.gives) do fields[#fields + 1] = line.item_id end
  local values = redis.call('HMGET', key, unpack(fields))
  if not values[1] then return false end
  side.state = {changed = {}}
  for i, name in ipairs(STATE_FIELDS) do side.state[name] = tonumber(values[i]) end
  side.held = {}
  for i = #STATE_FIELDS + 1, #fields do side.held[fields[i]] = tonumber(values[i] or 0) end
  return true
end

-- The text that a caller's whole view of a player is compared with; app/adapters/redis.py writes the same.
local function seen_state_text(key)
  local hash, items = redis.call('HGETALL', key), {}
  local player = {}
  for i = 1, #hash, 2 do
    local item_id = tonumber(hash[i])
    if item_id then items[#items + 1] = {item_id, hash[i + 1]} else player[hash[i]] = hash[i + 1] end
  end
  table.sort(items, function(a, b) return a[1] < b[1] end)
  local parts = {player.username, player.class, player.gold, player.capacity}
  for _, item in ipairs(items) do parts[#parts + 1] = integer_text(item[1]) .. ':' .. item[2] end
  return table.concat(parts, '\0')
end

local function is_stale(key, side)
  return (side.seen_version ~= '' and tonumber(side.seen_version) ~= side.state.version)
    or (side.seen_state ~= '' and side.seen_state ~= seen_state_text(key))
end

local function lacks_items(side)
  for _, line in ipairs(side.gives) do
    if side.held[line.item_id] < line.quantity then return true end
  end
  return false
end

-- The first reason against the trade, or nil. The order is that of `Rejection`.
local function rejection(one, two, key_one, key_two)
  if one.player_id == two.player_id then return 'same_player' end
  if one.gold + two.gold + #one.gives + #two.gives == 0 then return 'empty_trade' end
  if one.unknown_item or two.unknown_item then return 'unknown_item' end
  if not load_side(key_one, one, two) or not load_side(key_two, two, one) then return 'unknown_player' end
  if is_stale(key_one, one) or is_stale(key_two, two) then return 'stale_state' end
  if one.state.gold < one.gold or two.state.gold < two.gold then return 'insufficient_gold' end
  if lacks_items(one) or lacks_items(two) then return 'insufficient_items' end
  if one.state.gold - one.gold + two.gold > MAX_AMOUNT or two.state.gold - two.gold + one.gold > MAX_AMOUNT then
    return 'gold_overflow'
  end
  if one.state.units - one.units + two.units > one.state.capacity
    or two.state.units - two.units + one.units > two.state.capacity then
    return 'capacity_exceeded'
  end
  return nil
end

local function change(side, item_id, delta)
  local before = side.held[item_id]
  local after = before + delta
  if before == 0 and after > 0 then side.state.distinct = side.state.distinct + 1 end
  if before > 0 and after == 0 then side.state.distinct = side.state.distinct - 1 end
  side.held[item_id] = after
  side.state.changed[item_id] = after
end

-- Applies what `side` gives and receives to its state in memory. Receiving comes first, so that an item that
-- goes both ways never passes through zero.
local function settle(side, other)
  local state = side.state
  for _, line in ipairs(other.gives) do change(side, line.item_id, line.quantity) end
  for _, line in ipairs(side.gives) do change(side, line.item_id, -line.quantity) end
  state.gold = state.gold - side.gold + other.gold
  state.units = state.units - side.units + other.units
  state.value = state.value - side.value + other.value
  state.version = state.version + 1
end

local function write_state(key, state)
  local fields, gone = {}, {}
  for item_id, quantity in pairs(state.changed) do
    if quantity == 0 then
      gone[#gone + 1] = item_id
    else
      fields[#fields + 1] = item_id
      fields[#fields + 1] = integer_text(quantity)
    end
  end
  redis.call('HSET', key, 'gold', integer_text(state.gold), 'version', integer_text(state.version),
    'units', integer_text(state.units), 'distinct', integer_text(state.distinct),
    'value', integer_text(state.value), unpack(fields))
  if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
end

local function side_json(side)
  local lines = {}
  for i, line in ipairs(side.gives) do
    lines[i] = '{"item_id":' .. line.item_id .. ',"quantity":' .. integer_text(line.quantity)
      .. ',"value":' .. (line.value and integer_text(line.value) or 'null') .. '}'
  end
  return '{"player_id":' .. side.player_id
    .. ',"gold":' .. integer_text(side.gold)
    .. ',"item_value":' .. ((side.unknown_item or side.value > MAX_AMOUNT) and 'null' or integer_text(side.value))
    .. ',"items":[' .. table.concat(lines, ',') .. ']'
    .. (side.settled and ',"state":' .. state_json(side.state) or '') .. '}'
end

--[[ trade: decides one trade between two players; a trade_id that was decided before gets its stored answer.
KEYS  1 sequence, 2 outbox, 3 stored answer, 4 and 5 the players
ARGV  1 realm, 2 outbox_max_entries, 3 trade_id (of characters that need no JSON escape),
      4 fingerprint of the request, 5 answer_ttl_s, then for each of both sides:
      player_id, gold, version seen or '', whole state seen or '', number of lines,
      and item_id, quantity, value of one unit or '' (item unknown), for each line; an item stands once a side
Returns {'decided' | 'replayed', answer}, {'mismatch'} if the trade_id had other content, or {'outbox_full'}.
An answer is MessagePack of {fingerprint, the event, HGETALL of player 1, HGETALL of player 2}. ]]
local function trade(keys, args)
  local stored = redis.call('GET', keys[3])
  if stored then
    if cmsgpack.unpack(stored)[1] ~= args[4] then return {'mismatch'} end
    return {'replayed', stored}
  end
  if outbox_is_full(keys[2], tonumber(args[2])) then return {'outbox_full'} end

  local one, at = parse_side(args, 6)
  local two = parse_side(args, at)
  local reason = rejection(one, two, keys[4], keys[5])
  local occurred_at = utc_now()
  local event_type, outcome = 'trade_rejected', ''
  if reason then
    outcome = ',"reason":"' .. reason .. '"'
  else
    event_type = 'trade_accepted'
    settle(one, two)
    settle(two, one)
    one.settled, two.settled = true, true
    write_state(keys[4], one.state)
    write_state(keys[5], two.state)
  end

  local event = emit(keys[1], keys[2], args[1], event_type, occurred_at,
    '"trade_id":"' .. args[3] .. '"' .. outcome .. ',"player_1":' .. side_json(one) .. ',"player_2":' .. side_json(two))
  local answer = cmsgpack.pack({args[4], event, redis.call('HGETALL', keys[4]), redis.call('HGETALL', keys[5])})
  redis.call('SET', keys[3], answer, 'EX', args[5])
  return {'decided', answer}
end

redis.register_function('haggle_create_player', create_player)
redis.register_function('haggle_trade', trade)
