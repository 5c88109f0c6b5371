-- What a record must be. The same as wire.ts: what the machines can not read must not be decided upon either, for they
-- would never hear of it.

local INITIAL = '{"home":0,"neighbour":null,"state":"serving","phase":"open","target":0,"epoch":1,"share":0,"shareBefore":0,'
  .. '"operation":null,"position":null,"deadline":null,"since":null,"cause":null,"pins":{},"moved":[],"changing":null,'
  .. '"returned":null,"relapses":0,"undone":0,"handover":null}'

-- What other parts use. All else is this one's own: a script has room for 200 locals.
local PUT_BACK, isEpoch, tidied, readRecord, initialRecord

do
  local CAUSES = { ['unreachable'] = true, ['self-declared'] = true, ['operator'] = true, ['recovered'] = true,
    ['neighbour-lost'] = true, ['expired'] = true, ['rollout'] = true, ['move'] = true }
  local CELL_MOST = 256
  local STATES = { ['serving'] = true, ['failed-over'] = true, ['returning'] = true, ['drained'] = true }

  local function isText(value)
    return type(value) == 'string'
  end

  -- How long JavaScript finds a text: what UTF-8 writes in four bytes counts twice there.
  local function unitsOf(text)
    local _, first = string.gsub(text, '[^\128-\191]', '')
    local _, four = string.gsub(text, '[\240-\255]', '')
    return first + four
  end

  local function isCell(value)
    return isText(value) and value ~= '' and (#value <= CELL_MOST or unitsOf(value) <= CELL_MOST)
  end

  local function isCause(value)
    return CAUSES[value] == true
  end

  local function isWhole(value)
    return type(value) == 'number' and math.abs(value) < 2 ^ 53 and value == math.floor(value)
  end

  local function isCount(value)
    return isWhole(value) and value >= 0
  end

  function isEpoch(value)
    return isWhole(value) and value >= 1
  end

  -- Epoch milliseconds that are a date.
  local function isMoment(value)
    return isWhole(value) and math.abs(value) <= 8.64e15
  end

  local function isPercent(value)
    return type(value) == 'number' and value >= 0 and value <= 100
  end

  local function isBucket(value)
    return isCount(value) and value <= 65535
  end

  local function isState(value)
    return STATES[value] == true
  end

  local function isPhase(value)
    return value == 'open' or value == 'closing'
  end

  local function orNull(is)
    return function(value) return value == cjson.null or is(value) end
  end

  -- Records of a release before handovers lack it.
  local function orAbsent(is)
    return function(value) return value == nil or is(value) end
  end

  local function with(checks)
    return function(value)
      if type(value) ~= 'table' then return false end
      for field, is in pairs(checks) do
        if not is(value[field]) then return false end
      end
      return true
    end
  end

  local function each(isKey, is)
    return function(values)
      if type(values) ~= 'table' then return false end
      for key, value in pairs(values) do
        if not isKey(key) or not is(value) then return false end
      end
      return true
    end
  end

  local isBuckets = each(isCount, isBucket)
  local function isRange(value)
    return isBuckets(value) and #value == 2
  end

  local isPins = each(isText, with({ cell = isCell, ['until'] = isMoment }))
  local isMovedRange = with({ buckets = isRange, to = isCell, generation = isCount })
  local isMovedTenant = with({ tenant = isText, to = isCell })
  local isMoved = each(isCount, function(value) return isMovedRange(value) or isMovedTenant(value) end)
  local isChanging = with({ tenants = each(isCount, isText), buckets = each(isCount, isRange) })

  -- What an undo puts back.
  PUT_BACK = { state = isState, target = isCell, operation = orNull(isWhole), deadline = orNull(isMoment),
    cause = orNull(isCause), pins = isPins, moved = isMoved }
  local isHandover = with({ ['until'] = isMoment, actor = isText, reason = isText, to = orNull(isCell),
    from = with(PUT_BACK) })

  local hasFields = with({
    home = isCell, neighbour = orNull(isCell), state = isState, phase = isPhase, target = isCell, epoch = isEpoch,
    share = isPercent, shareBefore = isPercent, operation = orNull(isWhole), position = orNull(isText),
    deadline = orNull(isMoment), since = orNull(isMoment), cause = orNull(isCause), pins = isPins, moved = isMoved,
    changing = orAbsent(orNull(isChanging)), returned = orAbsent(orNull(isMoment)), relapses = orAbsent(isCount),
    undone = orAbsent(isCount), handover = orAbsent(orNull(isHandover)),
  })

  local function isRecord(record, home)
    return hasFields(record) and record.home == home
      and (record.target == home or record.target == record.neighbour)
  end

  local function withoutNulls(fields)
    for field, value in pairs(fields) do
      if value == cjson.null then fields[field] = nil end
    end
  end

  -- A record's nulls absent, and what older releases lack in place.
  function tidied(record)
    withoutNulls(record)
    if record.handover then
      withoutNulls(record.handover)
      withoutNulls(record.handover.from)
    end
    record.relapses, record.undone = record.relapses or 0, record.undone or 0
    return record
  end

  -- nil: the JSON is no record of this home.
  function readRecord(json, home)
    local record = decoded(json)
    return isRecord(record, home) and readsTheSame(json) and tidied(record) or nil
  end

  -- That of a home that never changed.
  function initialRecord(home)
    return { home = home, state = 'serving', phase = 'open', target = home, epoch = 1, share = 0, shareBefore = 0,
      pins = {}, moved = {}, relapses = 0, undone = 0 }
  end
end
