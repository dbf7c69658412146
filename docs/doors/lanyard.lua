-- HAProxy asks Lanyard before it lets a call through: two actions for haproxy.cfg, which stands beside this file.
--
--   http-request lua.lanyard     asks; on anything but 200 the caller gets Lanyard's answer and the call goes no further
--   http-response lua.lanyard    adds what is left of limits, warnings and CORS to the API's answer
--
-- It takes a HAProxy with Lua and its HTTP client (2.6 or later). Where Lanyard is stands in LANYARD_URL.

local lanyard = (os.getenv("LANYARD_URL") or "http://127.0.0.1:8420") .. "/forward-auth/haproxy?" ..
	-- Your APIs in lanyard.yaml that stand behind this HAProxy: a call that leads to another of Lanyard's is 404.
	(os.getenv("LANYARD_APIS") or "api=weather&api=mail&api=notes")

-- Of the caller's headers Lanyard needs these.
local asked = {"authorization", "x-api-key", "dpop", "origin", "access-control-request-method", "access-control-request-headers"}

-- All of them are in every answer that lets a call through, empty if there is nothing to say.
local identity = {
	"x-lanyard-app", "x-lanyard-team", "x-lanyard-user", "x-lanyard-scopes", "x-lanyard-credential", "x-lanyard-mode", "x-lanyard-assertion",
}

-- What the caller is told with the API's answer.
local told = {
	"ratelimit", "ratelimit-policy", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "warning", "vary", "access-control-allow-origin",
	"access-control-expose-headers", "x-request-id",
}

-- Of Lanyard's answer these say how it came, not what it says.
local connection = {["connection"] = true, ["content-length"] = true, ["transfer-encoding"] = true, ["date"] = true, ["x-lanyard-status"] = true}

local undecided = '{"type":"about:blank","title":"No decision","status":503,"code":"unavailable",' ..
	'"detail":"Whether this request may pass could not be decided just now, so it did not. Try again in a moment."}\n'

local function stop(txn, status, headers, body)
	local reply = txn:reply({status = status, body = body})
	for name, values in pairs(headers) do
		for _, value in pairs(values) do
			reply:add_header(name, value)
		end
	end
	txn:done(reply)
end

local function refuse(txn)
	stop(txn, 503, {["content-type"] = {"application/problem+json"}, ["retry-after"] = {"1"}, ["cache-control"] = {"no-store"}}, undecided)
end

local function ask(txn)
	local sent = txn.http:req_get_headers()
	local tls = txn.f:ssl_fc() -- a number before HAProxy 3.1
	local headers = {
		["x-original-method"] = {txn.sf:method()},
		["x-original-uri"] = {txn.sf:pathq()}, -- as it came: nothing is decoded on the way
		["x-original-host"] = {txn.sf:req_fhdr("host")},
		["x-original-scheme"] = {(tls == 1 or tls == true) and "https" or "http"},
		["x-forwarded-for"] = {txn.sf:src()},
	}
	for _, name in ipairs(asked) do
		if sent[name] then
			local values = {}
			for _, value in pairs(sent[name]) do -- all of them: which one counts is not for us to say
				values[#values + 1] = value
			end
			headers[name] = values
		end
	end
	-- Milliseconds. HAProxy's client asks again when it hears nothing for so long, up to three times.
	local ok, answer = pcall(function() return core.httpclient():get({url = lanyard, headers = headers, timeout = 2000}) end)
	-- An answer without X-Request-Id is HAProxy's own, which could not reach Lanyard.
	if not ok or not answer or not answer.headers or not answer.headers["x-request-id"] then
		refuse(txn)
		return
	end
	if answer.status ~= 200 then
		local status = answer.status
		-- What is 2xx for the caller comes as 403: a browser's question before a call (CORS).
		local meant = answer.headers["x-lanyard-status"]
		if meant then
			status = tonumber(meant[0]) or status
		end
		local tell = {}
		for name, values in pairs(answer.headers) do
			if not connection[name] then
				tell[name] = values
			end
		end
		stop(txn, status, tell, answer.body)
		return
	end
	local target = answer.headers["x-lanyard-target"]
	if not target then
		refuse(txn)
		return
	end
	for _, name in ipairs(identity) do
		local values = answer.headers[name]
		txn.http:req_set_header(name, values and values[0] or "")
	end
	-- The path that was ruled on, without the API's prefix if lanyard.yaml says strip_prefix, and the query without a key.
	txn.http:req_set_uri(target[0])
	-- Were there no room for a header, HAProxy would not say so.
	local got = txn.http:req_get_headers()
	for _, name in ipairs(identity) do
		if not got[name] or got[name][0] ~= (answer.headers[name] and answer.headers[name][0] or "") then
			refuse(txn)
			return
		end
	end
	if txn.sf:pathq() ~= target[0] then
		refuse(txn)
		return
	end
	local tell = {}
	for _, name in ipairs(told) do
		if answer.headers[name] then
			tell[name] = answer.headers[name][0]
		end
	end
	txn:set_priv(tell)
	txn:set_var("txn.lanyard", "yes")
end

local function tell(txn)
	for name, value in pairs(txn:get_priv() or {}) do
		txn.http:res_add_header(name, value)
	end
end

core.register_action("lanyard", {"http-req"}, ask)
core.register_action("lanyard", {"http-res"}, tell)
