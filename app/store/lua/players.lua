--[[ Players, as one call sees them.

A player may carry the mark of a batch in progress (batches.lua), as the record of a decision may (decisions.lua). Who
comes upon one makes of it what the batch left, if that was committed, or gives the batch up, so that nobody waits. A call
that only reads leaves an open batch alone. ]]

-- The status of a batch that has marked something. One that is open is given up, unless the call only reads.
local function status_of(realm, batch_id)
  local key = batch_keys(realm, batch_id)
  local status = redis.call('HGET', key, 'status')
  if status == 'open' and not realm.only_reads then redis.call('HSET', key, 'status', 'aborted') end
  return status
end

-- ---------------------------------------------------------------- players

local function minute_of(occurred_us)
  return math.floor(occurred_us / 60e6)
end

--[[ A trade's answer stands under its sequence and minute; while its batch is staged, those are its number in the batch
and 0. After the commit this makes the ones of the others. (Two numbers: to pack a list, or to write a text, with each player
would take a tenth of a trade's time.) ]]
local function after_commit(sequence, minute, base, occurred_us)
  if minute ~= 0 then return sequence, minute end
  return base + sequence, minute_of(occurred_us)
end

-- Makes a player what a committed batch left it, or just takes the mark of one that was given up; returns it packed.
local function finish_player(realm, player)
  local key, staged_players = batch_keys(realm, player[BATCH])
  local player_id, status = player[PLAYER_ID], status_of(realm, player[BATCH])
  local packed = status == 'committed' and redis.call('HGET', staged_players, player_id)
  if status == 'open' and realm.only_reads then return cmsgpack.pack(player) end
  if packed then
    local committed = redis.call('HMGET', key, 'base', 'occurred_us')
    player = cmsgpack.unpack(packed)
    player[LAST_TRADE], player[LAST_MINUTE] = after_commit(player[LAST_TRADE], player[LAST_MINUTE],
      tonumber(committed[1]), tonumber(committed[2]))
    redis.call('HDEL', staged_players, player_id)
  end
  player[BATCH] = false
  packed = cmsgpack.pack(player)
  redis.call('SET', player_key(realm, player_id), packed)
  return packed
end

-- Makes the value of what a player holds that of the catalog in force, if that was published since it was reckoned.
local function revalue(realm, player)
  local catalog = realm.catalog
  if player[CATALOG] == catalog.version then return end
  player[CATALOG], player[VALUE] = catalog.version, 0
  for item_id, units in pairs(player[ITEMS]) do player[VALUE] = player[VALUE] + units * (catalog.values[item_id] or 0) end
end

-- The player in memory, one per call, or false if there is none.
local function load_player(realm, player_id)
  local player = realm.players[player_id]
  if player ~= nil then return player end
  local packed = (realm.staged_players and redis.call('HGET', realm.staged_players, player_id))
    or redis.call('GET', player_key(realm, player_id))
  player = packed and cmsgpack.unpack(packed)
  if player and player[BATCH] then
    packed = finish_player(realm, player)
    player = cmsgpack.unpack(packed)
  end
  if player then revalue(realm, player) end
  realm.players[player_id], realm.packed[player_id] = player, packed
  return player
end

-- Seals a change of a player in memory: the next version, to be written.
local function change(realm, player)
  player[VERSION] = player[VERSION] + 1
  realm.packed[player[PLAYER_ID]] = cmsgpack.pack(player)
  realm.changed[#realm.changed + 1] = player[PLAYER_ID]
end

-- Adds to what a player holds of an item, and notes in `touched` that it changed.
local function add_units(player, item_id, delta, touched)
  local before = player[ITEMS][item_id] or 0
  local after = before + delta
  if before == 0 and after > 0 then player[DISTINCT] = player[DISTINCT] + 1 end
  if before > 0 and after == 0 then player[DISTINCT] = player[DISTINCT] - 1 end
  player[ITEMS][item_id] = after > 0 and after or nil
  touched[item_id] = true
end

-- Holds (sign 1) or frees (sign -1) in escrow what a side gives.
local function hold(player, side, sign)
  player[HELD_GOLD] = player[HELD_GOLD] + sign * side.gold
  player[OFFERS] = player[OFFERS] + sign
  for _, line in ipairs(side.lines) do
    local held = (player[HELD][line[ITEM_ID]] or 0) + sign * line[QUANTITY]
    player[HELD][line[ITEM_ID]] = held > 0 and held or nil
  end
end

local function packed_or_nobody(realm, player_id)
  local player = load_player(realm, player_id)
  return player and realm.packed[player_id] or FALSE
end

-- ---------------------------------------------------------------- names

--[[ What a player is called stands in one place, so that it can be forgotten: `names:<shard>`, a hash of a few players, by
player_id; MessagePack of {external_id or false, version, username, version, username …}, of its newest usernames and the
versions of the player from which on it had them. No player, answer or event in Redis has a name in it: replies carry
names beside them, and the relay puts them into events. `external:<shard>` has the player_id of each external_id. ]]

local MOST_USERNAMES = 8

local function names_key(realm, player_id)
  return realm.keys[NAMES_PREFIX] .. math.floor(player_id / NAMES_IN_SHARD)
end

local function external_key(realm, external_id)
  return realm.keys[EXTERNAL_PREFIX] .. string.sub(redis.sha1hex(external_id), 1, 4)
end

-- A player's names, packed, or false if there are none.
local function names_of(realm, player_id)
  local names = realm.names[player_id]
  if names == nil then
    names = redis.call('HGET', names_key(realm, player_id), integer_text(player_id))
    realm.names[player_id] = names
  end
  return names
end

-- Its newest username, or '' if it is forgotten.
local function username_of(realm, player_id)
  local packed = names_of(realm, player_id)
  if not packed then return '' end
  local names = cmsgpack.unpack(packed)
  return names[#names]
end

local function write_names(realm, player_id, names)
  local packed = cmsgpack.pack(names)
  realm.names[player_id] = packed
  redis.call('HSET', names_key(realm, player_id), integer_text(player_id), packed)
end

-- A player for a reply, as it is now, and its names; or false and false.
local function shown_player(realm, player_id)
  local player = load_player(realm, player_id)
  return player and realm.packed[player_id], player and names_of(realm, player_id)
end
