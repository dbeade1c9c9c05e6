--[[ The catalog, players as they are, and the list of all functions. ]]

-- The first items that players hold and that a new catalog lacks.
local function held_without(realm, catalog)
  local held = {}
  for item_id in pairs(realm.catalog.values) do
    if not catalog.values[item_id] and #held < 10 then
      local units = tonumber(redis.call('HGET', realm.keys[SUPPLY_KEY], integer_text(item_id)) or 0)
      if units > 0 then held[#held + 1] = string.format('%.0f', item_id) end
    end
  end
  return held
end

--[[ publish_catalog: makes a catalog the one that is in force. O(its items).
ARGV  4 version, 5 digest, 6 max_capacity, 7 MessagePack of its items, 8 MessagePack of its classes
Returns {'published' | 'same' | 'before' (it was in force, and a newer one is), tag of the catalog in force},
{'other_content', tag} (of that version was published before), {'goes_back', tag} (that version was left out),
{'held', tag, item_id …} (players hold items that it lacks) or {'outbox_full'}. ]]
local function publish_catalog(keys, args)
  local realm, version, digest = open_realm(keys, args), tonumber(args[4]), args[5]
  local tag, known = args[4] .. '.' .. digest, redis.call('HGET', keys[CATALOGS_KEY], args[4])
  if known and known ~= digest then return {'other_content', realm.catalog_tag} end
  if known then return {tag == realm.catalog_tag and 'same' or 'before', realm.catalog_tag} end
  if version < realm.catalog.version then return {'goes_back', realm.catalog_tag} end
  local packed = CATALOG_HEAD .. cmsgpack.pack(version, digest, tonumber(args[6]), realm.occurred_us) .. args[7] .. args[8]
  local held = held_without(realm, read_catalog(packed, tag))
  if #held > 0 then return {'held', realm.catalog_tag, unpack(held)} end
  if not has_room(realm, 1) then return {'outbox_full'} end
  redis.call('SET', keys[CATALOG_KEY], packed)
  redis.call('SET', keys[CATALOG_TAG_KEY], tag)
  redis.call('HSET', keys[CATALOGS_KEY], args[4], digest)
  emit(realm, CATALOG_BODY_HEAD .. cmsgpack.pack('catalog_published', version, tonumber(args[6])) .. args[7] .. args[8])
  write_all(realm)
  return {'published', tag}
end

-- catalog: the one that is in force: its tag and MessagePack; '' and '' before the first.
local function catalog(keys)
  return {redis.call('GET', keys[CATALOG_TAG_KEY]) or '', redis.call('GET', keys[CATALOG_KEY]) or ''}
end

--[[ players: the states of players. O(players).
ARGV  4 MessagePack of player_ids
Returns for each the packed player and its names, or false and false. ]]
local function players(keys, args)
  local realm, list = read_realm(keys, args), {}
  for i, player_id in ipairs(cmsgpack.unpack(args[4])) do
    list[2 * i - 1], list[2 * i] = shown_player(realm, player_id)
  end
  return list
end

--[[ external: the player of an external_id.
ARGV  4 external_id
Returns its player_id or false. ]]
local function external(keys, args)
  local realm = read_realm(keys, args)
  return redis.call('HGET', external_key(realm, args[4]), args[4])
end

-- takes_commands: nothing; but it is refused whenever commands are: while Redis is full or a replica, or the catalog another.
local function takes_commands(keys, args)
  open_realm(keys, args)
  return {'yes'}
end

-- ---------------------------------------------------------------- the library

redis.register_function(PREFIX .. 'takes_commands', takes_commands)
redis.register_function(PREFIX .. 'publish_catalog', publish_catalog)
redis.register_function(PREFIX .. 'create_player', create_player)
redis.register_function(PREFIX .. 'rename_player', rename_player)
redis.register_function(PREFIX .. 'forget_player', forget_player)
redis.register_function(PREFIX .. 'close_accounts', close_accounts)
redis.register_function(PREFIX .. 'adjustments', adjustments)
redis.register_function(PREFIX .. 'trades', trades)
redis.register_function(PREFIX .. 'all_or_nothing', all_or_nothing)
redis.register_function(PREFIX .. 'refuse_trades', refuse_trades)
redis.register_function(PREFIX .. 'stage', stage)
redis.register_function(PREFIX .. 'commit', commit)
redis.register_function(PREFIX .. 'finish_batch', finish_batch)
redis.register_function(PREFIX .. 'make_offer', make_offer)
redis.register_function(PREFIX .. 'accept_offer', accept_offer)
redis.register_function(PREFIX .. 'close_offer', close_offer)
redis.register_function(PREFIX .. 'expire_offers', expire_offers)
-- these work too while memory is full
redis.register_function({function_name = PREFIX .. 'forget_old', callback = forget_old, flags = {'allow-oom'}})
redis.register_function({function_name = PREFIX .. 'catalog', callback = catalog, flags = {'allow-oom'}})
redis.register_function({function_name = PREFIX .. 'external', callback = external, flags = {'allow-oom'}})
redis.register_function({function_name = PREFIX .. 'players', callback = players, flags = {'allow-oom'}})
redis.register_function({function_name = PREFIX .. 'decisions', callback = decisions, flags = {'allow-oom'}})
redis.register_function({function_name = PREFIX .. 'player_trades', callback = player_trades, flags = {'allow-oom'}})
redis.register_function({function_name = PREFIX .. 'offers', callback = offers, flags = {'allow-oom'}})
