-- The verdict: that of decide.ts, budget.ts and way-home.ts, word for word; a property test holds the two together.
-- ASK also holds minDwellMs, neighbourLostMs, maxFailedOver (0–1 of the weight).

local function quorum(votes, number, reason)
  return number .. ' of ' .. #votes.live .. ' routers: ' .. reason
end

local function lostSince(record, state, votes, now)
  if record.state ~= 'failed-over' then return nil end
  local verdict = tally(votes, record.target).verdict
  if verdict == 'up' then return nil end
  local known = state.lost[record.home]
  if known and known <= now then return known end
  return (known or verdict == 'down') and now or nil
end

local function timeIsUp(record, ofHome, votes, now)
  local home = { state = 'serving', target = record.home }
  if record.cause == 'operator' then
    if type(record.deadline) == 'number' and now < record.deadline then return nil end
    home.cause, home.reason = 'expired', 'the forced failover expired'
    return home
  end
  if type(record.since) == 'number' and math.abs(now - record.since) < ASK.minDwellMs then return nil end
  home.cause, home.reason = 'recovered', quorum(votes, ofHome.up, 'answers again')
  return home
end

local function wayHome(record, lostAt, votes, now)
  local ofHome = tally(votes, record.home)
  if ofHome.verdict ~= 'up' then return nil end
  local ofTarget = tally(votes, record.target)
  if ofTarget.verdict == 'down' then
    if not ofHome.caughtUp and now - (lostAt or now) < ASK.neighbourLostMs then return nil end
    return { state = 'serving', target = record.home, cause = 'neighbour-lost',
      reason = quorum(votes, ofTarget.down, 'neighbour down: ' .. ofTarget.reason) }
  end
  return ofHome.caughtUp and timeIsUp(record, ofHome, votes, now) or nil
end

-- The cells that count as failed over by verdict, and what may join them.
local function budgetOf(rules, state, votes)
  local budget = { cells = 0, buckets = 0, total = 0, zones = 0, awayIn = {} }
  local zones = {}
  local function add(rule)
    budget.cells, budget.buckets = budget.cells + 1, budget.buckets + rule.buckets
    budget.awayIn[rule.zone or ''] = (budget.awayIn[rule.zone or ''] or 0) + 1
  end
  for _, rule in ipairs(rules) do
    budget.total = budget.total + rule.buckets
    if rule.zone and not zones[rule.zone] then
      zones[rule.zone] = true
      budget.zones = budget.zones + 1
    end
    if state.away[rule.home] then
      local record = recordIn(state, rule.home)
      local counts = record.state == 'failed-over' and record.cause ~= 'operator'
      if counts and tally(votes, record.target).verdict ~= 'down' then add(rule) end
    end
  end
  budget.add = add
  function budget.allows(rule)
    if budget.cells == 0 then return true end
    if rule.zone and budget.zones >= 2 and budget.awayIn[rule.zone] == budget.cells then return true end
    return budget.buckets + rule.buckets <= ASK.maxFailedOver * budget.total
  end
  return budget
end

local function canStandIn(home, neighbour, state, votes)
  if not neighbour or neighbour == home then return false end
  local standIn = recordIn(state, neighbour)
  return standIn.state ~= 'drained' and standIn.target ~= home and tally(votes, neighbour).verdict == 'up'
end

local function heldBack(rule, ofHome, state, votes, budget)
  if state.warmingUp then return 'warming-up' end
  if not ofHome.failover then return 'suspect-release' end
  if not canStandIn(rule.home, rule.neighbour, state, votes) then return 'no-target' end
  if not budget.allows(rule) then return 'budget' end
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

-- `rules`: {home, neighbour or nil, buckets, zone or nil}, in the order of the homes' names. Answers changes and events
-- for `commit`, and changes the state in memory.
local function decide(rules, state, votes, now)
  local changes, events = {}, {}
  local function change(rule, step, suspect)
    local one = stepped(state, rule.home, rule.neighbour, step, now)
    local details = '{"target":' .. cjson.encode(step.target) .. suspect
      .. ',"votes":' .. opinionsJson(votes, rule.home) .. '}'
    changes[#changes + 1] = one
    events[#events + 1] = eventJson(now, one.from, one.record,
      { actor = 'quorum', cause = step.cause, reason = step.reason, details = details })
  end

  local function takeHome(rule)
    local record = state.away[rule.home] and recordIn(state, rule.home)
    local lostAt = record and lostSince(record, state, votes, now) or nil
    local step = record and record.state == 'failed-over' and wayHome(record, lostAt, votes, now) or nil
    if step then lostAt = nil end
    keep('lost', rule.home, lostAt, state)
    if step then change(rule, step, '') end
  end

  local function failOver(rule, budget)
    local serving = not state.away[rule.home] or recordIn(state, rule.home).state == 'serving'
    local ofHome = serving and votes.down[rule.home] and tally(votes, rule.home)
    local wanted = ofHome and ofHome.verdict == 'down'
    local why = wanted and heldBack(rule, ofHome, state, votes, budget) or nil
    local news = why ~= state.held[rule.home]
    keep('held', rule.home, why, state)
    if not wanted then return end
    local suspect = ofHome.suspects > 0 and ',"suspect":"release"' or ''
    local reason = quorum(votes, ofHome.down, ofHome.reason)
    if not why then
      change(rule, { state = 'failed-over', target = rule.neighbour, cause = ofHome.evidence, reason = reason }, suspect)
      budget.add(rule)
    elseif news then
      local record = recordIn(state, rule.home)
      events[#events + 1] = eventJson(now, record.state, record, { actor = 'quorum', cause = ofHome.evidence, reason = reason,
        details = '{"held":"' .. why .. '"' .. suspect .. ',"votes":' .. opinionsJson(votes, rule.home) .. '}' })
    end
  end

  if not state.warmingUp then
    for _, rule in ipairs(rules) do takeHome(rule) end
  end
  local budget = budgetOf(rules, state, votes)
  for _, rule in ipairs(rules) do failOver(rule, budget) end
  return changes, events
end
