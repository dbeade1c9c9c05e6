--[[ Players, and the list of all functions. ]]

--[[ create_player: a new player with the next id. O(1).
ARGV  3 username ('' for player_<id>), 4 class, 5 capacity, 6 gold, 7 MessagePack of lines as those of a side
Returns {'created', MessagePack of the player} or {'outbox_full'}. ]]
local function create_player(keys, args)
  local realm, username, player_class = open_realm(keys, args), args[3], args[4]
  local capacity, gold, lines = tonumber(args[5]), tonumber(args[6]), cmsgpack.unpack(args[7])
  if not has_room(realm, 1) then return {'outbox_full'} end
  local player, touched = {}, {}
  player[PLAYER_ID] = redis.call('INCR', keys[PLAYER_COUNT_KEY])
  player[USERNAME] = username ~= '' and username or 'player_' .. integer_text(player[PLAYER_ID])
  player[PLAYER_CLASS], player[CAPACITY], player[GOLD], player[VERSION] = player_class, capacity, gold, 0
  player[UNITS], player[DISTINCT], player[VALUE], player[ITEMS] = 0, 0, 0, {}
  player[HELD_GOLD], player[HELD], player[OFFERS] = 0, {}, 0
  player[LAST_TRADE], player[LAST_MINUTE], player[BATCH] = false, false, false
  for _, line in ipairs(lines) do
    add_units(player, line[ITEM_ID], line[QUANTITY], touched)
    player[UNITS] = player[UNITS] + line[QUANTITY]
    player[VALUE] = player[VALUE] + line[QUANTITY] * line[UNIT_VALUE]
  end
  change(realm, player)
  emit(realm, CREATED_HEAD .. cmsgpack.pack('player_created', player[PLAYER_ID], player[USERNAME], player_class, capacity)
    .. state_of(player, touched))
  write_all(realm)
  return {'created', realm.packed[player[PLAYER_ID]]}
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

-- Nothing; but Redis refuses it whenever it refuses commands, as while it is full or a replica.
local function takes_commands()
  return {'yes'}
end

-- ---------------------------------------------------------------- the library

redis.register_function(PREFIX .. 'takes_commands', takes_commands)
redis.register_function(PREFIX .. 'create_player', create_player)
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
redis.register_function({function_name = PREFIX .. 'players', callback = players, flags = {'allow-oom'}})
redis.register_function({function_name = PREFIX .. 'decisions', callback = decisions, flags = {'allow-oom'}})
redis.register_function({function_name = PREFIX .. 'player_trades', callback = player_trades, flags = {'allow-oom'}})
redis.register_function({function_name = PREFIX .. 'offers', callback = offers, flags = {'allow-oom'}})
