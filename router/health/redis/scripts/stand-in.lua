-- Whether a cell can stand in for a home, or has another one's tenants already: the same as stand-in.ts.

-- Whether several homes of the file have this neighbour. Counted once for all `rules`.
local function isShared(neighbour, rules)
  if not rules.naming then
    rules.naming = {}
    for _, rule in ipairs(rules) do
      local name = rule.neighbour or ''
      rules.naming[name] = (rules.naming[name] or 0) + 1
    end
  end
  return (rules.naming[neighbour] or 0) > 1
end

-- Whether a home that had this neighbour before still has tenants there. `state.hosts` (the cells where homes have any) is
-- kept until a record changes: a new file may give a thousand homes another neighbour in one beat.
local function isTaken(neighbour, rules, state)
  if isShared(neighbour, rules) then return false end
  if not state.hosts then
    state.hosts = {}
    for home in pairs(state.away) do
      local record = recordIn(state, home)
      if record.neighbour and anyAway(record) then state.hosts[record.neighbour] = true end
    end
  end
  return state.hosts[neighbour] == true
end

local function canStandIn(record, rules, state, votes)
  local home, neighbour = record.home, record.neighbour
  if not neighbour or neighbour == home or tally(votes, neighbour).verdict ~= 'up' then return false end
  local standIn = recordIn(state, neighbour)
  if standIn.state == 'drained' or leansOn(standIn, home) then return false end
  -- A home that never changed has the file's neighbour, and the file may be newer than where others are away.
  return state.json[home] ~= nil or not isTaken(neighbour, rules, state)
end
