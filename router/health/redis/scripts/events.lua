-- What the events say. `details` are fields in JSON.

-- What the events of a handover say of its record.
local function handoverDetails(record, phase)
  return { phase = cjson.encode(phase), share = cjson.encode(record.share), shareBefore = cjson.encode(record.shareBefore),
    operation = wholeOrNull(record.operation), target = cjson.encode(record.target) }
end

-- `said`: {actor or nil, cause, reason, details}. `from` is the state before: the record's own where a home is held back.
local function eventJson(now, from, record, said, votes)
  said.details.votes = opinionsJson(votes, record.home)
  return jsonObject({ at = whole(now), cell = cjson.encode(record.home), from = cjson.encode(from),
    to = cjson.encode(record.state), epoch = whole(record.epoch), cause = cjson.encode(said.cause),
    actor = cjson.encode(said.actor or 'quorum'), reason = cjson.encode(said.reason), details = jsonObject(said.details) })
end
