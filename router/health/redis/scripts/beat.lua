-- Takes one machine's beat, forgets the machines that stopped beating, decides, and answers what is now true.
--
-- KEYS[4…] ledger   HyperLogLog per home and epoch: <tenant>:<second> in which the tenant was refused
-- ARGV[1]  ASK also holds
--            machine    who beats, by its name in machines.lua
--            lateAt     store time (ms) after which nobody waits for this beat any more. A frozen Redis reads such beats
--                       when it thaws; their votes are old news and must not count
--            silenceMs, warmUpMs   after that long without any beat, nothing is decided for this long
--            fleetDigest, fleetInForce   the file that it has loaded, and whether that is in force there
--            minDwellMs, neighbourLostMs, handoverMs, maxFailedOver, requiresStandby   its setting, and its fleet's
-- ARGV[2]  its beat, less the time, as machines.lua keeps it
-- ARGV[3]  its homes as JSON, by name: {homes: […], neighbours: [… or ""], buckets: […], zones: [… or ""]}
-- ARGV[4…] the marks for KEYS[4…], each as a JSON list
--
-- Returns {now, revision, incarnation, behind: 0 or 1, passive: 0 or 1, {name, fleetDigest, age in ms, current: "0" or
-- "1", …}, {home, why it is held back, …}, {record as JSON, …}, {quarantined tenant as JSON, …} or nothing}: the
-- records and the quarantine only where revision or incarnation differ from the known ones. {now} alone past lateAt.

local LEDGER_TTL_S = 7 * 24 * 3600

local function rulesOf(json)
  local columns = cjson.decode(json)
  local rules = {}
  for i, home in ipairs(columns.homes) do
    local neighbour, zone = columns.neighbours[i], columns.zones[i]
    rules[i] = { home = home, neighbour = neighbour ~= '' and neighbour or nil, buckets = columns.buckets[i],
      zone = zone ~= '' and zone or nil }
  end
  return rules
end

-- Nobody is heard for a while where the state is new, Redis was frozen, or its clock jumped: until each live machine has
-- beaten again, a majority of those that have is none.
local function warmUp(state, machines, now)
  if not state.since or #beatWithin(machines, now, ASK.silenceMs) == 0 then
    state.since = now
    redis.call('HSET', STATE, 'since', whole(now))
  end
  state.warmingUp = isWarmingUp(state, now)
end

-- Whether the machine confirms a handover that the state has lost.
local function confirmsMore(machine, state)
  local all = machine and machine.confirmations
  for home, one in pairs(type(all) == 'table' and all or {}) do
    local epoch = type(one) == 'table' and one[1]
    local stored = state.json[home] and recordIn(state, home).epoch or 0
    if type(epoch) == 'number' and epoch > stored then return true end
  end
  return false
end

local function forget(names)
  for _, name in ipairs(names) do redis.call('HDEL', ROUTERS, name) end
end

-- The votes of the live machines, whether all of them speak of handovers, and whether all have the fleet that is in force.
local function heard(live)
  local votes = count(live)
  votes.handsOver, votes.oneFleet = commonProtocol(live) >= HANDOVERS, ASK.fleetInForce
  for _, machine in ipairs(live) do
    if machine.fleetDigest ~= ASK.fleetDigest then votes.oneFleet = false end
  end
  return votes
end

-- A ledger that can not be kept must not keep a verdict from being given.
local function keepLedger()
  for i = 4, #KEYS do
    redis.pcall('PFADD', KEYS[i], unpack(cjson.decode(ARGV[i])))
    redis.pcall('EXPIRE', KEYS[i], LEDGER_TTL_S)
  end
end

local function routersOf(live, state, now)
  local flat = {}
  for _, machine in ipairs(live) do
    local knows = machine.knownIncarnation == state.incarnation
      and (tonumber(machine.knownRevision) or 0) >= state.revision
    local current = machine.name == ASK.machine or knows
    for _, value in ipairs({ machine.name, machine.fleetDigest, whole(math.abs(now - machine.at)), current and '1' or '0' }) do
      flat[#flat + 1] = value
    end
  end
  return flat
end

local function heldOf(rules, state)
  local flat = {}
  for _, rule in ipairs(rules) do
    if state.held[rule.home] then
      flat[#flat + 1] = rule.home
      flat[#flat + 1] = state.held[rule.home]
    end
  end
  return flat
end

local function recordsOf(state)
  local records = {}
  if ASK.knownIncarnation == state.incarnation and ASK.knownRevision == state.revision then return records end
  for _, json in pairs(state.json) do records[#records + 1] = json end
  return records
end

-- Nothing where the machine knows it.
local function refusedOf(state)
  if ASK.knownIncarnation == state.incarnation and ASK.knownRevision == state.revision then return false end
  local list = {}
  for _, entry in pairs((quarantineOf(state))) do list[#list + 1] = entry.json end
  return list
end

local now = clock()
if ASK.lateAt and now > ASK.lateAt then return { whole(now) } end
local state, rules = readState(), rulesOf(ARGV[3])
local machines, unreadable = readMachines()
local passive = isPassive(state)
if not passive then
  named(state)
  warmUp(state, machines, now)
end
local beat = whole(now) .. ' ' .. ARGV[2]
redis.call('HSET', ROUTERS, ASK.machine, beat)
for i = #machines, 1, -1 do
  if machines[i].name == ASK.machine then table.remove(machines, i) end
end
machines[#machines + 1] = machineOf(ASK.machine, beat)
local live, silent = beatWithin(machines, now, ASK.ttlMs)
local behind = isBehind(state) or confirmsMore(machines[#machines], state)
if not passive then
  for i = #unreadable, 1, -1 do
    if unreadable[i] == ASK.machine then table.remove(unreadable, i) end
  end
  forget(silent)
  forget(unreadable)
  raiseProtocol(state, commonProtocol(live))
  if not behind then
    local votes = heard(live)
    lookAtTenants(state, votes, now)
    commit(state, decide(rules, state, votes, now))
  end
  keepLedger()
end
return { whole(now), whole(state.revision), state.incarnation or '', behind and 1 or 0, passive and 1 or 0,
  routersOf(live, state, now), heldOf(rules, state), recordsOf(state), refusedOf(state) }
