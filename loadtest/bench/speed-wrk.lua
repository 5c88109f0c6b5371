-- What wrk sends: one request after the other, each for another tenant. What it prints at the end is read by speed-driver.ts.
-- Arguments: method, path, body ('' none), first tenant, how many.
local head, tail, first, count, sent, ready
local made = {}

local function request_for(i)
  return head .. string.format("%07d", first + i) .. tail
end

function init(args)
  local method, path, body = args[1], args[2], args[3]
  first, count, sent = tonumber(args[4]), tonumber(args[5]), 0
  head = method .. " " .. path .. " HTTP/1.1\r\nhost: " .. wrk.host .. ":" .. wrk.port .. "\r\nx-tenant-id: tenant-"
  tail = "\r\n\r\n"
  if body ~= "" then
    tail = "\r\ncontent-type: application/json\r\ncontent-length: " .. #body .. "\r\n\r\n" .. body
  end
  -- Few tenants: made beforehand, so that the load costs less.
  ready = count <= 10000
  if ready then
    for i = 0, count - 1 do made[i] = request_for(i) end
  end
end

function request()
  local i = sent % count
  sent = sent + 1
  return ready and made[i] or request_for(i)
end

function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    'speed {"requests":%d,"bytes":%d,"durationMs":%.3f,"p50Ms":%.3f,"p99Ms":%.3f,"failed":%d}\n',
    summary.requests, summary.bytes, summary.duration / 1000, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, e.connect + e.read + e.write + e.status + e.timeout
  ))
end
