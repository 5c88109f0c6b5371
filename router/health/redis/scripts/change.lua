-- Begins a planned change for an operator: the record in closing, or why not. The same as change.ts.
--
-- ARGV[1]  ASK also holds home, neighbour, cause, actor, reason, owner, expiresInMs, handoverMs, requiresStandby, warmUpMs,
--          override (safety rules by name), and wish: {kind: "share", percent} · {kind: "pin", tenant, cell or absent} ·
--          {kind: "cut-over", to, buckets, tenants, generation}
--
-- Returns {answer, rule to overrule or "", record as JSON or "", revision where it is done}: "done" (also where it is so already), the code of a
-- refusal, or "behind" and "passive" where nothing may be decided.

local PINS_MOST, RANGES_MOST, TENANTS_MOST = 1000, 1000, 500
local REFUSED = { ['target-up'] = 'target-down', ['target-not-drained'] = 'target-drained', ['standby-synced'] = 'no-standby',
  ['caught-up'] = 'not-caught-up' }

-- What speaks against giving tenants to the cell: the home, or its neighbour.
local function brokenRules(cell, record, state, votes)
  local ofCell, broken = tally(votes, cell), {}
  if ofCell.verdict ~= 'up' then
    broken[#broken + 1] = 'target-up'
  elseif cell == record.home and not ofCell.caughtUp then
    broken[#broken + 1] = 'caught-up'
  end
  if cell ~= record.home and recordIn(state, cell).state == 'drained' then broken[#broken + 1] = 'target-not-drained' end
  if lacksStandby(votes, cell, record.home) then broken[#broken + 1] = 'standby-synced' end
  return broken
end

-- Each answers {aim, share or nil, changing, details, broken, open, idle}, all JSON but `share`, `broken`, `open` (no tenant
-- changes cell) and `idle` (it is so already, and nobody need know); or nil and why not.
local plans = {}

function plans.share(wish, record, state, votes, now)
  local percent, home, neighbour = wish.percent, record.home, record.neighbour
  local byVerdict = record.state == 'failed-over' or record.state == 'returning'
  if byVerdict and percent ~= 0 and percent ~= 100 then return nil, 'already-away' end
  if percent > 0 and (not neighbour or neighbour == home) then return nil, 'no-neighbour' end
  if percent > record.share and leansOn(recordIn(state, neighbour), home) then return nil, 'target-away' end
  local open = percent == record.share
  local aim = { state = percent == 100 and '"drained"' or '"serving"',
    deadline = percent == 0 and 'null' or whole(now + ASK.expiresInMs) }
  local gaining = percent > record.share and neighbour or home
  return { aim = aim, share = percent, changing = 'null', details = {}, open = open, idle = open and percent == 0,
    broken = open and {} or brokenRules(gaining, record, state, votes) }
end

local function pinsAfter(wish, record, state, now)
  local pin = false
  if wish.cell then
    pin = jsonObject({ cell = cjson.encode(wish.cell), ['until'] = whole(now + ASK.expiresInMs) })
  end
  return edited(rawFields(jsonOf(state, record)).pins, { [wish.tenant] = pin })
end

local function hasRoomFor(tenant, pins)
  if pins[tenant] then return true end
  local number = 0
  for _ in pairs(pins) do number = number + 1 end
  return number < PINS_MOST
end

function plans.pin(wish, record, state, votes, now)
  local tenant, cell, home = wish.tenant, wish.cell, record.home
  if cell and cell ~= home and cell ~= record.neighbour then return nil, 'third-cell' end
  if cell and record.share == 100 then return nil, 'already-away' end
  if cell and not hasRoomFor(tenant, record.pins) then return nil, 'too-many-pins' end
  local gaining = cellWithPin(record, tenant, cell and { cell = cell })
  local open = gaining == cellOf(record, tenant)
  if not open and gaining ~= home and leansOn(recordIn(state, gaining), home) then return nil, 'target-away' end
  local pin = jsonObject({ tenant = cjson.encode(tenant), cell = textOrNull(cell) })
  local aim = { pins = pinsAfter(wish, record, state, now), cause = causeWithPin(record, ASK.cause) }
  return { aim = aim, details = { pin = pin }, open = open, idle = not cell and not record.pins[tenant],
    changing = changingJson({ tenants = { tenant }, buckets = {} }),
    broken = open and {} or brokenRules(gaining, record, state, votes) }
end

plans['cut-over'] = function(wish, record, state, votes)
  local to = wish.to
  local quiet = isQuiet(record) and isQuiet(recordIn(state, to)) and not next(record.pins)
  if to == record.home or not quiet then return nil, 'not-at-home' end
  local ranges, tenants = sizeAfter(record, wish, to)
  if ranges > RANGES_MOST or tenants > TENANTS_MOST then return nil, 'too-many-moves' end
  local moved = partsOf(rawFields(jsonOf(state, record)).moved)
  for _, range in ipairs(wish.buckets) do
    moved[#moved + 1] = jsonObject({ buckets = rangeJson(range), to = cjson.encode(to), generation = whole(wish.generation) })
  end
  for _, tenant in ipairs(wish.tenants) do
    moved[#moved + 1] = jsonObject({ tenant = cjson.encode(tenant), to = cjson.encode(to) })
  end
  local cutOver = sizeOf(wish)
  cutOver.to = cjson.encode(to)
  return { aim = { moved = jsonList(moved) }, changing = changingJson(wish), details = { cutOver = jsonObject(cutOver) },
    broken = tally(votes, to).verdict == 'up' and {} or { 'target-up' }, open = false }
end

local function isUnderWay(state)
  local gaining = gainingHomes(state)
  local to = ASK.wish.kind == 'cut-over' and recordIn(state, ASK.wish.to)
  return recordIn(state, ASK.home).phase == 'closing' or (to and to.phase == 'closing') or gaining[ASK.home]
end

local function carryOut(plan, record, state, votes, now)
  if plan.idle then return { 'done', '', jsonOf(state, record), whole(state.revision) } end
  plan.aim.cause = plan.aim.cause or cjson.encode(ASK.cause)
  local one = nil
  if plan.open then
    one = stepped(state, record, plan.aim, now)
  else
    local terms = { ['until'] = now + ASK.handoverMs, actor = ASK.actor, reason = ASK.reason, to = ASK.wish.to }
    one = closing(state, record, plan.share, plan.aim, plan.changing, terms, now)
  end
  local details = handoverDetails(one.record, one.record.phase)
  details.owner, details.deadline = cjson.encode(ASK.owner), wholeOrNull(one.record.deadline)
  details.overruled = jsonTexts(plan.broken)
  for key, json in pairs(plan.details) do details[key] = json end
  commit(state, { one }, { eventJson(now, one.from, one.record,
    { actor = ASK.actor, cause = ASK.cause, reason = ASK.reason, details = details }, votes) })
  return { 'done', '', one.json, whole(state.revision) }
end

local now = clock()
local state, refused = readyState()
if refused then return refused end
local live = beatWithin(readMachines(), now, ASK.ttlMs)
local votes, common, wish = count(live), commonProtocol(live), ASK.wish
if not isKnown(ASK.home, state, votes) then return { 'not-found', '', '' } end
if wish.kind == 'cut-over' and not isKnown(wish.to, state, votes) then return { 'not-found', '', '' } end
if common < HANDOVERS then return { 'old-routers', '', '' } end
-- Nothing that begins now could end before the machines are all heard.
if isWarmingUp(state, now) then return { 'warming-up', '', '' } end
if isUnderWay(state) then return { 'handover-under-way', '', '' } end
local record = recordIn(state, ASK.home, ASK.neighbour)
local plan, why = plans[wish.kind](wish, record, state, votes, now)
if not plan then return { why, '', '' } end
local rule = firstBinding(plan.broken)
if rule then return { REFUSED[rule], rule, '' } end
-- An older release that comes back before the next beat must leave what is under way alone.
raiseProtocol(state, common)
return carryOut(plan, record, state, votes, now)
