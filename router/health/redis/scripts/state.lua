-- The shared state, and how it is changed. Its fields:
--   incarnation, revision, protocol      protocol: the newest that all live machines have spoken since
--   since          when the first beat came after a silence (ms)
--   record:<home>  record as JSON. Fields that this release does not know stay as they are
--   held:<home>    why the home is held back, as the last event said
--   lost:<home>    when the neighbour that has some of its tenants was first seen down (ms)
--   quarantine:…, dying:…, suspects:…    see quarantine.lua and suspects.lua

local WHYS = { ['budget'] = true, ['no-target'] = true, ['no-standby'] = true, ['suspect-release'] = true, ['warming-up'] = true }
local SCALARS = { ['incarnation'] = true, ['revision'] = true, ['protocol'] = true, ['since'] = true }

-- Plainly at home: serving, open, nobody away, no pins. Decoding a thousand records at each beat took 6 ms; nearly all of
-- them are like this, written in this order, and are decoded only when a decision looks into them. Plain searches: one
-- pattern for all of it took 1.3 ms, these take 0.4.
local function isAtHome(json)
  local at = string.find(json, '","state":"serving","phase":"open","target":"', 1, true)
  at = at and string.find(json, '"share":0,"shareBefore":', at, true)
  at = at and string.find(json, ',"pins":', at, true)
  return at and string.sub(json, at + 8, at + 9) == '{}' and string.sub(json, 1, 9) == '{"home":"'
end

-- Whether a record that is plainly at home shows that it has this neighbour, right behind its home.
local function showsNeighbour(json, home, neighbour)
  local at = #home + 25
  local first, last = string.find(json, neighbour or '"', at, true)
  return first == at and string.sub(json, last + 1, last + 3) == '","'
end

-- The state: records as JSON (`json`) and, where one was looked into, decoded (`records`), both by home; `away`: the homes
-- that did not show that they are plainly at home when it was read, or were changed since. `damaged`: homes whose record is
-- none: it counts as lost. `others`: the fields that are not read here.
local function readState()
  local state = { json = {}, records = {}, away = {}, held = {}, lost = {}, others = {}, damaged = {} }
  local all = redis.call('HGETALL', STATE)
  for i = 1, #all, 2 do
    local field, value = all[i], all[i + 1]
    local kind = string.sub(field, 1, 5)
    if string.sub(field, 1, 7) == 'record:' then
      local home = string.sub(field, 8)
      state.json[home] = value
      if not isAtHome(value) then state.away[home] = true end
    elseif kind == 'held:' then
      state.held[string.sub(field, 6)] = WHYS[value] and value or nil
    elseif kind == 'lost:' then
      state.lost[string.sub(field, 6)] = tonumber(value)
    elseif SCALARS[field] then
      state[field] = value
    else
      state.others[field] = value
    end
  end
  for home in pairs(state.away) do
    local record = readRecord(state.json[home], home)
    if record then
      state.records[home] = record
    else
      state.damaged[#state.damaged + 1] = home
      state.json[home], state.away[home] = nil, nil
    end
  end
  state.revision, state.since = tonumber(state.revision) or 0, tonumber(state.since)
  state.protocol = tonumber(state.protocol) or 0
  return state
end

local function isWarmingUp(state, now)
  return math.abs(now - (state.since or now)) < ASK.warmUpMs
end

local function isPassive(state)
  return state.protocol > ASK.protocol
end

-- Whether the state may know less than the machine that asks: decided upon now, epochs would be given twice. What was
-- published, and then lost by a Redis that failed over, is known by its revision alone.
local function isBehind(state)
  local another = ASK.knownIncarnation and ASK.knownIncarnation ~= state.incarnation
  return another or math.max(ASK.knownRevision or 0, ASK.heardRevision or 0) > state.revision
end

-- A state without a name, or with a damaged record, gets a new name, so that the machines bring back what was lost.
local function named(state)
  for _, home in ipairs(state.damaged) do redis.call('HDEL', STATE, 'record:' .. home) end
  if state.incarnation and #state.damaged == 0 then return end
  state.incarnation, state.since = ASK.name, nil
  redis.call('HSET', STATE, 'incarnation', ASK.name)
end

-- `common`: what all live machines speak.
local function raiseProtocol(state, common)
  if common > state.protocol then redis.call('HSET', STATE, 'protocol', whole(common)) end
end

-- The record of a home, or that of a home that never changed, with this neighbour. Damaged behind its beginning, what could
-- be read stands.
local function recordIn(state, home, neighbour)
  local json = state.json[home]
  if json and not state.records[home] then
    local record = readRecord(json, home)
    if not record then
      record = initialRecord(home)
      local epoch = tonumber(string.match(json, '"epoch":(%d+)'))
      if isEpoch(epoch) then record.epoch = epoch end
      state.json[home] = nil
    end
    state.records[home] = record
  end
  local record = state.records[home] or initialRecord(home)
  if not state.json[home] then record.neighbour = neighbour end
  return record
end

local function jsonOf(state, record)
  return state.json[record.home] or edited(INITIAL,
    { home = cjson.encode(record.home), neighbour = textOrNull(record.neighbour), target = cjson.encode(record.home) })
end

-- The record with values replaced (key → JSON), one epoch on, in memory; `since`: when it changed last. Answers {home, from,
-- record, json}.
local function stepped(state, record, changes, since)
  local home = record.home
  changes.epoch, changes.since = whole(record.epoch + 1), wholeOrNull(since)
  local json = edited(jsonOf(state, record), changes)
  state.json[home], state.away[home] = json, true
  state.records[home] = tidied(decoded(json))
  return { home = home, from = record.state, record = state.records[home], json = json }
end

-- Writes changes {home, json} and events, and tells all machines of the changes.
local function commit(state, changes, events)
  for _, event in ipairs(events) do
    redis.call('XADD', EVENTS, 'MAXLEN', '~', EVENTS_MAX, '*', 'event', event)
  end
  if #changes == 0 then return end
  local raw = {}
  for i, change in ipairs(changes) do
    raw[i] = change.json
    redis.call('HSET', STATE, 'record:' .. change.home, change.json)
  end
  state.revision = state.revision + #changes
  local revision = whole(state.revision)
  redis.call('HSET', STATE, 'revision', revision)
  redis.call('PUBLISH', ASK.channel, '{"revision":' .. revision .. ',"records":[' .. table.concat(raw, ',') .. ']}')
end
