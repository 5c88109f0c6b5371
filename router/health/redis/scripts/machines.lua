-- The machines that beat, each process by a name of its own: <router> <process>, or <router> alone of a release that tells no
-- process. Two processes of one router, a restarted one and the one before it, are two machines with one vote. One beat, as
-- it is kept, is the time (ms) and six lines of JSON:
--   <time> {fleetDigest, protocol, knownRevision, knownIncarnation, confirmations: {home: [epoch, held, ready]}}
--   [cells that are up] · [up, and say they caught up] · [up, and say they did not]
--   [[evidence, reason, suspect or "", [cells that are down]], …]
--   ["<cell> <home>" of each synced standby, …]   a release that knows none leaves the line out
-- Mostly all machines find the same: equal lines are read once.

-- The first protocol that speaks of handovers.
local HANDOVERS = 2
local LINES = { 'up', 'caughtUp', 'lagging', 'down' }

-- Plain searches: a pattern took 1 ms for ten machines of a thousand cells.
local function machineOf(name, text)
  local space, line = string.find(text, ' ', 1, true), string.find(text, '\n', 1, true)
  local at = space and tonumber(string.sub(text, 1, space - 1))
  local machine = at and line and decoded(string.sub(text, space + 1, line - 1))
  if not machine or type(machine.fleetDigest) ~= 'string' then return nil end
  machine.name, machine.id, machine.at = name, string.match(name, '^[^ ]*'), at
  for _, name in ipairs(LINES) do
    if not line then return nil end
    local next = string.find(text, '\n', line + 1, true)
    machine[name] = string.sub(text, line + 1, (next or 0) - 1)
    line = next
  end
  local last = line and string.find(text, '\n', line + 1, true)
  machine.standbys = line and string.sub(text, line + 1, (last or 0) - 1) or '[]'
  return machine
end

-- All machines whose beats can be read, and the names of those that wrote something else.
local function readMachines()
  local machines, unreadable = {}, {}
  local all = redis.call('HGETALL', ROUTERS)
  for i = 1, #all, 2 do
    local machine = machineOf(all[i], all[i + 1])
    if machine then machines[#machines + 1] = machine else unreadable[#unreadable + 1] = all[i] end
  end
  return machines, unreadable
end

-- Those that beat within `ms`, in the order of their names, and the names of the others. A clock that was set back makes
-- beats of the future: those count for no longer either.
local function beatWithin(machines, now, ms)
  local live, silent = {}, {}
  for _, machine in ipairs(machines) do
    machine.age = math.abs(now - machine.at)
    if machine.age < ms then live[#live + 1] = machine else silent[#silent + 1] = machine.name end
  end
  table.sort(live, function(a, b) return before(a.name, b.name) end)
  return live, silent
end

-- Of each router the process that beat last, out of those in the order of their names.
local function votersOf(live)
  local voters = {}
  for _, machine in ipairs(live) do
    local other = voters[#voters]
    local at = other and other.id == machine.id and #voters or #voters + 1
    if at > #voters or machine.age <= other.age then voters[at] = machine end
  end
  return voters
end

-- What it says of the handover of this epoch: {epoch, held, ready}; nil: nothing.
local function confirmationOf(machine, home, epoch)
  local all = machine.confirmations
  local one = type(all) == 'table' and all[home]
  return type(one) == 'table' and one[1] == epoch and one or nil
end

-- The newest protocol that all of them speak, and this release too.
local function commonProtocol(live)
  local common = ASK.protocol
  for _, machine in ipairs(live) do common = math.min(common, tonumber(machine.protocol) or 0) end
  return common
end
