-- SPDX-License-Identifier: MIT
-- wrk's side: one text after the other, each its own request; the figures as JSON.
-- BENCH_TEXTS: a file, a text a line; empty: GET.  BENCH_DELAY_MS: between a connection's
-- requests.
local texts, at = {}, 0
local path, pause = os.getenv("BENCH_TEXTS") or "", tonumber(os.getenv("BENCH_DELAY_MS") or "0")

function init()
	if path ~= "" then
		for line in io.lines(path) do
			texts[#texts + 1] = '{"model":"embed","encoding_format":"float","input":"' .. line .. '"}'
		end
	end
end

function delay()
	return pause
end

function request()
	if #texts == 0 then
		return wrk.format("GET")
	end
	at = at % #texts + 1
	return wrk.format("POST", nil, { ["Content-Type"] = "application/json" }, texts[at])
end

function done(summary, latency)
	local e = summary.errors
	io.write(string.format('\n{"rate":%.3f,"p50":%.3f,"p99":%.3f,"errors":%d}\n',
		summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3,
		latency:percentile(99) / 1e3, e.connect + e.read + e.write + e.status + e.timeout))
end
