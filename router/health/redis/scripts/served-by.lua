-- Which cell a record gives a tenant: as served-by.ts.

local SLOTS = 10000

-- The cell of a tenant in a record that is open.
local function cellOf(record, tenant)
  if not record.operation and not next(record.pins) then return record.target end
  local away = record.neighbour or record.home
  if record.share >= 100 then return away end
  local pin = record.pins[tenant]
  if pin then return pin.cell == record.home and record.home or away end
  local slot = record.operation and xxh32(tenant, record.operation % 0x100000000) % SLOTS or 0
  return slot < record.share * 100 and away or record.home
end

-- The same, were the tenant pinned like this (nil: not at all).
local function cellWithPin(record, tenant, pin)
  local pinned = setmetatable({ pins = { [tenant] = pin } }, { __index = record })
  return cellOf(pinned, tenant)
end
