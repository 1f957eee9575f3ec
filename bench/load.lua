-- wrk script. BENCH_TOKENS: a file with one "TOKEN STAFF_ID" a line, one line per practice, of which the first
-- BENCH_PRACTICES are used. BENCH_OP: read, agenda, book, or slots (whose query is BENCH_SLOTS).
-- Every request goes to the next practice, so that neighbours in time are never neighbours in data.
local op = os.getenv("BENCH_OP") or "read"
local appointments = tonumber(os.getenv("BENCH_APPOINTMENTS") or "200")
local most = tonumber(os.getenv("BENCH_PRACTICES") or "1000000")
local practices, threads = {}, 0
for line in io.lines(os.getenv("BENCH_TOKENS")) do
  if #practices == most then
    break
  end
  local token, staff = line:match("^(%S+) (%S+)$")
  practices[#practices + 1] = { token = token, staff = staff }
end

function setup(thread)
  thread:set("thread_index", threads)
  threads = threads + 1
end

local count, requests = 0, {}

function init(args)
  math.randomseed(os.time() + thread_index * 7919)
  count = math.random(#practices)
end

local function get(practice, path)
  return wrk.format("GET", path, { Authorization = "Bearer " .. practice.token })
end

local make = {}

function make.read(practice)
  local id = string.format("00000000-0000-7000-8000-1000000%05d", math.random(appointments))
  return get(practice, "/api/v1/appointments/" .. id)
end

function make.agenda(practice)
  local day = os.date("!%Y-%m-%d", 1799107200 + math.random(0, math.floor(appointments / 16) - 1) * 86400)
  return get(practice, "/api/v1/appointments?from=" .. day .. "&to=" .. day)
end

function make.slots(practice)
  return get(practice, "/api/v1/availability/slots?" .. os.getenv("BENCH_SLOTS"))
end

function make.week(practice)
  return get(practice, "/api/v1/agenda?date=" .. os.getenv("BENCH_WEEK"))
end

-- A random minute of 600 days to come: with one practice some lose (409), with many nearly all win.
function make.book(practice)
  local at = os.date("!%Y-%m-%dT%H:%M:00Z", math.floor(os.time() + (100 + 600 * math.random()) * 86400))
  local body = string.format('{"client_id":"00000000-0000-7000-8000-2000000%05d","service_id":"00000000-0000-7000-8000-300000000001",'
    .. '"staff_id":"%s","starts_at":"%s"}', math.random(50), practice.staff, at)
  return wrk.format("POST", "/api/v1/appointments",
    { Authorization = "Bearer " .. practice.token, ["Content-Type"] = "application/json",
      ["Idempotency-Key"] = string.format("bench-key-%d-%d", os.time(), math.random(2 ^ 53)) }, body)
end

function request()
  count = count % #practices + 1
  return make[op](practices[count])
end

-- Only what was served counts.
function done(summary)
  local errors = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format("RESULT %.1f requests/s %d errors\n", (summary.requests - errors) / summary.duration * 1e6, errors))
end
