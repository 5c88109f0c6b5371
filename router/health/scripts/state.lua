-- The shared state, and how it is changed. Its fields:
--   incarnation, revision, protocol      protocol: the newest that all live machines have spoken since
--   since          when the first beat came after a silence (ms)
--   record:<home>  record as JSON. Fields that this release does not know stay as they are
--   held:<home>    why the home is held back, as the last event said
--   lost:<home>    when the neighbour that stands in for it was first seen down (ms)
--   quarantine:…, dying:…, suspects:…    see quarantine.lua and suspects.lua

local STATES = { ['serving'] = true, ['failed-over'] = true, ['returning'] = true, ['drained'] = true }
local WHYS = { ['budget'] = true, ['no-target'] = true, ['suspect-release'] = true, ['warming-up'] = true }
local SCALARS = { ['incarnation'] = true, ['revision'] = true, ['protocol'] = true, ['since'] = true }

local function isEpoch(value)
  return type(value) == 'number' and value >= 1 and value < 2 ^ 53 and value == math.floor(value)
end

local function isText(value)
  return type(value) == 'string'
end

local function isWhole(value)
  return type(value) == 'number' and math.abs(value) < 2 ^ 53 and value == math.floor(value)
end

-- Epoch milliseconds that are a date.
local function isMoment(value)
  return isWhole(value) and math.abs(value) <= 8.64e15
end

local function isPercent(value)
  return type(value) == 'number' and value >= 0 and value <= 100
end

local function isTable(value)
  return type(value) == 'table'
end

local function orNull(is)
  return function(value) return value == cjson.null or is(value) end
end

-- The fields beside those that name the home, its state and who serves it.
local FIELDS = {
  neighbour = orNull(isText), phase = function(value) return value == 'open' or value == 'closing' end,
  share = isPercent, shareBefore = isPercent, operation = orNull(isWhole), position = orNull(isText),
  deadline = orNull(isMoment), since = orNull(isMoment), cause = orNull(isText), pins = isTable, moved = isTable,
}

-- What the machines can not read (wire.ts) must not be decided upon either: they would never hear of it.
local function isRecord(record, home)
  if not record or record.home ~= home or not STATES[record.state] or not isEpoch(record.epoch) then return false end
  for field, is in pairs(FIELDS) do
    if not is(record[field]) then return false end
  end
  return record.target == home or (isText(record.target) and record.target == record.neighbour)
end

-- Decoding a thousand records at each beat took 6 ms; nearly all of them are at home. Those show it at their beginning, as
-- all records are written, and are decoded only when a decision looks into them.
local function isAtHome(json)
  local at = string.find(json, ',"state":"', 1, true)
  return at and string.sub(json, 1, 8) == '{"home":' and string.sub(json, at + 10, at + 17) == 'serving"'
end

-- The state: records as JSON (`json`) and, where one was looked into, decoded (`records`), both by home; `away`: the homes
-- that did not show that they are at home when it was read. `damaged`: homes whose record is none: it counts as lost.
-- `others`: the fields that are not read here.
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
    local record = decoded(state.json[home])
    if isRecord(record, home) then
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

local function isPassive(state)
  return state.protocol > ASK.protocol
end

-- Whether the state may know less than the machine that asks: decided upon now, epochs would be given twice.
local function isBehind(state)
  local another = ASK.knownIncarnation and ASK.knownIncarnation ~= state.incarnation
  return another or (ASK.knownRevision or 0) > state.revision
end

-- A state without a name, or with a damaged record, gets a new name, so that the machines bring back what was lost.
local function named(state)
  for _, home in ipairs(state.damaged) do redis.call('HDEL', STATE, 'record:' .. home) end
  if state.incarnation and #state.damaged == 0 then return end
  state.incarnation, state.since = ASK.name, nil
  redis.call('HSET', STATE, 'incarnation', ASK.name)
end

-- The record of a home, or that of a home that never changed. Damaged behind its beginning, what could be read stands.
local function recordIn(state, home)
  local json = state.json[home]
  if json and not state.records[home] then
    local record = decoded(json)
    if not isRecord(record, home) then
      local epoch = tonumber(string.match(json, '"epoch":(%d+)'))
      record = { home = home, state = 'serving', target = home, epoch = isEpoch(epoch) and epoch or 1 }
      state.json[home] = nil
    end
    state.records[home] = record
  end
  return state.records[home] or { home = home, state = 'serving', target = home, epoch = 1 }
end

local function afterString(json, at)
  at = at + 1
  while true do
    at = string.find(json, '["\\]', at)
    if string.sub(json, at, at) == '"' then return at + 1 end
    at = at + 2
  end
end

local function fieldOf(text)
  local from = string.find(text, '"', 1, true)
  if not from then return nil end
  local value = afterString(text, from)
  local key = cjson.decode('[' .. string.sub(text, from, value - 1) .. ']')[1]
  return { key = key, json = string.match(text, '^%s*:%s*(.-)%s*$', value) }
end

-- The fields of an object of valid JSON, in their order: {{key, json}, …}.
local function fieldsOf(json)
  local fields, depth, start, at = {}, 0, 1, 1
  while true do
    at = string.find(json, '["{}%[%],]', at)
    if not at then return fields end
    local mark = string.sub(json, at, at)
    if (mark == ',' or mark == '}') and depth == 1 then
      fields[#fields + 1] = fieldOf(string.sub(json, start, at - 1))
      start = at + 1
    end
    if mark == '{' or mark == '[' then
      depth = depth + 1
      if depth == 1 then start = at + 1 end
    end
    if mark == '}' or mark == ']' then depth = depth - 1 end
    at = mark == '"' and afterString(json, at) or at + 1
  end
end

local INITIAL = '{"home":0,"neighbour":null,"state":"serving","phase":"open","target":0,"epoch":1,"share":0,"shareBefore":0,'
  .. '"operation":null,"position":null,"deadline":null,"since":null,"cause":null,"pins":{},"moved":[]}'

-- The record's JSON with some values replaced (key → JSON). The rest stays letter by letter: cjson would write an empty
-- list as {} and large numbers as 1e+15, and later releases keep fields in it that this one does not know.
local function edited(raw, changes)
  local parts, seen = {}, {}
  for _, field in ipairs(fieldsOf(raw or INITIAL)) do
    parts[#parts + 1] = cjson.encode(field.key) .. ':' .. (changes[field.key] or field.json)
    seen[field.key] = true
  end
  for key, json in pairs(changes) do
    if not seen[key] then parts[#parts + 1] = cjson.encode(key) .. ':' .. json end
  end
  return '{' .. table.concat(parts, ',') .. '}'
end

-- The record after a step {state, target, cause, deadline}, one epoch on, in memory. Answers {home, from, record, json}.
local function stepped(state, home, neighbour, step, now)
  local from = recordIn(state, home)
  local away = step.state == 'failed-over'
  local record = { home = home, neighbour = neighbour, state = step.state, target = step.target,
    epoch = from.epoch + 1, cause = step.cause, since = now, deadline = step.deadline }
  local json = edited(state.json[home], {
    home = cjson.encode(home), neighbour = textOrNull(neighbour), state = cjson.encode(step.state),
    target = cjson.encode(step.target), epoch = whole(record.epoch), share = away and '100' or '0',
    shareBefore = away and '0' or '100', deadline = step.deadline and whole(step.deadline) or 'null',
    since = whole(now), cause = cjson.encode(step.cause),
  })
  state.json[home], state.records[home] = json, record
  return { home = home, from = from.state, record = record, json = json }
end

-- `details`: JSON. `from` and `to` are the same where a home is held back.
local function eventJson(now, from, record, said)
  return '{"at":' .. whole(now) .. ',"cell":' .. cjson.encode(record.home)
    .. ',"from":' .. cjson.encode(from) .. ',"to":' .. cjson.encode(record.state)
    .. ',"epoch":' .. whole(record.epoch) .. ',"cause":' .. cjson.encode(said.cause)
    .. ',"actor":' .. cjson.encode(said.actor) .. ',"reason":' .. cjson.encode(said.reason)
    .. ',"details":' .. said.details .. '}'
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
