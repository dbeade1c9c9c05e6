--[[ Accounts: players are created, renamed and forgotten. ]]

local function new_player(realm, class)
  local player = {}
  player[PLAYER_ID] = redis.call('INCR', realm.keys[PLAYER_COUNT_KEY])
  player[PLAYER_CLASS], player[CAPACITY], player[GOLD] = class[CLASS_NAME], realm.catalog.max_capacity, class[CLASS_GOLD]
  player[VERSION], player[UNITS], player[DISTINCT], player[VALUE], player[CATALOG] = 0, 0, 0, 0, realm.catalog.version
  player[ITEMS], player[HELD_GOLD], player[HELD], player[OFFERS] = {}, 0, {}, 0
  player[LAST_TRADE], player[LAST_MINUTE], player[BATCH], player[CLOSED] = false, false, false, false
  return player
end

-- Fills a new inventory; returns which items are in it.
local function endow(realm, player, class)
  local touched = {}
  for _, line in ipairs(class[CLASS_ITEMS]) do
    local item_id, units = line[1], line[2]
    add_units(player, item_id, units, touched)
    player[UNITS] = player[UNITS] + units
    player[VALUE] = player[VALUE] + units * realm.catalog.values[item_id]
    count_supply(realm, item_id, units)
  end
  return touched
end

--[[ create_player: a new player with the next id. O(1).
ARGV  4 username ('' for player_<id>), 5 class, 6 external_id or '', 7 digest of the command's name and 8 fingerprint, or ''
Returns {'created' | 'replayed' (as it is now), MessagePack of the player, its names}, {'unknown_class'}, {'mismatch'},
{'external_id_taken', player_id} or {'outbox_full'}. ]]
local function create_player(keys, args)
  local realm, username, external_id, digest, fingerprint = open_realm(keys, args), args[4], args[6], args[7], args[8]
  local record = digest ~= '' and find_decision(realm, digest)
  if record then
    if record.fingerprint ~= fingerprint then return {'mismatch'} end
    return {'replayed', shown_player(realm, record.sequence)}
  end
  local class = realm.catalog.classes[args[5]]
  if not class then return {'unknown_class'} end
  local taken = external_id ~= '' and redis.call('HGET', external_key(realm, external_id), external_id)
  if taken then return {'external_id_taken', taken} end
  if not has_room(realm, 1) then return {'outbox_full'} end
  local player = new_player(realm, class)
  local player_id, touched = player[PLAYER_ID], endow(realm, player, class)
  if username == '' then username = 'player_' .. integer_text(player_id) end
  change(realm, player)
  emit(realm, CREATED_BODY_HEAD .. cmsgpack.pack('player_created', player_id, player[PLAYER_CLASS], player[CAPACITY])
    .. state_of(player, touched))
  -- of a creation, the record says which player it made
  if digest ~= '' then keep_decision(realm, digest, fingerprint, nil, nil, player_id) end
  write_names(realm, player_id, {external_id ~= '' and external_id or false, player[VERSION], username})
  if external_id ~= '' then redis.call('HSET', external_key(realm, external_id), external_id, player_id) end
  write_all(realm)
  return {'created', realm.packed[player_id], realm.names[player_id]}
end

--[[ rename_player: gives a player another username.
ARGV  4 player_id, 5 username
Returns {'renamed' | 'same' (it had it), player, its names}, {'unknown'}, {'closed'} or {'outbox_full'}. ]]
local function rename_player(keys, args)
  local realm, player_id, username = open_realm(keys, args), tonumber(args[4]), args[5]
  local player = load_player(realm, player_id)
  if not player then return {'unknown'} end
  if player[CLOSED] then return {'closed'} end
  if username_of(realm, player_id) == username then return {'same', shown_player(realm, player_id)} end
  if not has_room(realm, 1) then return {'outbox_full'} end
  change(realm, player)
  emit(realm, player_body('player_renamed', player, {}))
  local names = cmsgpack.unpack(names_of(realm, player_id))
  names[#names + 1], names[#names + 2] = player[VERSION], username
  while #names > 2 * MOST_USERNAMES + 1 do
    table.remove(names, 2)
    table.remove(names, 2)
  end
  write_names(realm, player_id, names)
  write_all(realm)
  return {'renamed', shown_player(realm, player_id)}
end

-- ---------------------------------------------------------------- forgetting

-- Ends open offers of a closed account, made or received; returns whether more are left.
local function end_offers(keys, args, player_id, limit)
  local realm = open_realm(keys, args)
  local ids = redis.call('ZRANGE', open_offers_key(realm, player_id), 0, limit)
  for i, offer_id in ipairs(ids) do
    realm = open_realm(keys, args)
    if i > limit or not has_room(realm, 1) then return true end
    close(realm, read_offer(realm, offer_id), 'account_closed')
  end
  redis.call('SREM', keys[CLOSING_KEY], integer_text(player_id))
  return false
end

local function forget_names(realm, player_id)
  local packed = names_of(realm, player_id)
  local external_id = packed and cmsgpack.unpack(packed)[1]
  if external_id then redis.call('HDEL', external_key(realm, external_id), external_id) end
  redis.call('HDEL', names_key(realm, player_id), integer_text(player_id))
  realm.names[player_id] = false
end

--[[ forget_player: its names are gone at once, and its account is closed. O(limit).
ARGV  4 player_id, 5 most open offers to end in this call
Returns {'forgotten' | 'repeated' (it was before), player}, {'unknown'} or {'outbox_full'}. Offers that are left are ended by
`close_accounts`, which the relay calls. ]]
local function forget_player(keys, args)
  local realm, player_id, limit = open_realm(keys, args), tonumber(args[4]), tonumber(args[5])
  local player = load_player(realm, player_id)
  if not player then return {'unknown'} end
  local status = player[CLOSED] and 'repeated' or 'forgotten'
  if not player[CLOSED] then
    if not has_room(realm, 1) then return {'outbox_full'} end
    player[CLOSED] = true
    change(realm, player)
    emit(realm, player_body('player_forgotten', player, {}))
    forget_names(realm, player_id)
    redis.call('SADD', keys[CLOSING_KEY], integer_text(player_id))
    redis.call('SET', keys[FORGOTTEN_AT_KEY], realm.seconds)
    write_all(realm)
  end
  end_offers(keys, args, player_id, limit)
  return {status, shown_player(open_realm(keys, args), player_id)}
end

--[[ close_accounts: ends open offers of accounts that are closed. O(limit).
ARGV  4 most offers
Returns 1 if more is left, else 0. ]]
local function close_accounts(keys, args)
  local player_id = redis.call('SRANDMEMBER', keys[CLOSING_KEY])
  if not player_id then return 0 end
  end_offers(keys, args, tonumber(player_id), tonumber(args[4]))
  return redis.call('EXISTS', keys[CLOSING_KEY])
end
