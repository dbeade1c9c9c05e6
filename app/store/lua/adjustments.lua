--[[ Adjustments: what the game gives a player and takes from it, decided one by one, each for itself.

An adjustment comes as layout.py packs it: gold and quantities above 0 are given, those below are taken. ]]

local ADJUSTMENT_TELL = 'c' .. DIGEST_BYTES .. 'c' .. FINGERPRINT_BYTES

-- What the lines of one sign come to, with all their amounts above 0.
local function goods(realm, gold, lines, sign)
  local found = {gold = math.max(0, sign * gold), lines = {}}
  for _, line in ipairs(lines) do
    local quantity = sign * line[QUANTITY]
    if quantity > 0 then found.lines[#found.lines + 1] = {line[ITEM_ID], quantity, false} end
  end
  return sum_up(realm, found)
end

local function read_adjustment(realm, packed)
  local gold, lines = packed[ADJUSTMENT_GOLD], packed[ADJUSTMENT_LINES]
  return {id = packed[ADJUSTMENT_ID], player_id = packed[ADJUSTMENT_PLAYER_ID], reason = packed[ADJUSTMENT_REASON],
    reference = packed[ADJUSTMENT_REFERENCE], given = goods(realm, gold, lines, 1), taken = goods(realm, gold, lines, -1)}
end

local function packed_goods(found)
  local value = found.value and found.value <= MAX_AMOUNT and found.value or false
  return cmsgpack.pack(found.gold, value, found.lines)
end

local function adjustment_body(adjustment, reason, state)
  local event_type = reason and 'adjustment_rejected' or 'player_adjusted'
  return ADJUSTED_BODY_HEAD .. cmsgpack.pack(event_type, adjustment.id, adjustment.player_id, adjustment.reason,
    adjustment.reference, reason or false) .. packed_goods(adjustment.given) .. packed_goods(adjustment.taken)
    .. (state or FALSE)
end

-- Gives and takes, in memory; returns the player's state after it.
local function adjust(realm, player, adjustment)
  local touched = exchange(player, adjustment.taken, adjustment.given)
  change(realm, player)
  for _, line in ipairs(adjustment.given.lines) do count_supply(realm, line[ITEM_ID], line[QUANTITY]) end
  for _, line in ipairs(adjustment.taken.lines) do count_supply(realm, line[ITEM_ID], -line[QUANTITY]) end
  return state_of(player, touched)
end

-- Decides an adjustment in memory; returns the reason against it or nil.
local function decide_adjustment(realm, packed, digest, fingerprint)
  local adjustment = read_adjustment(realm, packed)
  local reason, player = adjustment_rejection(realm, adjustment)
  emit(realm, adjustment_body(adjustment, reason, player and adjust(realm, player, adjustment)))
  keep_decision(realm, digest, fingerprint, reason)
  return reason
end

--[[ adjustments: decides adjustments one after the other, each for itself. O(adjustments): callers keep a call short.
ARGV  4 MessagePack of the adjustments, 5 their digests and fingerprints, one after the other
Returns {'decided', MessagePack of {status, sequence, reason or '', occurred_at} for each, {player, its names, player, …}},
players as they are now, or {'outbox_full'}. A status is decided, replayed (it was before) or mismatch (the name had other
content). ]]
local function adjustments(keys, args)
  local realm, list, place = open_realm(keys, args), cmsgpack.unpack(args[4]), 1
  if not has_room(realm, #list) then return {'outbox_full'} end
  local results, shown = {}, {}
  for i, packed in ipairs(list) do
    local digest, fingerprint
    digest, fingerprint, place = struct.unpack(ADJUSTMENT_TELL, args[5], place)
    local record = find_decision(realm, digest)
    if not record then
      local reason = decide_adjustment(realm, packed, digest, fingerprint)
      results[i] = {'decided', realm.sequence, reason or '', realm.occurred_at}
    elseif record.fingerprint ~= fingerprint then
      results[i] = {'mismatch', 0, '', ''}
    else
      results[i] = {'replayed', record.sequence, record.reason or '', time_text(record.occurred_us)}
    end
  end
  write_all(realm)
  for i, packed in ipairs(list) do shown[2 * i - 1], shown[2 * i] = shown_player(realm, packed[ADJUSTMENT_PLAYER_ID]) end
  return {'decided', cmsgpack.pack(results), shown}
end
