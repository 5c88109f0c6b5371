-- Brings whole records back to a state that was emptied or lost its last writes: for each home the higher epoch stands.
--
-- KEYS[1]  state    hash: incarnation, revision, record:<home> → record as JSON
-- ARGV[1]  channel that hears {revision, records} of what changed
-- ARGV[2]  the revision that the machine knows: the state's becomes at least that, and one more if a record changed,
--          so that every other machine reads the records again
-- ARGV[3]  a random name, should the state have no incarnation
-- ARGV[4…] home, epoch, record as JSON, for each record
--
-- Returns the number of records that changed.

local STATE = KEYS[1]

local function epochOf(home)
  local raw = redis.call('HGET', STATE, 'record:' .. home)
  local ok, record = pcall(cjson.decode, raw or 'null')
  if ok and type(record) == 'table' and type(record.epoch) == 'number' then return record.epoch end
  return 0
end

redis.call('HSETNX', STATE, 'incarnation', ARGV[3])
local changed = {}
for i = 4, #ARGV, 3 do
  local home, epoch, raw = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  if epoch > epochOf(home) then
    redis.call('HSET', STATE, 'record:' .. home, raw)
    changed[#changed + 1] = raw
  end
end
local revision = math.max(tonumber(redis.call('HGET', STATE, 'revision') or '') or 0, tonumber(ARGV[2]))
if #changed > 0 then revision = revision + 1 end
local text = string.format('%.0f', revision)
redis.call('HSET', STATE, 'revision', text)
if #changed > 0 then
  redis.call('PUBLISH', ARGV[1], '{"revision":' .. text .. ',"records":[' .. table.concat(changed, ',') .. ']}')
end
return #changed
