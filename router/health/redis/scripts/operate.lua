-- Forces a failover for an operator: at once, whatever the votes and the budget say. The same as operate.ts.
--
-- ARGV[1]  ASK also holds home, neighbour, actor, reason, owner, expiresInMs, requiresStandby, override (safety rules by name)
--
-- Returns {answer, rule to overrule or "", record as JSON or "", revision where it is done}: "done", the code of a refusal, or "behind" and "passive"
-- where nothing may be decided.

local REFUSED = { ['target-up'] = 'target-down', ['target-not-drained'] = 'target-drained', ['standby-synced'] = 'no-standby' }

local function brokenRules(home, neighbour, standIn, votes)
  local broken = {}
  if tally(votes, neighbour).verdict ~= 'up' then broken[#broken + 1] = 'target-up' end
  if standIn.state == 'drained' then broken[#broken + 1] = 'target-not-drained' end
  if lacksStandby(votes, neighbour, home) then broken[#broken + 1] = 'standby-synced' end
  return broken
end

-- All are there already, whoever sent them: from now on the operator says until when. Nobody moves.
local function stayAway(record, state, now)
  return stepped(state, record, { cause = '"operator"', deadline = whole(now + ASK.expiresInMs) }, now)
end

local function force(record, state, now)
  local away = { state = 'failed-over', share = 100, cause = 'operator', deadline = now + ASK.expiresInMs, relapses = 0 }
  return atOnce(state, record, away, now)
end

local function tell(one, state, votes, broken, now)
  local details = { target = cjson.encode(one.record.target), owner = cjson.encode(ASK.owner),
    deadline = whole(one.record.deadline), overruled = jsonTexts(broken) }
  commit(state, { one }, { eventJson(now, one.from, one.record,
    { actor = ASK.actor, cause = 'operator', reason = ASK.reason, details = details }, votes) })
  return { 'done', '', one.json, whole(state.revision) }
end

local now = clock()
local state, refused = readyState()
if refused then return refused end
local votes = count((beatWithin(readMachines(), now, ASK.ttlMs)))
if not isKnown(ASK.home, state, votes) then return { 'not-found', '', '' } end
local record = recordIn(state, ASK.home, ASK.neighbour)
if record.share == 100 and record.phase == 'open' then return tell(stayAway(record, state, now), state, votes, {}, now) end
if not record.neighbour or record.neighbour == ASK.home then return { 'no-neighbour', '', '' } end
local standIn = recordIn(state, record.neighbour)
if leansOn(standIn, ASK.home) then return { 'target-away', '', '' } end
local broken = brokenRules(ASK.home, record.neighbour, standIn, votes)
local rule = firstBinding(broken)
if rule then return { REFUSED[rule], rule, '' } end
return tell(force(record, state, now), state, votes, broken, now)
