-- How a handover ends: open once all have confirmed it, else undone. The same as end-handover.ts.

local WAITING_MOST = 20
local CELLS = 'cells'

-- Who has not confirmed yet, in words.
local function missing(record, votes)
  local ready, waitingFor = false, {}
  for _, machine in ipairs(votes.processes) do
    local one = confirmationOf(machine, record.home, record.epoch)
    if one and one[3] == true then ready = true end
    if not one then
      waitingFor[#waitingFor + 1] = machine.id .. ': no answer'
    elseif one[2] ~= true then
      waitingFor[#waitingFor + 1] = machine.id .. ': requests inside'
    end
  end
  if not ready then waitingFor[#waitingFor + 1] = CELLS end
  return waitingFor
end

local function saidAtEnd(record, reason, details)
  local handover = record.handover or { actor = 'quorum', reason = reason }
  return { actor = handover.actor, reason = handover.reason, cause = record.cause or 'operator', details = details }
end

local function open(record, state, now)
  local one = opened(state, record, now)
  one.said = saidAtEnd(record, '', handoverDetails(one.record, 'open'))
  return one
end

local function undo(record, waitingFor, state, now)
  local one = undone(state, record, now)
  local details = handoverDetails(one.record, 'undone')
  details.waitingFor = jsonTexts({ unpack(waitingFor, 1, math.min(#waitingFor, WAITING_MOST)) })
  one.said = saidAtEnd(record, 'nobody knows what it was to become', details)
  return one
end

-- A closing record that only a cell has told of goes back to what its share and its moves were. What a pin was nobody knows:
-- it becomes what it says, once all machines hold its tenant and have nothing of it inside either cell, be it late.
local function endAdopted(record, state, votes, now)
  if not changesPin(record) then return { undo(record, {}, state, now) } end
  for _, one in ipairs(missing(record, votes)) do
    if one ~= CELLS then return {} end
  end
  local one, tenant = open(record, state, now), record.changing.tenants[1] or ''
  local pin = one.record.pins[tenant]
  one.said.reason = 'nobody knows what it was before'
  one.said.details.pin = jsonObject({ tenant = cjson.encode(tenant), cell = textOrNull(pin and pin.cell) })
  return { one }
end

-- The new home's epoch rises, too; what it had moved away before and now gets back is its own again.
local function gained(record, gainer, state, now)
  local moved = without(rawFields(jsonOf(state, gainer)).moved, record.changing or { tenants = {}, buckets = {} })
  local one = stepped(state, gainer, { cause = '"move"', moved = jsonList(moved) }, now)
  local cutOver = record.changing and sizeOf(record.changing) or { buckets = '0', tenants = '0' }
  cutOver.from = cjson.encode(record.home)
  one.said = { actor = record.handover.actor, reason = record.handover.reason, cause = 'move',
    details = { target = cjson.encode(one.record.target), cutOver = jsonObject(cutOver) } }
  return one
end

-- The record of the home that gains by a cut-over, else nil.
local function gainerOf(handover, rules, state)
  local neighbour = nil
  for _, rule in ipairs(handover.to and rules or {}) do
    if rule.home == handover.to then neighbour = rule.neighbour end
  end
  return handover.to and recordIn(state, handover.to, neighbour)
end

-- The changes that end the handover of a closing record, of two homes where buckets change theirs; none: it goes on.
local function endHandover(record, rules, state, votes, now)
  local handover, since = record.handover, record.since or now
  if not handover then return endAdopted(record, state, votes, now) end
  local waitingFor = missing(record, votes)
  if #waitingFor == 0 then
    local gainer = gainerOf(handover, rules, state)
    if gainer and not isQuiet(gainer) then return { undo(record, { 'home ' .. handover.to }, state, now) } end
    return { open(record, state, now), gainer and gained(record, gainer, state, now) or nil }
  end
  -- A clock that was set back must not keep tenants without a cell for as long as it was set back.
  if math.abs(now - since) < handover['until'] - since then return {} end
  return { undo(record, waitingFor, state, now) }
end
