-- The way home of a home that is away: as way-home.ts.

local SHARES_HOME = { 90, 50, 0 }
local PAUSES_PER_DWELL = 4
local LONGEST_WAIT_MS = 600000

local function quorum(votes, number, reason)
  return number .. ' of ' .. #votes.live .. ' routers: ' .. reason
end

local function lostSince(record, state, votes, now)
  if not record.neighbour or not anyAway(record) then return nil end
  local verdict = tally(votes, record.neighbour).verdict
  if verdict == 'up' then return nil end
  local known = state.lost[record.home]
  if known and known <= now then return known end
  return (known or verdict == 'down') and now or nil
end

-- Why a home must be taken back at once, since its neighbour is down, or nil.
local function neighbourLost(record, lostAt, votes, now)
  if not lostAt or not record.neighbour then return nil end
  local ofHome, ofNeighbour = tally(votes, record.home), tally(votes, record.neighbour)
  if ofHome.verdict ~= 'up' or ofNeighbour.verdict ~= 'down' then return nil end
  if not ofHome.caughtUp and now - lostAt < ASK.neighbourLostMs then return nil end
  return quorum(votes, ofNeighbour.down, 'neighbour down: ' .. ofNeighbour.reason)
end

-- The shortest stay away: doubled by each relapse in a row, up to ten minutes.
local function dwellMs(relapses)
  return math.max(ASK.minDwellMs, math.min(ASK.minDwellMs * 2 ^ relapses, LONGEST_WAIT_MS))
end

-- Whether a record has stood for as long as this, and after handovers that were undone for twice as long each time.
local function waited(record, ms, now)
  local backOffMs = record.undone == 0 and 0 or math.min(ASK.handoverMs * 2 ^ record.undone, LONGEST_WAIT_MS)
  return not record.since or math.abs(now - record.since) >= math.max(ms, backOffMs)
end

-- {cause, reason} where the way home is due: its first step, after a verdict or on purpose, or a later one.
local function dueHome(record, ofHome, votes, now)
  local recovered = quorum(votes, ofHome.up, 'answers again')
  -- A step that was undone had waited for all of this before: only its back-off is to be waited for.
  local again = record.undone > 0 and record.shareBefore < record.share
  if record.state == 'returning' then
    if not waited(record, again and 0 or ASK.minDwellMs / PAUSES_PER_DWELL, now) then return nil end
    return { cause = record.cause or 'recovered', reason = record.cause == 'recovered' and recovered or 'on its way home' }
  end
  if record.deadline then
    if now < record.deadline or not waited(record, 0, now) then return nil end
    return { cause = 'expired', reason = 'the ' .. (record.state == 'failed-over' and 'forced failover' or 'drain') .. ' expired' }
  end
  if record.state ~= 'failed-over' or record.cause == 'operator' then return nil end
  return waited(record, again and 0 or dwellMs(record.relapses), now) and { cause = 'recovered', reason = recovered } or nil
end

-- The next automatic step home of an open record, if it is due: {share, cause, reason}.
local function stepHome(record, votes, now)
  local share = nil
  for _, one in ipairs(SHARES_HOME) do
    if not share and one < record.share then share = one end
  end
  if not record.neighbour or not share then return nil end
  local ofHome = tally(votes, record.home)
  if ofHome.verdict ~= 'up' or not ofHome.caughtUp then return nil end
  if tally(votes, record.neighbour).verdict ~= 'up' then return nil end
  local due = dueHome(record, ofHome, votes, now)
  return due and { share = share, cause = due.cause, reason = due.reason .. ' (' .. (100 - share) .. ' % home)' }
end
