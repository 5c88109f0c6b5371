-- Who may have killed a cell, and who is refused for it: the same as suspects.ts and quarantineBySight. Kept in the state:
--   dying:<cell>     {at, judged, many, tenants: [[home, tenant, 1 if the same request was in another cell before], …]}
--   suspects:<home>  {died: [[cell, ms], …], tenants: […], again: […]}
-- ASK also holds accusations (or none): {deaths: [[cell, 1 if too many, tenants as above], …],
-- failing: [[cell, home, tenant], …]}

local lookAtTenants

do
  local SUSPECT_MS, JUDGE_AFTER_MS, CONFIRM_MS, SUSPECTS_MAX = 600000, 1000, 5000, 1000
  local DEATHS_THAT_TELL, DEATHS_KEPT = 3, 10

  local function sortedKeys(map)
    local keys = {}
    for key in pairs(map) do keys[#keys + 1] = key end
    table.sort(keys, before)
    return keys
  end

  local function readInFlight(rows)
    local tenants = {}
    for _, row in ipairs(type(rows) == 'table' and rows or {}) do
      if type(row) == 'table' and type(row[1]) == 'string' and type(row[2]) == 'string' then
        tenants[#tenants + 1] = { home = row[1], tenant = row[2], again = row[3] == 1 }
      end
    end
    return tenants
  end

  local function readDying(json)
    local death = decoded(json)
    if not death or type(death.at) ~= 'number' then return nil end
    return { at = death.at, judged = death.judged == true, many = death.many == true, tenants = readInFlight(death.tenants) }
  end

  local function dyingJson(death)
    local rows = {}
    for i, one in ipairs(death.tenants) do
      rows[i] = jsonList({ cjson.encode(one.home), cjson.encode(one.tenant), one.again and '1' or '0' })
    end
    return jsonObject({ at = whole(death.at), judged = tostring(death.judged), many = tostring(death.many),
      tenants = jsonList(rows) })
  end

  local function recent(died, now)
    local left = {}
    for _, death in ipairs(type(died) == 'table' and died or {}) do
      local isDeath = type(death) == 'table' and type(death[1]) == 'string' and type(death[2]) == 'number'
      if isDeath and math.abs(now - death[2]) < SUSPECT_MS then left[#left + 1] = death end
    end
    return left
  end

  local function texts(list)
    local kept = {}
    for _, text in ipairs(type(list) == 'table' and list or {}) do
      if type(text) == 'string' then kept[#kept + 1] = text end
    end
    return kept
  end

  local function readSuspicion(json, now)
    local one = decoded(json)
    if not one or type(one.tenants) ~= 'table' then return nil end
    local suspicion = { died = recent(one.died, now), tenants = texts(one.tenants), again = texts(one.again) }
    return #suspicion.died > 0 and suspicion or nil
  end

  local function suspicionJson(suspicion)
    local died = {}
    for i, death in ipairs(suspicion.died) do died[i] = jsonList({ cjson.encode(death[1]), whole(death[2]) }) end
    return jsonObject({ died = jsonList(died), tenants = jsonTexts(suspicion.tenants),
      again = jsonTexts(suspicion.again) })
  end

  -- Everything of one kind that is kept, read; what can not be read is left out, and so thrown away by `keepAll`.
  local function readAll(state, kind, read)
    local all = {}
    for field, json in pairs(state.others) do
      if string.sub(field, 1, #kind) == kind then all[string.sub(field, #kind + 1)] = read(json) end
    end
    return all
  end

  local function keepAll(state, kind, all, jsonOf)
    for field in pairs(state.others) do
      if string.sub(field, 1, #kind) == kind and not all[string.sub(field, #kind + 1)] then
        redis.call('HDEL', STATE, field)
      end
    end
    for name, one in pairs(all) do
      redis.call('HSET', STATE, kind .. name, jsonOf(one))
    end
  end

  local function isStillDying(cell, death, votes, now)
    if tally(votes, cell).verdict == 'down' then return true end
    return not death.judged and math.abs(now - death.at) < CONFIRM_MS
  end

  local function take(row, dying, now)
    local cell = row[1]
    local death = dying[cell] or { at = now, judged = false, many = false, tenants = {} }
    if death.judged then return end
    local known = {}
    for _, one in ipairs(death.tenants) do known[one.home .. ' ' .. one.tenant] = one end
    for _, one in ipairs(readInFlight(row[3])) do
      local same = known[one.home .. ' ' .. one.tenant]
      if same then
        same.again = same.again or one.again
      else
        death.tenants[#death.tenants + 1], known[one.home .. ' ' .. one.tenant] = one, one
      end
    end
    death.many = death.many or row[2] == 1 or #death.tenants > SUSPECTS_MAX
    if death.many then death.tenants = {} end
    dying[cell] = death
  end

  local function isRipe(cell, death, votes, now)
    if tally(votes, cell).verdict ~= 'down' then return false end
    if math.abs(now - death.at) >= JUDGE_AFTER_MS then return true end
    for _, machine in ipairs(votes.live) do
      local vote = machine.down[cell]
      if not vote or vote.evidence ~= 'unreachable' then return false end
    end
    return true
  end

  local function has(list, text)
    for _, one in ipairs(list) do
      if one == text then return true end
    end
    return false
  end

  local function isAgain(tenant, inFlight)
    for _, one in ipairs(inFlight) do
      if one.again and one.tenant == tenant then return true end
    end
    return false
  end

  local function narrowed(known, cell, inFlight, now)
    local were, tenants, both = {}, {}, {}
    for _, tenant in ipairs(known and known.tenants or {}) do were[tenant] = true end
    for i, one in ipairs(inFlight) do
      tenants[i] = one.tenant
      if were[one.tenant] then both[#both + 1] = one.tenant end
    end
    if #both == 0 then return { died = { { cell, now } }, tenants = tenants, again = {} } end
    local again = {}
    for _, tenant in ipairs(both) do
      if has(known.again, tenant) or isAgain(tenant, inFlight) then again[#again + 1] = tenant end
    end
    local died = recent(known.died, now)
    died[#died + 1] = { cell, now }
    if #died > DEATHS_KEPT then table.remove(died, 1) end
    return { died = died, tenants = both, again = again }
  end

  local function cellsOf(died)
    local cells = {}
    for _, death in ipairs(died) do cells[death[1]] = true end
    return sortedKeys(cells)
  end

  local function singledOut(suspicion, before, inFlight)
    local tenants, found, many = suspicion.tenants, nil, false
    if #cellsOf(suspicion.died) < 2 then return nil end
    if #tenants == 1 then
      return (#suspicion.died >= DEATHS_THAT_TELL or isAgain(tenants[1], inFlight)) and tenants[1] or nil
    end
    for _, tenant in ipairs(tenants) do
      if before and has(before.again, tenant) and isAgain(tenant, inFlight) then found, many = tenant, found ~= nil end
    end
    return not many and found or nil
  end

  local function judgeDeath(cell, death, suspicions, culprits, now)
    local homes = {}
    for _, one in ipairs(death.tenants) do
      homes[one.home] = homes[one.home] or {}
      table.insert(homes[one.home], one)
    end
    death.judged, death.tenants = true, {}
    for _, home in ipairs(sortedKeys(homes)) do
      local earlier = suspicions[home]
      local suspicion = narrowed(earlier, cell, homes[home], now)
      local culprit = singledOut(suspicion, earlier, homes[home])
      suspicions[home] = suspicion
      if culprit then
        suspicions[home] = nil
        culprits[#culprits + 1] = { tenant = culprit, home = home,
          reason = 'in flight as its home died, and as its neighbour did',
          saw = { died = jsonTexts(cellsOf(suspicion.died)) } }
      end
    end
  end

  local function judge(state, votes, now)
    local accusations = ASK.accusations or { deaths = {}, failing = {} }
    local culprits, dying = {}, readAll(state, 'dying:', readDying)
    local suspicions = readAll(state, 'suspects:', function(json) return readSuspicion(json, now) end)
    for cell, death in pairs(dying) do
      if not isStillDying(cell, death, votes, now) then dying[cell] = nil end
    end
    for _, row in ipairs(accusations.deaths) do take(row, dying, now) end
    if not state.warmingUp then
      for _, cell in ipairs(sortedKeys(dying)) do
        local death = dying[cell]
        if not death.judged and isRipe(cell, death, votes, now) then judgeDeath(cell, death, suspicions, culprits, now) end
      end
      for _, row in ipairs(accusations.failing) do
        if tally(votes, row[1]).verdict == 'up' then
          culprits[#culprits + 1] = { tenant = row[3], home = row[2],
            reason = 'failed alone, while its cell answered the others', saw = { failing = cjson.encode(row[1]) } }
        end
      end
    end
    keepAll(state, 'dying:', dying, dyingJson)
    keepAll(state, 'suspects:', suspicions, suspicionJson)
    return culprits
  end

  local function letOut(state, changes, events, now)
    local over = {}
    for tenant, entry in pairs(quarantineOf(state)) do
      if isOver(entry, now) then over[tenant] = entry end
    end
    for _, tenant in ipairs(sortedKeys(over)) do
      local entry = over[tenant]
      local told = decoded(entry.json) or {}
      changes[#changes + 1] = { tenant = tenant }
      if type(told.home) == 'string' then
        events[#events + 1] = quarantineEvent(state, { tenant = tenant, home = told.home, till = entry.till },
          { what = 'expired', cause = 'expired', actor = 'quorum', owner = told.owner, reason = 'the quarantine expired' }, now)
      end
    end
    return over
  end

  -- At each beat, before any verdict: lets out whose time is over, and takes the culprits in, as far as there is room.
  function lookAtTenants(state, votes, now)
    local culprits, changes, events = judge(state, votes, now), {}, {}
    local over = letOut(state, changes, events, now)
    local list, size = quarantineOf(state)
    size = size - #changes
    local added = {}
    for _, one in ipairs(culprits) do
      local there = added[one.tenant] or (list[one.tenant] and not over[one.tenant])
      if not there and size < QUARANTINE_MAX then
        added[one.tenant], size = true, size + 1
        local entry = quarantineEntry({ till = now + QUARANTINE_MS, since = now, tenant = one.tenant, home = one.home,
          actor = 'quorum', reason = one.reason })
        changes[#changes + 1] = { tenant = one.tenant, entry = entry }
        events[#events + 1] = quarantineEvent(state, entry,
          { what = 'added', cause = 'unreachable', actor = 'quorum', reason = one.reason, saw = one.saw }, now)
      end
    end
    commitQuarantine(state, changes, events)
  end
end
