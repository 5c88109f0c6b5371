-- Forces a failover for an operator: at once, whatever the votes and the budget say. The same as operate.ts.
--
-- ARGV[1]  ASK also holds home, neighbour, actor, reason, owner, expiresInMs, override (safety rules by name)
--
-- Returns {answer, rule to overrule or "", record as JSON or ""}: "done", the code of a refusal, or "behind" and "passive"
-- where nothing may be decided.

local REFUSED = { ['target-up'] = 'target-down', ['target-not-drained'] = 'target-drained' }

local function isKnown(home, state, votes)
  return state.json[home] or votes.up[home] or votes.caughtUp[home] or votes.lagging[home] or votes.down[home]
end

local function brokenRules(neighbour, standIn, votes)
  local broken = {}
  if tally(votes, neighbour).verdict ~= 'up' then broken[#broken + 1] = 'target-up' end
  if standIn.state == 'drained' then broken[#broken + 1] = 'target-not-drained' end
  return broken
end

local function force(state, votes, broken, now)
  local deadline = now + ASK.expiresInMs
  local step = { state = 'failed-over', target = ASK.neighbour, cause = 'operator', deadline = deadline }
  local change = stepped(state, ASK.home, ASK.neighbour, step, now)
  local overruled = #broken > 0 and cjson.encode(broken) or '[]'
  local details = '{"target":' .. cjson.encode(ASK.neighbour) .. ',"owner":' .. cjson.encode(ASK.owner)
    .. ',"deadline":' .. whole(deadline) .. ',"overruled":' .. overruled
    .. ',"votes":' .. opinionsJson(votes, ASK.home) .. '}'
  commit(state, { change }, { eventJson(now, change.from, change.record,
    { actor = ASK.actor, cause = 'operator', reason = ASK.reason, details = details }) })
  return { 'done', '', change.json }
end

local now = clock()
local state = readState()
if isPassive(state) then return { 'passive', '', '' } end
named(state)
if isBehind(state) then return { 'behind', '', '' } end
local votes = count((beatWithin(readMachines(), now, ASK.ttlMs)))
if not isKnown(ASK.home, state, votes) then return { 'not-found', '', '' } end
if recordIn(state, ASK.home).state ~= 'serving' then return { 'already-away', '', state.json[ASK.home] } end
if not ASK.neighbour or ASK.neighbour == ASK.home then return { 'no-neighbour', '', '' } end
local standIn = recordIn(state, ASK.neighbour)
if standIn.target == ASK.home then return { 'target-away', '', '' } end
local broken = brokenRules(ASK.neighbour, standIn, votes)
local overrides = {}
for _, rule in ipairs(ASK.override) do overrides[rule] = true end
for _, rule in ipairs(broken) do
  if not overrides[rule] then return { REFUSED[rule], rule, '' } end
end
return force(state, votes, broken, now)
