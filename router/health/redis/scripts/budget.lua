-- The budget: how many cells may be failed over by verdict at once. The same as budget.ts.

local function countsAsAway(record, votes)
  return record.neighbour and isAwayByVerdict(putBack(record)) and tally(votes, record.neighbour).verdict ~= 'down'
end

-- The cells that count as failed over by verdict, and what may join them.
local function budgetOf(rules, state, votes)
  local budget = { cells = 0, buckets = 0, total = 0, zones = 0, awayIn = {} }
  local zones, counted = {}, {}
  function budget.add(rule)
    if counted[rule.home] then return end
    counted[rule.home] = true
    budget.cells, budget.buckets = budget.cells + 1, budget.buckets + rule.buckets
    budget.awayIn[rule.zone or ''] = (budget.awayIn[rule.zone or ''] or 0) + 1
  end
  for _, rule in ipairs(rules) do
    budget.total = budget.total + rule.buckets
    if rule.zone and not zones[rule.zone] then
      zones[rule.zone] = true
      budget.zones = budget.zones + 1
    end
    if state.away[rule.home] and countsAsAway(recordIn(state, rule.home), votes) then budget.add(rule) end
  end
  function budget.allows(rule)
    if budget.cells == 0 then return true end
    if rule.zone and budget.zones >= 2 and budget.awayIn[rule.zone] == budget.cells then return true end
    return budget.buckets + rule.buckets <= ASK.maxFailedOver * budget.total
  end
  return budget
end
