-- JSON edited as text: what an edit is not about stays letter by letter. cjson would write an empty list as {} and large
-- numbers as 1e+15, and later releases keep fields that this one does not know.

local function afterString(json, at)
  at = at + 1
  while true do
    at = string.find(json, '["\\]', at)
    if string.sub(json, at, at) == '"' then return at + 1 end
    at = at + 2
  end
end

-- What stands between the commas of an object or list of valid JSON, in its order.
local function partsOf(json)
  local parts, depth, start, at = {}, 0, 1, 1
  while true do
    at = string.find(json, '["{}%[%],]', at)
    if not at then return parts end
    local mark = string.sub(json, at, at)
    local closes = mark == '}' or mark == ']'
    if depth == 1 and (closes or mark == ',') then
      local part = string.match(string.sub(json, start, at - 1), '^%s*(.-)%s*$')
      if part ~= '' then parts[#parts + 1] = part end
      start = at + 1
    end
    if mark == '{' or mark == '[' then
      depth = depth + 1
      if depth == 1 then start = at + 1 end
    end
    if closes then depth = depth - 1 end
    at = mark == '"' and afterString(json, at) or at + 1
  end
end

-- The fields of an object, in their order: {{key, json}, …}.
local function fieldsOf(json)
  local fields = {}
  for i, part in ipairs(partsOf(json)) do
    local value = afterString(part, 1)
    local key = cjson.decode('[' .. string.sub(part, 1, value - 1) .. ']')[1]
    fields[i] = { key = key, json = string.match(part, '^%s*:%s*(.*)$', value) }
  end
  return fields
end

-- Key → JSON; of two fields with one key the last, as cjson reads them.
local function rawFields(json)
  local raw = {}
  for _, field in ipairs(fieldsOf(json)) do raw[field.key] = field.json end
  return raw
end

-- The object with some values replaced or added (key → JSON), or removed (false).
local function edited(json, changes)
  local parts, seen = {}, {}
  for _, field in ipairs(fieldsOf(json)) do
    local value = changes[field.key]
    if value == nil then value = field.json end
    if value then parts[#parts + 1] = cjson.encode(field.key) .. ':' .. value end
    seen[field.key] = true
  end
  for key, value in pairs(changes) do
    if value and not seen[key] then parts[#parts + 1] = cjson.encode(key) .. ':' .. value end
  end
  return '{' .. table.concat(parts, ',') .. '}'
end

local function jsonList(parts)
  return '[' .. table.concat(parts, ',') .. ']'
end

-- `fields`: key → JSON.
local function jsonObject(fields)
  return edited('{}', fields)
end

local function jsonTexts(texts)
  local parts = {}
  for i, text in ipairs(texts) do parts[i] = cjson.encode(text) end
  return jsonList(parts)
end
