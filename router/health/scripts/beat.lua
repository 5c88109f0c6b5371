-- Takes one machine's beat, forgets the machines that stopped beating, decides, and answers what is now true.
-- The decision is that of decide.ts, word for word; a property test holds the two together.
--
-- KEYS[1]  routers  hash: machine → "<time of its beat, ms> <{fleetDigest, votes} as JSON>"
-- KEYS[2]  state    hash: incarnation, revision, record:<home> → record as JSON. One key, so that Redis loses all of
--                   it or nothing (eviction takes whole keys)
-- KEYS[3]  events   stream, newest 10,000: event → event as JSON, without its id
-- ARGV[1]  channel that hears {revision, records} of each change
-- ARGV[2]  the machine · ARGV[3] its {fleetDigest, votes} as JSON
-- ARGV[4]  its homes as JSON, sorted: [[home, neighbour or ""], …]
-- ARGV[5]  minDwellMs · ARGV[6] a beat counts for this many ms
-- ARGV[7]  revision the machine knows · ARGV[8] incarnation it knows, or ""
-- ARGV[9]  a random name, should the state need a new incarnation
-- ARGV[10] store time (ms) after which nobody waits for this beat any more, or "". A frozen Redis reads such beats
--          when it thaws; their votes are old news and must not count
-- ARGV[11] "", or the time to go by instead of Redis' own (tests alone)
--
-- Returns {now, revision, incarnation, behind: 0 or 1, {machine, fleetDigest, …}, {record as JSON, …}}:
-- the records only where revision or incarnation differ from the known ones. {now} alone past ARGV[10].

local ROUTERS, STATE, EVENTS = KEYS[1], KEYS[2], KEYS[3]
local EVENT_VOTES_MAX = 20
local EVENTS_MAX = 10000
local STATES = { ['serving'] = true, ['failed-over'] = true, ['returning'] = true, ['drained'] = true }

local function whole(value)
  return string.format('%.0f', value)
end

local function clock()
  if ARGV[11] ~= '' then return tonumber(ARGV[11]) end
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

-- The machines that still beat, in the order of their names: {id, votes, fleetDigest}. Others are forgotten. A clock that
-- was set back makes beats of the future: those count for no longer either.
local function liveMachines(now)
  local live = {}
  local all = redis.call('HGETALL', ROUTERS)
  for i = 1, #all, 2 do
    local at, json = string.match(all[i + 1], '^(%d+) (.*)$')
    local beat = at and math.abs(now - tonumber(at)) < tonumber(ARGV[6]) and decoded(json)
    if beat and type(beat.votes) == 'table' and type(beat.fleetDigest) == 'string' then
      live[#live + 1] = { id = all[i], votes = beat.votes, fleetDigest = beat.fleetDigest }
    else
      redis.call('HDEL', ROUTERS, all[i])
    end
  end
  table.sort(live, function(a, b) return before(a.id, b.id) end)
  return live
end

local function isEpoch(value)
  return type(value) == 'number' and value >= 1 and value < 2 ^ 53 and value == math.floor(value)
end

local function isRecord(record, home)
  return record and record.home == home and STATES[record.state] and isEpoch(record.epoch)
    and (record.target == home or (type(record.target) == 'string' and record.target == record.neighbour))
end

-- Incarnation, revision and the records by home, with `raw` beside `record`. A record that is damaged is a record that is
-- lost: it goes, and the state gets a new incarnation, so that the machines bring it back.
local function readState()
  local state = { records = {} }
  local damaged = false
  local all = redis.call('HGETALL', STATE)
  for i = 1, #all, 2 do
    local home = string.match(all[i], '^record:(.*)$')
    if not home then
      state[all[i]] = all[i + 1]
    else
      local record = decoded(all[i + 1])
      if isRecord(record, home) then
        state.records[home] = { raw = all[i + 1], record = record }
      else
        redis.call('HDEL', STATE, all[i])
        damaged = true
      end
    end
  end
  state.revision = tonumber(state.revision) or 0
  if damaged or not state.incarnation then
    state.incarnation = ARGV[9]
    redis.call('HSET', STATE, 'incarnation', state.incarnation)
  end
  return state
end

local function voteOf(machine, cell)
  local vote = machine.votes[cell]
  if type(vote) == 'table' and (vote.opinion == 'up' or vote.opinion == 'down') then return vote end
  return nil
end

local function tally(live, cell)
  local counted = { up = 0, down = 0, reason = '' }
  local selfDeclared, most, reasons, order = 0, 0, {}, {}
  for _, machine in ipairs(live) do
    local vote = voteOf(machine, cell)
    if vote and vote.opinion == 'up' then
      counted.up = counted.up + 1
    elseif vote then
      local reason = type(vote.reason) == 'string' and vote.reason or ''
      counted.down = counted.down + 1
      if vote.evidence == 'self-declared' then selfDeclared = selfDeclared + 1 end
      if not reasons[reason] then order[#order + 1] = reason end
      reasons[reason] = (reasons[reason] or 0) + 1
    end
  end
  for _, reason in ipairs(order) do
    if reasons[reason] > most then
      most = reasons[reason]
      counted.reason = reason
    end
  end
  if counted.up * 2 > #live then counted.verdict = 'up' end
  if counted.down * 2 > #live then counted.verdict = 'down' end
  counted.evidence = selfDeclared * 2 > counted.down and 'self-declared' or 'unreachable'
  return counted
end

local function because(count, live, reason)
  return count .. ' of ' .. #live .. ' routers: ' .. reason
end

local function failover(home, neighbour, records, live)
  if neighbour == '' or neighbour == home then return nil end
  local ofHome = tally(live, home)
  if ofHome.verdict ~= 'down' or tally(live, neighbour).verdict ~= 'up' then return nil end
  local standIn = records[neighbour]
  if standIn and standIn.record.state ~= 'serving' then return nil end
  return { state = 'failed-over', target = neighbour, share = 100, shareBefore = 0, cause = ofHome.evidence,
    reason = because(ofHome.down, live, ofHome.reason) }
end

local function wayHome(record, live, now)
  local ofHome = tally(live, record.home)
  if ofHome.verdict ~= 'up' then return nil end
  local home = { state = 'serving', target = record.home, share = 0, shareBefore = 100 }
  local ofTarget = tally(live, record.target)
  if ofTarget.verdict == 'down' then
    home.cause = 'neighbour-lost'
    home.reason = because(ofTarget.down, live, 'neighbour down: ' .. ofTarget.reason)
    return home
  end
  if type(record.since) == 'number' and now - record.since < tonumber(ARGV[5]) then return nil end
  home.cause = 'recovered'
  home.reason = because(ofHome.up, live, 'answers again')
  return home
end

local function textOrNull(value)
  return type(value) == 'string' and cjson.encode(value) or 'null'
end

local function wholeOrNull(value)
  return type(value) == 'number' and whole(value) or 'null'
end

-- {a: "x"} and [[1, 2]] by hand: cjson takes an empty table for an object, and writes large numbers as 1e+15.
local function pinsJson(pins)
  local parts = {}
  for tenant, cell in pairs(type(pins) == 'table' and pins or {}) do
    parts[#parts + 1] = cjson.encode(tostring(tenant)) .. ':' .. cjson.encode(tostring(cell))
  end
  return '{' .. table.concat(parts, ',') .. '}'
end

local function movedJson(moved)
  local parts = {}
  for _, range in ipairs(type(moved) == 'table' and moved or {}) do
    if type(range) == 'table' and type(range[1]) == 'number' and type(range[2]) == 'number' then
      parts[#parts + 1] = '[' .. whole(range[1]) .. ',' .. whole(range[2]) .. ']'
    end
  end
  return '[' .. table.concat(parts, ',') .. ']'
end

local function recordJson(record)
  return '{"home":' .. cjson.encode(record.home)
    .. ',"neighbour":' .. textOrNull(record.neighbour)
    .. ',"state":' .. cjson.encode(record.state)
    .. ',"phase":' .. (textOrNull(record.phase) == '"closing"' and '"closing"' or '"open"')
    .. ',"target":' .. cjson.encode(record.target)
    .. ',"epoch":' .. whole(record.epoch)
    .. ',"share":' .. whole(record.share) .. ',"shareBefore":' .. whole(record.shareBefore)
    .. ',"operation":' .. wholeOrNull(record.operation)
    .. ',"position":' .. textOrNull(record.position)
    .. ',"deadline":' .. wholeOrNull(record.deadline)
    .. ',"since":' .. wholeOrNull(record.since)
    .. ',"cause":' .. textOrNull(record.cause)
    .. ',"pins":' .. pinsJson(record.pins) .. ',"moved":' .. movedJson(record.moved) .. '}'
end

local function eventJson(from, record, reason, live, now)
  local votes = {}
  for i = 1, math.min(#live, EVENT_VOTES_MAX) do
    local vote = voteOf(live[i], record.home)
    votes[i] = cjson.encode(live[i].id) .. ':"' .. (vote and vote.opinion or 'unknown') .. '"'
  end
  return '{"at":' .. whole(now) .. ',"cell":' .. cjson.encode(record.home)
    .. ',"from":' .. cjson.encode(from) .. ',"to":' .. cjson.encode(record.state)
    .. ',"epoch":' .. whole(record.epoch) .. ',"cause":' .. cjson.encode(record.cause)
    .. ',"actor":"quorum","reason":' .. cjson.encode(reason)
    .. ',"details":{"target":' .. cjson.encode(record.target)
    .. ',"votes":{' .. table.concat(votes, ',') .. '}}}'
end

-- Changes the records in memory; answers {{record, its JSON, event as JSON}, …}.
local function decide(records, live, now)
  local changes = {}
  for _, rule in ipairs(cjson.decode(ARGV[4])) do
    local home, neighbour = rule[1], rule[2]
    local known = records[home]
    local record = known and known.record or { home = home, state = 'serving', target = home, epoch = 1 }
    local step = nil
    if record.state == 'serving' then step = failover(home, neighbour, records, live) end
    if record.state == 'failed-over' then step = wayHome(record, live, now) end
    if step then
      local from = record.state
      record.neighbour = neighbour ~= '' and neighbour or cjson.null
      record.state, record.target, record.cause = step.state, step.target, step.cause
      record.share, record.shareBefore = step.share, step.shareBefore
      record.epoch, record.since = record.epoch + 1, now
      local json = recordJson(record)
      records[home] = { raw = json, record = record }
      changes[#changes + 1] = { home = home, json = json, event = eventJson(from, record, step.reason, live, now) }
    end
  end
  return changes
end

local function store(changes, state)
  local raw = {}
  for i, change in ipairs(changes) do
    state.revision = state.revision + 1
    redis.call('HSET', STATE, 'record:' .. change.home, change.json, 'revision', whole(state.revision))
    redis.call('XADD', EVENTS, 'MAXLEN', '~', EVENTS_MAX, '*', 'event', change.event)
    raw[i] = change.json
  end
  if #raw == 0 then return end
  redis.call('PUBLISH', ARGV[1], '{"revision":' .. whole(state.revision) .. ',"records":[' .. table.concat(raw, ',') .. ']}')
end

local now = clock()
if ARGV[10] ~= '' and now > tonumber(ARGV[10]) then
  return { whole(now) }
end
redis.call('HSET', ROUTERS, ARGV[2], whole(now) .. ' ' .. ARGV[3])
local live = liveMachines(now)
local state = readState()
local knownRevision = tonumber(ARGV[7])
local behind = (ARGV[8] ~= '' and ARGV[8] ~= state.incarnation) or knownRevision > state.revision
if not behind then store(decide(state.records, live, now), state) end

local routers, records = {}, {}
for _, machine in ipairs(live) do
  routers[#routers + 1] = machine.id
  routers[#routers + 1] = machine.fleetDigest
end
if ARGV[8] ~= state.incarnation or knownRevision ~= state.revision then
  for _, known in pairs(state.records) do records[#records + 1] = known.raw end
end
return { whole(now), whole(state.revision), state.incarnation, behind and 1 or 0, routers, records }
