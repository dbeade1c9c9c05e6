--[[ The catalog of the realm: which items exist and what each is worth, and what players of each class start with.

One version is in force at a time, and decides every command, whatever file the engine has that calls. It stands under
`catalog` as MessagePack (layout.py), its tag `<version>.<digest>` under `catalog_tag`; `catalogs` has the digest of each
version that there was, and `supply` the units of each item that players hold together. ]]

local MOST_CATALOGS = 16
-- what was unpacked last, by the realm's key; the tag says whether it is still in force
local unpacked, unpacked_count = {}, 0

local function read_catalog(packed, tag)
  local fields = cmsgpack.unpack(packed)
  local catalog = {tag = tag, version = fields[CATALOG_VERSION], max_capacity = fields[CATALOG_MAX_CAPACITY],
    since_us = fields[CATALOG_SINCE_US], values = {}, classes = {}}
  for _, item in ipairs(fields[CATALOG_ITEMS]) do catalog.values[item[ITEM_ITEM_ID]] = item[ITEM_VALUE] end
  for _, class in ipairs(fields[CATALOG_CLASSES]) do catalog.classes[class[CLASS_NAME]] = class end
  return catalog
end

local NO_CATALOG = {version = 0, max_capacity = 0, since_us = 0, values = {}, classes = {}}

function catalog_in_force(keys, tag)
  if tag == '' then return NO_CATALOG end
  local name = keys[CATALOG_KEY]
  local found = unpacked[name]
  if found and found.tag == tag then return found end
  if unpacked_count >= MOST_CATALOGS then unpacked, unpacked_count = {}, 0 end
  found = read_catalog(redis.call('GET', name), tag)
  unpacked[name], unpacked_count = found, unpacked_count + 1
  return found
end

-- Notes that the game brought in, or took away, units of an item.
local function count_supply(realm, item_id, delta)
  realm.supply[item_id] = (realm.supply[item_id] or 0) + delta
end

local function write_supply(realm)
  for item_id, delta in pairs(realm.supply) do
    if delta ~= 0 then redis.call('HINCRBY', realm.keys[SUPPLY_KEY], integer_text(item_id), integer_text(delta)) end
  end
end
