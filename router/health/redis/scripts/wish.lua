-- What the scripts for operators have in common.

-- The state, ready to be changed; or what is answered where nothing may be decided.
local function readyState()
  local state = readState()
  if isPassive(state) then return nil, { 'passive', '', '' } end
  named(state)
  if isBehind(state) then return nil, { 'behind', '', '' } end
  return state, nil
end

-- Whether any live machine, or a record, knows of the home.
local function isKnown(home, state, votes)
  return state.json[home] or votes.up[home] or votes.caughtUp[home] or votes.lagging[home] or votes.down[home]
end

-- The first of these safety rules that ASK does not overrule by name.
local function firstBinding(broken)
  local overruled = {}
  for _, rule in ipairs(ASK.override) do overruled[rule] = true end
  for _, rule in ipairs(broken) do
    if not overruled[rule] then return rule end
  end
  return nil
end
