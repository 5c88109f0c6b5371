-- The steps of a handover, each from one record to the next: as handover.ts and `atOnce` of decision.ts. Each changes the
-- state in memory and answers as `stepped`.

-- The record as it was before its handover, at the same epoch; one that is open as it is.
local function putBack(record)
  if record.phase == 'open' then return record end
  local before = {}
  for field, value in pairs(record) do before[field] = value end
  before.share, before.phase, before.changing, before.handover = record.shareBefore, 'open', nil, nil
  if record.handover then
    for field in pairs(PUT_BACK) do before[field] = record.handover.from[field] end
  else
    before.state = before.share == 100 and 'failed-over' or 'serving'
    before.target = before.share > 0 and record.neighbour or record.home
    if before.share == 0 or before.share == 100 then before.operation = nil end
  end
  return before
end

-- What puts it back, as JSON: letter by letter what `handover.from` says.
local function puttingBack(state, record)
  if record.phase == 'open' then return {} end
  local before, changes = putBack(record), {}
  if record.handover then
    local from = rawFields(rawFields(rawFields(jsonOf(state, record)).handover).from)
    for field in pairs(PUT_BACK) do changes[field] = from[field] end
  else
    changes.state, changes.target = cjson.encode(before.state), cjson.encode(before.target)
    changes.operation = wholeOrNull(before.operation)
    changes.moved = movedSoFar(record, rawFields(jsonOf(state, record)).moved)
  end
  changes.share, changes.phase = cjson.encode(before.share), '"open"'
  changes.changing, changes.handover = 'null', 'null'
  return changes
end

local ON_PURPOSE = { ['operator'] = true, ['expired'] = true, ['rollout'] = true, ['move'] = true }

-- Whether tenants of an open record are away because a verdict sent them there, and nobody on purpose.
local function isAwayByVerdict(record)
  if record.state ~= 'failed-over' and record.state ~= 'returning' then return false end
  return not ON_PURPOSE[record.cause or '']
end

-- What all tenants of the home being given to one cell at once changes.
local function atOnce(state, record, to, now)
  local before, changes = putBack(record), puttingBack(state, record)
  if to.share == 0 then
    local gone = {}
    for tenant, pin in pairs(before.pins) do
      if pin.cell ~= record.home then gone[tenant] = false end
    end
    changes.pins = edited(changes.pins or rawFields(jsonOf(state, record)).pins, gone)
  end
  changes.state, changes.cause = cjson.encode(to.state), cjson.encode(to.cause)
  changes.target = cjson.encode(to.share > 0 and record.neighbour or record.home)
  changes.share, changes.shareBefore = whole(to.share), cjson.encode(before.share)
  changes.deadline, changes.relapses = wholeOrNull(to.deadline), whole(to.relapses)
  changes.operation, changes.undone = 'null', '0'
  if to.share == 0 and isAwayByVerdict(before) then changes.returned = whole(now) end
  return stepped(state, record, changes, now)
end

-- `aim`: what it changes to, as JSON by field; `share`: a number, nil: as it is · `changing`: JSON · `terms`: {until, actor,
-- reason, to or nil}.
local function closing(state, record, share, aim, changing, terms, now)
  local raw, from = rawFields(jsonOf(state, record)), {}
  for field in pairs(PUT_BACK) do from[field] = raw[field] end
  share = share or record.share
  if share ~= record.share and not record.operation then aim.operation = whole(record.epoch + 1) end
  aim.phase, aim.changing = '"closing"', changing
  aim.share, aim.shareBefore = cjson.encode(share), cjson.encode(record.share)
  aim.target = cjson.encode(share > 0 and record.neighbour or record.home)
  aim.handover = jsonObject({ ['until'] = whole(terms['until']), actor = cjson.encode(terms.actor),
    reason = cjson.encode(terms.reason), to = textOrNull(terms.to), from = jsonObject(from) })
  return stepped(state, record, aim, now)
end

local function opened(state, record, now)
  local changes = { phase = '"open"', changing = 'null', undone = '0', handover = 'null' }
  if record.share == 0 or record.share == 100 then changes.operation = 'null' end
  local from = record.handover and record.handover.from
  if record.share == 0 and from and isAwayByVerdict(from) then changes.returned = whole(now) end
  if record.changing and record.handover and record.handover.to then
    changes.moved = movedAfter(record, rawFields(jsonOf(state, record)).moved)
  end
  return stepped(state, record, changes, now)
end

local function undone(state, record, now)
  local changes = puttingBack(state, record)
  changes.shareBefore, changes.undone = cjson.encode(record.share), whole(record.undone + 1)
  return stepped(state, record, changes, now)
end

-- Whether `cell` serves tenants of this home, or will, or will again if a handover is undone.
local function leansOn(record, cell)
  return record.target == cell or putBack(record).target == cell
end

-- Whether tenants of this home are, or may come to be, at its neighbour.
local function anyAway(record)
  for _, one in ipairs({ record, putBack(record) }) do
    if one.share > 0 then return true end
    for _, pin in pairs(one.pins) do
      if pin.cell ~= record.home then return true end
    end
  end
  return false
end

-- The cause of a record after one of its pins changed, as JSON: while all are away it says still why.
local function causeWithPin(record, ofPin)
  local cause = ofPin
  if record.state ~= 'serving' then cause = record.cause end
  return textOrNull(cause)
end

-- Whether nothing of the home is under way or away.
local function isQuiet(record)
  return record.state == 'serving' and record.phase == 'open' and not anyAway(record)
end

-- The homes that buckets are being cut over to.
local function gainingHomes(state)
  local gaining = {}
  for home in pairs(state.away) do
    local record = recordIn(state, home)
    local to = record.phase == 'closing' and record.handover and record.handover.to
    if to then gaining[to] = true end
  end
  return gaining
end
