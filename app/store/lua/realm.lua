--[[ The rules of Haggle, as functions of Redis. Each decides commands atomically: state, outbox entry, record and whole answer
are written in the same step. app/store/functions.py joins these files in its order, puts the constants of
app/store/layout.py and app/store/keys.py in front, and calls the functions.

In every function: all checks first, on players in memory, then all writes; so a refusal or a defect writes nothing
half-way. Amounts are integers of 0 … MAX_AMOUNT, which Lua's doubles hold exactly; callers check types and ranges.

An outbox entry stands for one or more events: its id is <sequence of the last>-0, its fields are `occurred_at` and
`events`, MessagePack of a list of event bodies (events.lua). What else is stored is MessagePack as well, see layout.py:
one string is read and written faster than a hash of many fields. What is not there is false.

This file: what one call knows. ARGV of every function begins with 1 outbox_max_events, 2 answer_full_s, 3 the tag of the
catalog that the caller knows, or '' if it shows none. Where another one is in force, the reply is an error that begins with
OTHER_CATALOG, and nothing is done: the caller learns the new one and calls again. ]]

local STAGING_TTL_S = 60
-- MessagePack of false
local FALSE = '\194'
local read_retained, catalog_in_force

-- The text of an amount; Lua's own conversion, which `..` makes, keeps 14 digits.
local function integer_text(number)
  return number < 1e14 and number or string.format('%.0f', number)
end

-- ---------------------------------------------------------------- time

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

-- A time as 2026-11-24T08:00:00.000000Z.
local function utc_text(seconds, microseconds)
  local year, month, day = civil_date(math.floor(seconds / 86400))
  local rest = seconds % 86400
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', year, month, day,
    math.floor(rest / 3600), math.floor(rest / 60) % 60, rest % 60, microseconds)
end

-- The time of so many microseconds since 1970.
local function time_text(microseconds)
  return utc_text(math.floor(microseconds / 1e6), microseconds % 1e6)
end

-- ---------------------------------------------------------------- one call

-- What one call knows and is about to write.
local function open_realm(keys, args)
  local stored = redis.call('MGET', keys[SEQUENCE_KEY], keys[PUBLISHED_KEY], keys[RETAINED_KEY], keys[CATALOG_TAG_KEY])
  local tag = stored[4] or ''
  if args[3] ~= '' and args[3] ~= tag then error({err = 'OTHER_CATALOG ' .. tag .. ' is in force'}) end
  local time = redis.call('TIME')
  local seconds, microseconds = tonumber(time[1]), tonumber(time[2])
  local sequence = tonumber(stored[1] or 0)
  return {
    keys = keys, catalog_tag = tag, catalog = catalog_in_force(keys, tag),
    players = {}, packed = {}, changed = {}, bodies = {}, names = {}, supply = {},
    digests = {}, decided = {}, records = {}, sequences = {}, answers = {}, shards = {},
    sequence = sequence, published = tonumber(stored[2] or 0), retained = read_retained(stored[3], seconds, sequence),
    outbox_max_events = tonumber(args[1]), answer_full_s = args[2],
    seconds = seconds, microseconds = microseconds, occurred_us = seconds * 1e6 + microseconds,
    occurred_at = utc_text(seconds, microseconds), minute = math.floor(seconds / 60),
  }
end

-- The realm for a call that decides nothing.
local function read_realm(keys, args)
  local realm = open_realm(keys, args)
  realm.only_reads = true
  return realm
end

-- Whether so many more events may wait for Kafka.
local function has_room(realm, events)
  return realm.sequence - realm.published + events <= realm.outbox_max_events
end

-- Takes back what was decided in memory since `sequence`.
local function forget(realm, sequence)
  realm.players, realm.packed, realm.changed = {}, {}, {}
  realm.bodies, realm.digests, realm.decided = {}, {}, {}
  realm.records, realm.sequences, realm.answers = {}, {}, {}
  realm.sequence = sequence
end

-- ---------------------------------------------------------------- keys

local function player_key(realm, player_id)
  return realm.keys[PLAYER_PREFIX] .. integer_text(player_id)
end

local function offer_key(realm, offer_id)
  return realm.keys[OFFER_PREFIX] .. offer_id
end

local function open_offers_key(realm, player_id)
  return realm.keys[OPEN_OFFERS_PREFIX] .. integer_text(player_id)
end

-- A batch's status, and what is staged of it: players, decisions, events.
local function batch_keys(realm, batch_id)
  local key = realm.keys[BATCH_PREFIX] .. batch_id
  return key, key .. ':players', key .. ':decisions', key .. ':events'
end
