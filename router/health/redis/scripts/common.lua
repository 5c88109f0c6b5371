-- What every script begins with: how it was asked, the time, and how values become text.
--
-- KEYS[1]  routers  hash: machine → its beat (machines.lua)
-- KEYS[2]  state    hash (state.lua). One key, so that Redis loses all of it or nothing (eviction takes whole keys)
-- KEYS[3]  events   stream, newest 10,000: event → event as JSON, without its id
-- ARGV[1]  how it is asked, as JSON; absent: not said
--            channel    hears {revision, records} of each change
--            protocol   what this release speaks
--            name       a random one, should the state need a new incarnation
--            knownRevision, knownIncarnation   what the machine that asks has read in full
--            heardRevision   the newest that it has heard of, by whatever way
--            ttlMs      a beat counts for this long
--            now        the time (ms) to go by instead of Redis' own (tests alone)

local ROUTERS, STATE, EVENTS = KEYS[1], KEYS[2], KEYS[3]
local ASK = cjson.decode(ARGV[1])
local EVENT_VOTES_MAX = 20
local EVENTS_MAX = 10000

local function clock()
  if ASK.now then return ASK.now end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- The order of bytes: Lua's own `<` follows the locale Redis was started in.
local function before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local function decoded(json)
  local ok, value = pcall(cjson.decode, json)
  if ok and type(value) == 'table' then return value end
  return nil
end

-- cjson writes large numbers as 1e+15.
local function whole(value)
  return string.format('%.0f', value)
end

local function textOrNull(value)
  return type(value) == 'string' and cjson.encode(value) or 'null'
end

local function wholeOrNull(value)
  return value and whole(value) or 'null'
end
