-- What was moved to other homes, less what came back: `without` and `sizeOf` of handover.ts and end-handover.ts.

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
    local left = {}
    for _, one in ipairs(ranges) do lessThan(one, taken, left) end
    ranges = left
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
