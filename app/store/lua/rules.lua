--[[ The rules of an exchange: the first reason against it, in the order of `Rejection` (app/contract/reasons.py).

A side is what a player gives: player_id, gold, lines, and with them the sums of its units and their value in gold, which
is false if an item is unknown; `seen_version` and `seen_state` are what the caller saw of the player, or false. ]]

-- The units of lines and their value, each line with the value of then: what it is worth when it is decided.
local function sum_up(realm, side)
  local values = realm.catalog.values
  side.units, side.value = 0, 0
  for _, line in ipairs(side.lines) do
    local value = values[line[ITEM_ID]] or false
    line[UNIT_VALUE] = value
    side.units = side.units + line[QUANTITY]
    side.value = side.value and value and side.value + line[QUANTITY] * value
  end
  return side
end

local function read_side(realm, packed)
  local side = {player_id = packed[SIDE_PLAYER_ID], gold = packed[SIDE_GOLD], lines = packed[SIDE_LINES],
    seen_version = packed[SIDE_SEEN_VERSION], seen_state = packed[SIDE_SEEN_STATE]}
  return sum_up(realm, side)
end

-- The text that a caller's whole view of a player is compared with; `seen_state` of app/http/requests.py writes the same.
local function seen_state_text(realm, player)
  local ids = {}
  for item_id in pairs(player[ITEMS]) do ids[#ids + 1] = item_id end
  table.sort(ids)
  local parts = {username_of(realm, player[PLAYER_ID]), player[PLAYER_CLASS], integer_text(player[GOLD]), integer_text(player[CAPACITY])}
  for _, item_id in ipairs(ids) do parts[#parts + 1] = item_id .. ':' .. integer_text(player[ITEMS][item_id]) end
  return table.concat(parts, '\0')
end

local function is_stale(realm, side, player)
  return (side.seen_version and side.seen_version ~= player[VERSION])
    or (side.seen_state and side.seen_state ~= seen_state_text(realm, player))
end

local function lacks_gold(side, player)
  return player[GOLD] - player[HELD_GOLD] < side.gold
end

local function lacks_items(side, player)
  for _, line in ipairs(side.lines) do
    local free = (player[ITEMS][line[ITEM_ID]] or 0) - (player[HELD][line[ITEM_ID]] or 0)
    if free < line[QUANTITY] then return true end
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
  if player_1[CLOSED] or player_2[CLOSED] then return 'account_closed' end
  if is_stale(realm, one, player_1) or is_stale(realm, two, player_2) then return 'stale_state' end
  return nil, player_1, player_2
end

-- The first reason against a trade, or nil.
local function trade_rejection(realm, one, two)
  local reason, player_1, player_2 = general_rejection(realm, one, two)
  if reason then return reason end
  if lacks_gold(one, player_1) or lacks_gold(two, player_2) then return 'insufficient_gold' end
  if lacks_items(one, player_1) or lacks_items(two, player_2) then return 'insufficient_items' end
  if overflows(one, two, player_1) or overflows(two, one, player_2) then return 'gold_overflow' end
  if exceeds_capacity(one, two, player_1) or exceeds_capacity(two, one, player_2) then return 'capacity_exceeded' end
  return nil
end

-- The first reason against an adjustment, or nil; then the player.
local function adjustment_rejection(realm, adjustment)
  local given, taken = adjustment.given, adjustment.taken
  if not given.value or not taken.value then return 'unknown_item' end
  local player = load_player(realm, adjustment.player_id)
  if not player then return 'unknown_player' end
  if player[CLOSED] then return 'account_closed' end
  if lacks_gold(taken, player) then return 'insufficient_gold' end
  if lacks_items(taken, player) then return 'insufficient_items' end
  if overflows(taken, given, player) then return 'gold_overflow' end
  if exceeds_capacity(taken, given, player) then return 'capacity_exceeded' end
  return nil, player
end

-- The first reason against an offer, or nil.
local function offer_rejection(realm, one, two, max_open)
  local reason, player = general_rejection(realm, one, two)
  if reason then return reason end
  if lacks_gold(one, player) then return 'insufficient_gold' end
  if lacks_items(one, player) then return 'insufficient_items' end
  if player[OFFERS] >= max_open then return 'too_many_offers' end
  return nil
end
