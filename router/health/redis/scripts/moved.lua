-- What was moved to other homes, less what came back: as moved.ts, `without` of handover.ts and `sizeOf` of end-handover.ts.

-- A range less another one: none, one or two ranges.
local function lessThan(range, taken, left)
  local from, to, first, last = range[1], range[2], taken[1], taken[2]
  if last < from or first > to then
    left[#left + 1] = range
    return
  end
  if first > from then left[#left + 1] = { from, first - 1 } end
  if last < to then left[#left + 1] = { last + 1, to } end
end

local function rangesLeft(range, buckets)
  local ranges = { range }
  for _, taken in ipairs(buckets) do
    if taken[1] <= range[2] and taken[2] >= range[1] then
      local left = {}
      for _, one in ipairs(ranges) do lessThan(one, taken, left) end
      ranges = left
    end
  end
  return ranges
end

local function rangeJson(range)
  return '[' .. whole(range[1]) .. ',' .. whole(range[2]) .. ']'
end

-- The entries of a list in JSON that are left, each in JSON. to: of the ranges only those that went there lose anything.
local function without(json, changing, to)
  local tenants, left = {}, {}
  for _, tenant in ipairs(changing.tenants) do tenants[tenant] = true end
  for _, part in ipairs(partsOf(json)) do
    local entry = cjson.decode(part)
    if entry.buckets and to and entry.to ~= to then
      left[#left + 1] = part
    elseif entry.buckets then
      for _, range in ipairs(rangesLeft(entry.buckets, changing.buckets)) do
        left[#left + 1] = edited(part, { buckets = rangeJson(range) })
      end
    elseif not tenants[entry.tenant] then
      left[#left + 1] = part
    end
  end
  return left
end

-- How many ranges and tenants will have moved once a cut-over to this home is open.
local function sizeAfter(record, changing, to)
  local ranges, tenants, entered = #changing.buckets, #changing.tenants, {}
  for _, tenant in ipairs(changing.tenants) do entered[tenant] = true end
  for _, entry in ipairs(record.moved) do
    if not entry.buckets then
      tenants = tenants + (entered[entry.tenant] and 0 or 1)
    elseif entry.to ~= to then
      ranges = ranges + 1
    else
      ranges = ranges + #rangesLeft(entry.buckets, changing.buckets)
    end
  end
  return ranges, tenants
end

-- How much a cut-over moves, as fields in JSON.
local function sizeOf(changing)
  local buckets = 0
  for _, range in ipairs(changing.buckets) do buckets = buckets + range[2] - range[1] + 1 end
  return { buckets = whole(buckets), tenants = whole(#changing.tenants) }
end

local function changingJson(changing)
  local ranges = {}
  for i, range in ipairs(changing.buckets) do ranges[i] = rangeJson(range) end
  return jsonObject({ tenants = jsonTexts(changing.tenants), buckets = jsonList(ranges) })
end

-- How many entries a closing cut-over has added, the last ones: of a pin that changes none is there.
local function entered(record)
  local buckets, tenants = record.changing.buckets, record.changing.tenants
  local number = #buckets + #tenants
  local first = #record.moved - number
  if first < 0 then return 0 end
  for i, range in ipairs(buckets) do
    local entry = record.moved[first + i].buckets
    if not entry or entry[1] ~= range[1] or entry[2] ~= range[2] then return 0 end
  end
  for i, tenant in ipairs(tenants) do
    if record.moved[first + #buckets + i].tenant ~= tenant then return 0 end
  end
  return number
end

-- What had moved before a closing record that only a cell has told of, as JSON.
local function movedSoFar(record, json)
  local parts = partsOf(json)
  local number = record.changing and #parts - entered(record) or #parts
  return '[' .. table.concat(parts, ',', 1, number) .. ']'
end

-- What has moved once a cut-over is open, as JSON: what it has entered, and what is left of what was entered before.
local function movedAfter(record, json)
  local parts, length = partsOf(json), #record.handover.from.moved
  local moved = without('[' .. table.concat(parts, ',', 1, length) .. ']', record.changing, record.handover.to)
  for i = length + 1, #parts do moved[#moved + 1] = parts[i] end
  return jsonList(moved)
end

-- Whether it is a pin that changes by a closing record that only a cell has told of.
local function changesPin(record)
  return record.changing ~= nil and #record.changing.tenants > 0 and entered(record) == 0
end
