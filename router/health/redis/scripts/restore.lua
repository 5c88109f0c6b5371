-- Brings whole records back to a state that was emptied or lost its last writes: for each home the higher epoch stands. Of an
-- epoch that was given twice, what is stored stands, at the next one: so all machines follow it.
-- A state that a newer release leads is left to it.
--
-- ARGV[1]  ASK; knownRevision: the state's becomes at least that, and one more if a record changed, so that every other
--          machine reads the records again; quarantine (or none): [[tenant, until, since, entry as JSON], …]
-- ARGV[2…] home, epoch, record as JSON, for each record
--
-- Returns the number of records that changed.

local function epochOf(state, home)
  return state.json[home] and recordIn(state, home).epoch or 0
end

local SAYS = { 'neighbour', 'state', 'phase', 'target', 'share', 'shareBefore', 'operation', 'pins', 'moved', 'changing' }

local function isSame(one, other)
  if type(one) ~= 'table' or type(other) ~= 'table' then return one == other end
  for key, value in pairs(one) do
    if not isSame(value, other[key]) then return false end
  end
  for key in pairs(other) do
    if one[key] == nil then return false end
  end
  return true
end

-- Whether both say the same of the home's tenants: as same-rule.ts.
local function saysTheSame(record, raw)
  local other = readRecord(raw, record.home)
  for _, field in ipairs(other and SAYS or {}) do
    if not isSame(record[field], other[field]) then return false end
  end
  return true
end

-- What of this record is to be stored; nil: what is there stands.
local function newer(state, home, epoch, raw)
  local stored = epochOf(state, home)
  if epoch > stored then return raw, epoch end
  if epoch < stored or raw == state.json[home] or saysTheSame(recordIn(state, home), raw) then return nil end
  return edited(state.json[home], { epoch = whole(stored + 1) }), stored + 1
end

-- Who is refused there already stays so by that; whose time is over is not brought back.
local function refusedAgain(state, now)
  local changes, list, size = {}, quarantineOf(state)
  for _, row in ipairs(ASK.quarantine or {}) do
    local entry = { json = row[4], till = row[2], since = row[3] }
    if not list[row[1]] and size < QUARANTINE_MAX and not isOver(entry, now) then
      changes[#changes + 1], size = { tenant = row[1], entry = entry }, size + 1
    end
  end
  return changes
end

local state = readState()
if isPassive(state) then return 0 end
redis.call('HSETNX', STATE, 'incarnation', ASK.name)
local changed = {}
for i = 2, #ARGV, 3 do
  local home = ARGV[i]
  local raw, epoch = newer(state, home, tonumber(ARGV[i + 1]), ARGV[i + 2])
  if raw then
    redis.call('HSET', STATE, 'record:' .. home, raw)
    state.json[home], state.records[home] = raw, { epoch = epoch }
    changed[#changed + 1] = raw
  end
end
local revision = math.max(state.revision, ASK.knownRevision)
if #changed > 0 then revision = revision + 1 end
redis.call('HSET', STATE, 'revision', whole(revision))
if #changed > 0 then
  redis.call('PUBLISH', ASK.channel,
    '{"revision":' .. whole(revision) .. ',"records":[' .. table.concat(changed, ',') .. ']}')
end
state.revision = revision
commitQuarantine(state, refusedAgain(state, clock()), {})
return #changed
