-- Refuses a tenant for an operator, or lets one in again; the same as quarantineByHand and releaseByHand of quarantine.ts.
--
-- ARGV[1]  ASK also holds
--            wish       "quarantine" or "unquarantine"
--            tenant, actor, reason, owner, and for the first of them home, expiresInMs
--
-- Returns {answer, entry as JSON or "", revision where it is done}: "done", "too-many", "not-found", or "behind" and "passive" where nothing may be
-- changed.

local function put(state, list, size, now)
  if not list[ASK.tenant] and size >= QUARANTINE_MAX then return { 'too-many', '' } end
  local entry = quarantineEntry({ till = now + ASK.expiresInMs, since = now, tenant = ASK.tenant, home = ASK.home,
    actor = ASK.actor, owner = ASK.owner, reason = ASK.reason })
  commitQuarantine(state, { { tenant = ASK.tenant, entry = entry } }, { quarantineEvent(state, entry,
    { what = 'added', cause = 'operator', actor = ASK.actor, owner = ASK.owner, reason = ASK.reason }, now) })
  return { 'done', entry.json, whole(state.revision) }
end

local function remove(state, list, now)
  local kept = list[ASK.tenant]
  local told = kept and decoded(kept.json)
  if not told or type(told.home) ~= 'string' then return { 'not-found', '' } end
  local entry = { tenant = ASK.tenant, home = told.home, till = kept.till }
  commitQuarantine(state, { { tenant = ASK.tenant } }, { quarantineEvent(state, entry,
    { what = 'removed', cause = 'operator', actor = ASK.actor, owner = ASK.owner, reason = ASK.reason }, now) })
  return { 'done', kept.json, whole(state.revision) }
end

local now = clock()
local state = readState()
if isPassive(state) then return { 'passive', '' } end
named(state)
if isBehind(state) then return { 'behind', '' } end
local list, size = quarantineOf(state)
if ASK.wish == 'quarantine' then return put(state, list, size, now) end
return remove(state, list, now)
