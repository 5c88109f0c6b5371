-- The quarantine: tenants that are refused; the same as quarantine.ts. It lives in the state's hash, a field for each:
--   quarantine:<tenant>  {"until":ms,"since":ms,"tenant":…,"home":…,"actor":…,"owner":… or null,"reason":…}, in this order
-- `state.quarantine`: tenant → {json, till, since}.

local QUARANTINE_MAX, QUARANTINE_MS = 1000, 600000
local KEPT, quarantineOf, quarantineEntry, isOver, quarantineEvent, commitQuarantine = 'quarantine:', nil, nil, nil, nil, nil

do
  -- Of all that is kept no more is read than when it ends: the machines read the rest.
  local function keptIn(json)
    local till, since = string.match(json, '^{"until":(%d+),"since":(%d+),')
    return till and { json = json, till = tonumber(till), since = tonumber(since) } or nil
  end

  -- The list, and how long it is. What is no entry is not on it.
  function quarantineOf(state)
    if state.quarantine then return state.quarantine, state.quarantined end
    state.quarantine, state.quarantined = {}, 0
    for field, json in pairs(state.others) do
      if string.sub(field, 1, #KEPT) == KEPT then
        local entry = keptIn(json)
        state.quarantine[string.sub(field, #KEPT + 1)] = entry
        state.quarantined = state.quarantined + (entry and 1 or 0)
      end
    end
    return state.quarantine, state.quarantined
  end

  -- `one`: {till, since, tenant, home, actor, owner or nil, reason}.
  function quarantineEntry(one)
    one.json = '{"until":' .. whole(one.till) .. ',"since":' .. whole(one.since) .. ',"tenant":' .. cjson.encode(one.tenant)
      .. ',"home":' .. cjson.encode(one.home) .. ',"actor":' .. cjson.encode(one.actor)
      .. ',"owner":' .. textOrNull(one.owner) .. ',"reason":' .. cjson.encode(one.reason) .. '}'
    return one
  end

  function isOver(entry, now)
    return math.abs(now - entry.since) >= entry.till - entry.since
  end

  -- `said`: {what, cause, actor, owner or nil, reason, saw: fields in JSON, or nil}. It names the state of the tenant's home.
  function quarantineEvent(state, entry, said, now)
    local record = recordIn(state, entry.home)
    local details = said.saw or {}
    details.quarantine = jsonObject({ tenant = cjson.encode(entry.tenant), what = cjson.encode(said.what),
      ['until'] = whole(entry.till), owner = textOrNull(said.owner) })
    return jsonObject({ at = whole(now), cell = cjson.encode(entry.home), from = cjson.encode(record.state),
      to = cjson.encode(record.state), epoch = whole(record.epoch), cause = cjson.encode(said.cause),
      actor = cjson.encode(said.actor), reason = cjson.encode(said.reason), details = jsonObject(details) })
  end

  -- Writes changes {tenant, entry or nil} and events, and tells all machines of the changes.
  function commitQuarantine(state, changes, events)
    for _, event in ipairs(events) do
      redis.call('XADD', EVENTS, 'MAXLEN', '~', EVENTS_MAX, '*', 'event', event)
    end
    if #changes == 0 then return end
    local list, told = quarantineOf(state), {}
    for i, change in ipairs(changes) do
      local tenant, json = change.tenant, change.entry and change.entry.json
      if (list[tenant] ~= nil) ~= (json ~= nil) then state.quarantined = state.quarantined + (json and 1 or -1) end
      list[tenant] = change.entry
      if json then redis.call('HSET', STATE, KEPT .. tenant, json) else redis.call('HDEL', STATE, KEPT .. tenant) end
      told[i] = '[' .. cjson.encode(tenant) .. ',' .. (json or 'null') .. ']'
    end
    state.revision = state.revision + #changes
    local revision = whole(state.revision)
    redis.call('HSET', STATE, 'revision', revision)
    redis.call('PUBLISH', ASK.channel,
      '{"revision":' .. revision .. ',"records":[],"quarantine":[' .. table.concat(told, ',') .. ']}')
  end
end
