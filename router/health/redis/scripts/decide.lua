-- The verdict: that of decide.ts, word for word; a property test holds the two together.

local RELAPSES_MOST = 10

-- Part of it has been away all the time: that it goes back is no further failover.
local function isOnItsWayHome(record)
  local standing = putBack(record).state
  return standing == 'returning' or standing == 'failed-over'
end

-- It fails again on its way home, or soon after it: it had not recovered.
local function isRelapse(record, now)
  if isOnItsWayHome(record) then return true end
  return record.returned and math.abs(now - record.returned) < dwellMs(record.relapses)
end

local function heldBack(record, rule, ofHome, rules, state, votes, budget)
  if state.warmingUp then return 'warming-up' end
  if not ofHome.failover then return 'suspect-release' end
  if not canStandIn(record, rules, state, votes) then return 'no-target' end
  if lacksStandby(votes, record.neighbour, record.home) then return 'no-standby' end
  if not isOnItsWayHome(record) and not budget.allows(rule) then return 'budget' end
  return nil
end

-- Keeps <kind>:<home>, in the state and in memory; nil removes it.
local function keep(kind, home, value, state)
  if state[kind][home] == value then return end
  state[kind][home] = value
  if value == nil then
    redis.call('HDEL', STATE, kind .. ':' .. home)
  else
    redis.call('HSET', STATE, kind .. ':' .. home, type(value) == 'number' and whole(value) or value)
  end
end

-- A home whose neighbour is lost takes its tenants back; a handover ends. Answers the changes.
local function ended(record, rules, state, votes, now)
  local lostAt = lostSince(record, state, votes, now)
  local reason = neighbourLost(record, lostAt, votes, now)
  keep('lost', record.home, not reason and lostAt or nil, state)
  if reason then
    local home = { state = 'serving', share = 0, cause = 'neighbour-lost', relapses = record.relapses }
    local one = atOnce(state, record, home, now)
    one.said = { cause = home.cause, reason = reason, details = { target = cjson.encode(one.record.target) } }
    return { one }
  end
  return record.phase == 'closing' and endHandover(record, rules, state, votes, now) or {}
end

-- A home that is down goes to its neighbour, or is held back: the change, and the event of one that is held back anew.
local function failedOver(record, rule, ofHome, rules, state, votes, budget, now)
  local why = heldBack(record, rule, ofHome, rules, state, votes, budget)
  local news = why ~= state.held[rule.home]
  keep('held', rule.home, why, state)
  local cause, reason = ofHome.evidence, quorum(votes, ofHome.down, ofHome.reason)
  local said = { cause = cause, reason = reason, details = { suspect = ofHome.suspects > 0 and '"release"' or nil } }
  if why then
    said.details.held = cjson.encode(why)
    return nil, news and eventJson(now, record.state, record, said, votes) or nil
  end
  local relapses = isRelapse(record, now) and math.min(record.relapses + 1, RELAPSES_MOST) or 0
  local one = atOnce(state, record, { state = 'failed-over', share = 100, cause = cause, relapses = relapses }, now)
  said.details.target = cjson.encode(one.record.target)
  one.said = said
  return one, nil
end

-- `rules`: {home, neighbour or nil, buckets, zone or nil}, in the order of the homes' names. Answers changes and events
-- for `commit`, and changes the state in memory.
local function decide(rules, state, votes, now)
  local changes, events = {}, {}
  local function change(one)
    changes[#changes + 1] = one
    -- A quiet home has nobody away, neither before nor after.
    if not one.isQuiet then state.hosts = nil end
    events[#events + 1] = eventJson(now, one.from, one.record, one.said, votes)
  end

  local function endings()
    for _, rule in ipairs(rules) do
      if state.away[rule.home] then
        local record = recordIn(state, rule.home)
        for _, one in ipairs(ended(record, rules, state, votes, now)) do change(one) end
      else
        keep('lost', rule.home, nil, state)
      end
    end
  end

  local function failovers()
    local budget = budgetOf(rules, state, votes)
    for _, rule in ipairs(rules) do
      local ofHome = votes.down[rule.home] and tally(votes, rule.home)
      local record = ofHome and ofHome.verdict == 'down' and recordIn(state, rule.home, rule.neighbour)
      if record and (record.share < 100 or record.phase == 'closing') then
        local one, event = failedOver(record, rule, ofHome, rules, state, votes, budget, now)
        if one then
          change(one)
          budget.add(rule)
        end
        events[#events + 1] = event
      else
        keep('held', rule.home, nil, state)
      end
    end
  end

  local function beginnings()
    local gaining = gainingHomes(state)
    for _, rule in ipairs(rules) do
      local home, one = rule.home, nil
      if state.away[home] then
        local record = recordIn(state, home)
        if record.phase == 'open' then
          if votes.handsOver and not gaining[home] then one = beginStep(record, state, votes, now) end
          if not one and votes.oneFleet then one = changeNeighbour(record, rule.neighbour, rules, state, votes, now) end
        end
      elseif votes.oneFleet and state.json[home] and not showsNeighbour(state.json[home], home, rule.neighbour) then
        one = changeNeighbour(recordIn(state, home, rule.neighbour), rule.neighbour, rules, state, votes, now)
      elseif votes.oneFleet and ASK.requiresStandby and not state.json[home] then
        changes[#changes + 1] = keepNeighbour(rule, rules, state, votes)
      end
      if one then change(one) end
    end
  end

  if not state.warmingUp then endings() end
  failovers()
  if not state.warmingUp then beginnings() end
  return changes, events
end
