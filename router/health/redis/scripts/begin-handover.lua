-- The handovers that begin by themselves: steps home, pins that expire; and a new neighbour. The same as begin-handover.ts.

local function ownTerms(reason, now)
  return { ['until'] = now + ASK.handoverMs, actor = 'quorum', reason = reason }
end

-- The tenants whose pins have expired, the first one first, by name those of one time.
local function expiredPins(record, now)
  local tenants, pins = {}, record.pins
  for tenant, pin in pairs(pins) do
    if pin['until'] <= now then tenants[#tenants + 1] = tenant end
  end
  table.sort(tenants, function(a, b)
    local one, other = pins[a]['until'], pins[b]['until']
    if one ~= other then return one < other end
    return before(a, b)
  end)
  return tenants
end

-- Whether the tenant may go from one cell to the other. Before anything is written: there may be a thousand that may not.
local function mayGo(losing, gaining, record, votes)
  local ofGaining = tally(votes, gaining)
  if tally(votes, losing).verdict ~= 'up' or ofGaining.verdict ~= 'up' then return false end
  if gaining == record.home then return ofGaining.caughtUp end
  return not lacksStandby(votes, gaining, record.home)
end

local function unpin(record, tenant, state, votes, now)
  local losing, gaining = cellOf(record, tenant), cellWithPin(record, tenant, nil)
  if losing ~= gaining and not mayGo(losing, gaining, record, votes) then return nil end
  local pins = edited(rawFields(jsonOf(state, record)).pins, { [tenant] = false })
  local said, one = { cause = 'expired', reason = 'the pin expired' }, nil
  if losing == gaining then
    -- Nobody changes cell: why and since when the others are where they are stays, or a dwell would begin anew.
    one = stepped(state, record, { pins = pins }, record.since)
  else
    one = closing(state, record, nil, { pins = pins, cause = causeWithPin(record, 'expired') },
      changingJson({ tenants = { tenant }, buckets = {} }), ownTerms(said.reason, now), now)
  end
  said.details = handoverDetails(one.record, one.record.phase)
  said.details.pin = jsonObject({ tenant = cjson.encode(tenant), cell = 'null' })
  one.said = said
  return one
end

-- The end of a pin that has expired. One whose tenant can not change cell now does not keep the others: they are tried in
-- turn, beginning a pin later after each handover that was undone.
local function expirePin(record, state, votes, now)
  if not waited(record, 0, now) then return nil end
  local tenants = expiredPins(record, now)
  for tried = 0, #tenants - 1 do
    local one = unpin(record, tenants[(record.undone + tried) % #tenants + 1], state, votes, now)
    if one then return one end
  end
  return nil
end

-- The next step home, or the end of a pin, if one is due. `record`: an open one.
local function beginStep(record, state, votes, now)
  local step = stepHome(record, votes, now)
  if not step then return expirePin(record, state, votes, now) end
  local aim = { state = step.share == 0 and '"serving"' or '"returning"', cause = cjson.encode(step.cause), deadline = 'null' }
  local one = closing(state, record, step.share, aim, 'null', ownTerms(step.reason, now), now)
  one.said = { cause = step.cause, reason = step.reason, details = handoverDetails(one.record, 'closing') }
  return one
end

-- The neighbour of a home that never changed becomes the record's where a standby is required, once that is synced. Nothing
-- else is new: no epoch, no event.
local function keepNeighbour(rule, rules, state, votes)
  local home, neighbour = rule.home, rule.neighbour
  if not neighbour or neighbour == home or tally(votes, neighbour).verdict ~= 'up' then return nil end
  if lacksStandby(votes, neighbour, home) or isTaken(neighbour, rules, state) then return nil end
  local record = recordIn(state, home, neighbour)
  state.records[home], state.json[home] = record, jsonOf(state, record)
  return { home = home, json = state.json[home] }
end

-- The neighbour that the fleet file wants, once nobody is away, neither of this home nor of another one at that cell, all
-- live machines have the file, and its standby is synced where the fleet requires one.
local function changeNeighbour(record, neighbour, rules, state, votes, now)
  if record.neighbour == neighbour or neighbour == record.home or not isQuiet(record) then return nil end
  if neighbour then
    if tally(votes, neighbour).verdict ~= 'up' then return nil end
    if leansOn(recordIn(state, neighbour), record.home) or isTaken(neighbour, rules, state) then return nil end
    if lacksStandby(votes, neighbour, record.home) then return nil end
  end
  local one = stepped(state, record, { neighbour = textOrNull(neighbour), cause = '"move"' }, now)
  one.isQuiet = true
  local change = { from = textOrNull(record.neighbour), to = textOrNull(neighbour) }
  one.said = { cause = 'move', details = { target = cjson.encode(one.record.target), neighbour = jsonObject(change) },
    reason = 'neighbour ' .. (neighbour or 'none') .. ' instead of ' .. (record.neighbour or 'none') .. ' by the fleet file' }
  return one
end
