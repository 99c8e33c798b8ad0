-- What wrk asks for and tells: a page with the sessions of a file in turn, and the figures as one line of JSON.
local requests, number = {}, 0

function init(args)
   for cookie in io.lines(args[1]) do
      requests[#requests + 1] = wrk.format("GET", nil, { Cookie = cookie })
   end
end

function request()
   number = number % #requests + 1
   return requests[number]
end

function done(summary, latency)
   local errors = summary.errors
   -- Times are in microseconds.
   print(string.format(
      'figures: {"requests": %d, "us": %d, "errors": %d, "p50": %d, "p99": %d, "p999": %d}',
      summary.requests, summary.duration,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout,
      latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
