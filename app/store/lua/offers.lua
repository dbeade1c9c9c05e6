--[[ Offers: player 1 gives what is held for it in escrow, for what player 2 is to give.

An offer is a hash: status (open, accepted, declined, cancelled, expired), sides (MessagePack of both, as they came),
sequence, occurred_at, expires_at and expires_s (both the same moment) of its making, and trade_id once it is accepted.
Offers that have ended expire. Functions return an offer as {offer_id, hash}. ]]

local function shown_offer(realm, offer_id)
  return {offer_id, redis.call('HGETALL', offer_key(realm, offer_id))}
end

-- Reads an offer, or returns nil: {offer_id, status, expires_at, expires_s, one, two}.
local function read_offer(realm, offer_id)
  local fields = redis.call('HMGET', offer_key(realm, offer_id), 'status', 'sides', 'expires_at', 'expires_s')
  if not fields[1] then return nil end
  local sides = cmsgpack.unpack(fields[2])
  local one, two = read_side(realm, sides[1]), read_side(realm, sides[2])
  -- what was seen counted for the making of the offer, not for its end
  one.seen_version, one.seen_state, two.seen_version, two.seen_state = false, false, false, false
  return {offer_id = offer_id, status = fields[1], expires_at = fields[3], expires_s = tonumber(fields[4]),
    one = one, two = two}
end

--[[ Whether who acts is none of `sides`: `acting` is the player that calls, or '' for the game server. Then what the
caller is told: of an offer of others, the same as of one that there is not. ]]
local function not_for(acting, offer, side)
  local player_id = tonumber(acting)
  if not player_id or side.player_id == player_id then return nil end
  local is_party = offer.one.player_id == player_id or offer.two.player_id == player_id
  return {is_party and 'forbidden' or 'unknown'}
end

-- ---------------------------------------------------------------- making

local function write_offer(realm, offer_id, sides, expires_at, expires_s, one, two)
  redis.call('HSET', offer_key(realm, offer_id), 'status', 'open', 'sides', sides, 'sequence', realm.sequence,
    'occurred_at', realm.occurred_at, 'expires_at', expires_at, 'expires_s', expires_s)
  redis.call('ZADD', realm.keys[OFFER_EXPIRY_KEY], expires_s, offer_id)
  for _, side in ipairs({one, two}) do
    redis.call('ZADD', open_offers_key(realm, side.player_id), realm.sequence, offer_id)
  end
end

--[[ make_offer: player 1 offers what it gives, which is held, for what it asks of player 2.
ARGV  4 offer_id, 5 digest of it, 6 fingerprint, 7 MessagePack of {side, side}, 8 time until it expires in seconds,
      9 most open offers of a player
Returns {'decided' | 'replayed', reason or '', offer, player 1, its names}, all as they are now, {'mismatch'} or
{'outbox_full'}. ]]
local function make_offer(keys, args)
  local realm, offer_id, digest, fingerprint = open_realm(keys, args), args[4], args[5], args[6]
  local sides, lasts_s, max_open = cmsgpack.unpack(args[7]), tonumber(args[8]), tonumber(args[9])
  local one, two = read_side(realm, sides[1]), read_side(realm, sides[2])
  local record = find_decision(realm, digest)
  if record then
    if record.fingerprint ~= fingerprint then return {'mismatch'} end
    return {'replayed', record.reason or '', shown_offer(realm, offer_id), shown_player(realm, one.player_id)}
  end
  if not has_room(realm, 1) then return {'outbox_full'} end
  local expires_s = realm.seconds + lasts_s
  local expires_at = utc_text(expires_s, realm.microseconds)
  local reason = offer_rejection(realm, one, two, max_open)
  if reason then
    emit(realm, exchange_body('offer_rejected', nil, offer_id, expires_at, reason, one, nil, two, nil))
  else
    local player = load_player(realm, one.player_id)
    hold(player, one, 1)
    change(realm, player)
    emit(realm, exchange_body('offer_made', nil, offer_id, expires_at, nil, one, state_of(player, {}), two, nil))
  end
  keep_decision(realm, digest, fingerprint, reason)
  write_all(realm)
  if not reason then write_offer(realm, offer_id, args[7], expires_at, expires_s, one, two) end
  return {'decided', reason or '', shown_offer(realm, offer_id), shown_player(realm, one.player_id)}
end

-- ---------------------------------------------------------------- ending

local function write_end(realm, offer, status, trade_id)
  local key = offer_key(realm, offer.offer_id)
  redis.call('HSET', key, 'status', status, 'trade_id', trade_id or '')
  redis.call('EXPIRE', key, realm.answer_full_s)
  redis.call('ZREM', realm.keys[OFFER_EXPIRY_KEY], offer.offer_id)
  for _, side in ipairs({offer.one, offer.two}) do
    redis.call('ZREM', open_offers_key(realm, side.player_id), offer.offer_id)
  end
end

-- Ends an open offer without a trade: what it held is free again.
local function close(realm, offer, outcome)
  local player = load_player(realm, offer.one.player_id)
  hold(player, offer.one, -1)
  change(realm, player)
  emit(realm, exchange_body('offer_closed', nil, offer.offer_id, offer.expires_at, outcome, offer.one,
    state_of(player, {}), offer.two, nil))
  write_all(realm)
  write_end(realm, offer, outcome)
end

-- Why an offer cannot be ended now, as a reply, or nil. One whose time is over expires here.
local function cannot_end(realm, offer)
  if not offer then return {'unknown'} end
  if offer.status ~= 'open' then return {'closed', offer.status} end
  if not has_room(realm, 1) then return {'outbox_full'} end
  if offer.expires_s > realm.seconds then return nil end
  close(realm, offer, 'expired')
  return {'closed', 'expired'}
end

--[[ close_offer: player 2 declines, or player 1 cancels.
ARGV  4 offer_id, 5 declined | cancelled, 6 player that acts, or ''
Returns {'decided' | 'replayed' (it had ended that way), offer, player 1, its names}, {'closed', status}, {'forbidden'} (the other
player's to do), {'unknown'} or {'outbox_full'}. ]]
local function close_offer(keys, args)
  local realm, offer_id, outcome, acting = open_realm(keys, args), args[4], args[5], args[6]
  local offer = read_offer(realm, offer_id)
  local problem = offer and not_for(acting, offer, outcome == 'cancelled' and offer.one or offer.two)
  if problem then return problem end
  local is_repeat = offer and offer.status == outcome
  if not is_repeat then
    problem = cannot_end(realm, offer)
    if problem then return problem end
    close(realm, offer, outcome)
  end
  return {is_repeat and 'replayed' or 'decided', shown_offer(realm, offer_id), shown_player(realm, offer.one.player_id)}
end

-- The reply to an acceptance that was decided before, or nil if neither its answer nor the offer is kept.
local function accepted_again(realm, offer, trade_id, record)
  local whole = whole_answer(realm, record)
  if whole then return {'replayed', whole, names_in_answer(realm, whole)} end
  if not offer then return nil end
  forget_values(realm, record, offer.one, offer.two)
  local event_type = record.reason and 'trade_rejected' or 'trade_accepted'
  local body = exchange_body(event_type, trade_id, offer.offer_id, nil, record.reason, offer.one, nil, offer.two, nil)
  local answer = make_answer(realm, record.sequence, time_text(record.occurred_us), body, offer.one, offer.two)
  return {'recalled', answer, names_in_answer(realm, answer)}
end

-- Decides an acceptance in memory; returns the reason against it or nil, and the answer.
local function decide_acceptance(realm, offer, trade_id)
  local one, two = offer.one, offer.two
  local player = load_player(realm, one.player_id)
  hold(player, one, -1)
  local reason = trade_rejection(realm, one, two)
  local body, previous
  if reason then
    hold(player, one, 1)
    body = refuse(trade_id, offer.offer_id, reason, one, two)
  else
    body, previous = accept(realm, trade_id, offer.offer_id, one, two)
  end
  emit(realm, body)
  return reason, make_answer(realm, realm.sequence, realm.occurred_at, body, one, two, previous)
end

--[[ accept_offer: player 2 accepts; what is held and what was asked for change hands, as one trade.
ARGV  4 offer_id, 5 trade_id, 6 digest of it, 7 fingerprint, 8 player that acts, or '', 9 player 2 and 10 its version, as
      the caller saw it, or '' and ''
Returns {status, answer, names of player 1, of player 2} as of a trade, {'mismatch'}, {'other_player'} (that the caller saw is not player 2), {'gone'}
(it was decided, and neither its answer nor the offer is kept) or what `close_offer` returns otherwise. A refused
acceptance leaves the offer open. Of one by a player, no whole answer is kept. ]]
local function accept_offer(keys, args)
  local realm, offer_id, trade_id, digest, fingerprint = open_realm(keys, args), args[4], args[5], args[6], args[7]
  local acting, seen_player, seen_version = args[8], tonumber(args[9]), tonumber(args[10])
  local offer, record = read_offer(realm, offer_id), find_decision(realm, digest)
  if record then
    if record.fingerprint ~= fingerprint then return {'mismatch'} end
    return accepted_again(realm, offer, trade_id, record) or {'gone'}
  end
  local problem = offer and not_for(acting, offer, offer.two) or cannot_end(realm, offer)
  if problem then return problem end
  if seen_player and seen_player ~= offer.two.player_id then return {'other_player'} end
  offer.two.seen_version = seen_version or false
  local reason, answer = decide_acceptance(realm, offer, trade_id)
  keep_decision(realm, digest, fingerprint, reason, (acting == '' or not reason) and answer or nil)
  write_all(realm)
  if not reason then write_end(realm, offer, 'accepted', trade_id) end
  return {'decided', answer, names_of(realm, offer.one.player_id), names_of(realm, offer.two.player_id)}
end

--[[ expire_offers: ends the offers whose time is over. O(limit).
ARGV  4 limit
Returns how many. ]]
local function expire_offers(keys, args)
  local realm, limit = open_realm(keys, args), args[4]
  local due = redis.call('ZRANGEBYSCORE', keys[OFFER_EXPIRY_KEY], '-inf', realm.seconds, 'LIMIT', 0, limit)
  for i, offer_id in ipairs(due) do
    realm = open_realm(keys, args)
    if not has_room(realm, 1) then return i - 1 end
    close(realm, read_offer(realm, offer_id), 'expired')
  end
  return #due
end

-- ---------------------------------------------------------------- asking

--[[ offers: an offer, or a player's open ones by age. O(limit).
ARGV  4 offer_id, or 5 player_id, 6 sequence after which, 7 limit
Returns a list of offers. ]]
local function offers(keys, args)
  local realm, offer_id, player_id, after, limit = read_realm(keys, args), args[4], tonumber(args[5]), args[6], args[7]
  local ids, found = {offer_id}, {}
  if offer_id == '' then
    ids = redis.call('ZRANGEBYSCORE', open_offers_key(realm, player_id), '(' .. after, '+inf', 'LIMIT', 0, limit)
  end
  for _, id in ipairs(ids) do
    local offer = shown_offer(realm, id)
    if #offer[2] > 0 then found[#found + 1] = offer end
  end
  return found
end
