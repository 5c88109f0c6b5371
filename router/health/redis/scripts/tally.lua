-- The count of the votes: the same as tally.ts.

local function setOf(json)
  local set = {}
  for _, cell in ipairs(decoded(json) or {}) do
    if type(cell) == 'string' then set[cell] = true end
  end
  return set
end

-- Cell → {evidence, reason, suspect}.
local function downVotes(json)
  local votes = {}
  for _, group in ipairs(decoded(json) or {}) do
    if type(group) == 'table' and type(group[4]) == 'table' then
      local reason = type(group[2]) == 'string' and group[2] or ''
      local vote = { evidence = group[1], reason = reason, suspect = group[3] == 'release' }
      for _, cell in ipairs(group[4]) do votes[cell] = vote end
    end
  end
  return votes
end

-- What the live machines say, of each router one (`live`; `processes`: all): `sets` (line → the cells in it), per line of up votes how many name the cell, `down` (cell →
-- whether any machine finds it so), and what was tallied already.
local function count(processes)
  local live = votersOf(processes)
  local votes = { live = live, processes = processes, sets = {}, up = {}, caughtUp = {}, lagging = {}, down = {}, tallies = {} }
  for _, list in ipairs({ 'up', 'caughtUp', 'lagging' }) do
    local times = {}
    for _, machine in ipairs(live) do times[machine[list]] = (times[machine[list]] or 0) + 1 end
    for json, machines in pairs(times) do
      votes.sets[json] = votes.sets[json] or setOf(json)
      local counts = votes[list]
      for cell in pairs(votes.sets[json]) do counts[cell] = (counts[cell] or 0) + machines end
    end
  end
  local read = {}
  for _, machine in ipairs(live) do
    local json = machine.down
    if not read[json] then
      read[json] = downVotes(json)
      for cell in pairs(read[json]) do votes.down[cell] = true end
    end
    machine.down = read[json]
  end
  return votes
end

local function mostFrequent(reasons)
  local counts, order, best, most = {}, {}, '', 0
  for _, reason in ipairs(reasons) do
    if not counts[reason] then order[#order + 1] = reason end
    counts[reason] = (counts[reason] or 0) + 1
  end
  for _, reason in ipairs(order) do
    if counts[reason] > most then best, most = reason, counts[reason] end
  end
  return best
end

local function counted(votes, cell)
  local n, downs, calling, suspects, selfDeclared = #votes.live, {}, 0, 0, 0
  local lagging = votes.lagging[cell] or 0
  local up = (votes.up[cell] or 0) + (votes.caughtUp[cell] or 0) + lagging
  for _, machine in ipairs(votes.down[cell] and votes.live or {}) do
    local vote = machine.down[cell]
    if vote then
      downs[#downs + 1] = vote.reason
      if vote.suspect then suspects = suspects + 1 end
      if vote.evidence ~= 'failing' or not vote.suspect then calling = calling + 1 end
      if vote.evidence == 'self-declared' then selfDeclared = selfDeclared + 1 end
    end
  end
  return {
    verdict = (up * 2 > n and 'up') or (#downs * 2 > n and 'down') or nil,
    up = up, down = #downs, suspects = suspects,
    failover = calling * 2 > n,
    caughtUp = (up - lagging) * 2 > up,
    evidence = selfDeclared * 2 > #downs and 'self-declared' or 'unreachable',
    reason = mostFrequent(downs),
  }
end

local function tally(votes, cell)
  if not votes.tallies[cell] then votes.tallies[cell] = counted(votes, cell) end
  return votes.tallies[cell]
end

-- Whether the cell lacks the copy of the home's data that the fleet requires of a cell that is to serve its tenants: no more
-- than half of the machines' opinions of the cell say that this standby is synced. What they say ("<cell> <home>" → how
-- many) is read only where it is asked for.
local function lacksStandby(votes, cell, home)
  if not ASK.requiresStandby or cell == home then return false end
  if not votes.synced then
    votes.synced = {}
    local times = {}
    for _, machine in ipairs(votes.live) do times[machine.standbys] = (times[machine.standbys] or 0) + 1 end
    for json, machines in pairs(times) do
      for standby in pairs(setOf(json)) do votes.synced[standby] = (votes.synced[standby] or 0) + machines end
    end
  end
  local ofCell = tally(votes, cell)
  return (votes.synced[cell .. ' ' .. home] or 0) * 2 <= ofCell.up + ofCell.down
end

local function opinion(votes, machine, cell)
  if machine.down[cell] then return 'down' end
  local up = votes.sets[machine.up][cell] or votes.sets[machine.caughtUp][cell] or votes.sets[machine.lagging][cell]
  return up and 'up' or 'unknown'
end

-- What the first twenty machines say of the cell, as JSON.
local function opinionsJson(votes, cell)
  local parts = {}
  for i = 1, math.min(#votes.live, EVENT_VOTES_MAX) do
    local machine = votes.live[i]
    parts[i] = cjson.encode(machine.id) .. ':"' .. opinion(votes, machine, cell) .. '"'
  end
  return '{' .. table.concat(parts, ',') .. '}'
end
