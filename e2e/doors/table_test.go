package doors_test

import (
	"fmt"
	"strings"
)

// row is a call and what has to become of it, at whatever front it comes to.
type row struct {
	name   string
	method string   // "": GET
	target string   // as it goes over the wire
	host   string   // "": localhost
	header []string // lines; {name} stands for a credential of the world
	body   string
	trail  []string // lines after a chunked body

	inQuery bool // it is about a key there
	odd     bool // it has names that stand for others to some programs
	unknown bool // it has a name of ours that there is not
	spaced  bool // its path ends with a space
	torn    bool // its target names another host than its header

	status int
	code   string   // of the problem the caller gets; "": the call passes, or the front may refuse it by itself, in its own words
	answer []string // "Name: part of its value" of the answer; "!Name" must not be there
	sees   *sight   // what the upstream is asked; nil: nothing
}

// sight is what an upstream is to see of a call that passed.
type sight struct {
	method string // "": GET
	path   string // decoded
	query  string
	as     string   // which credential of the world the identity headers speak of
	header []string // lines that have to be there as well
}

// at is what has to become of the row at a front, whose program may be unable to do what others can, and refuses then.
func (r row) at(f front) row {
	switch {
	case r.inQuery && f.wholeQuery:
		r.status, r.code, r.sees, r.answer = 400, "malformed", nil, nil
	case r.odd && f.exact, r.unknown && f.byName, r.spaced && f.trims:
		r.status, r.code, r.sees, r.answer = 400, "invalid_request", nil, nil
	case len(r.trail) > 0 && f.wantsLength:
		r.status, r.code, r.sees, r.answer = 411, "", nil, nil
	case r.torn && f.strict:
		r.status, r.code, r.sees, r.answer = 400, "", nil, nil
	case r.sees != nil && f.mute:
		r.answer = nil
	}
	return r
}

// table is the calls every front is held to. Those it lets pass differ in nothing from those it asks the upstream for.
func table() []row {
	return slicesOf(kinds(), scopes(), limits(), paths(), methods(), spoofs(), hosts(), queryKeys(), cross())
}

const (
	forecast = "/weather/v1/forecast"
	alerts   = "/weather/v1/alerts"
)

func seen(as string) *sight { return &sight{path: "/v1/forecast", as: as} }

func kinds() []row {
	return []row{
		{name: "no credential", target: forecast, status: 401, code: "missing", answer: []string{`WWW-Authenticate: Bearer realm="weather"`}},
		{name: "a revoked key", target: forecast, header: []string{"x-api-key: {revoked}"}, status: 401, code: "revoked", answer: []string{`WWW-Authenticate: invalid_token`}},
		{name: "an expired key", target: forecast, header: []string{"x-api-key: {expired}"}, status: 401, code: "expired"},
		{name: "a disabled key", target: forecast, header: []string{"x-api-key: {disabled}"}, status: 401, code: "disabled"},
		{name: "an unknown key", target: forecast, header: []string{"x-api-key: {unknown}"}, status: 401, code: "not_found"},
		{name: "a mistyped key", target: forecast, header: []string{"x-api-key: {mistyped}"}, status: 401, code: "malformed"},
		{name: "a program's word for nothing", target: forecast, header: []string{"Authorization: Bearer undefined"}, status: 401, code: "malformed"},
		{name: "an unknown scheme", target: forecast, header: []string{"Authorization: Digest x"}, status: 401, code: "malformed"},
		{name: "a publishable key from elsewhere", target: forecast, header: []string{"x-api-key: {pub-elsewhere}"}, status: 403, code: "ip_denied"},
		{name: "a key where a token is wanted", target: "/mail/v1/me", header: []string{"x-api-key: {live}"}, status: 403, code: "kind_not_accepted"},
		{name: "a token where a key is wanted", target: forecast, header: []string{"Authorization: Bearer {pat}"}, status: 403, code: "kind_not_accepted"},
		{name: "a token for another API", target: "/v1/notes", host: "notes.example.test", header: []string{"Authorization: Bearer {jwt}"}, status: 401, code: "audience_mismatch"},
		{name: "two keys", target: forecast, header: []string{"x-api-key: {live}", "Authorization: Bearer {test}"}, status: 400, code: "malformed"},
		{name: "a key twice", target: forecast, header: []string{"x-api-key: {live}", "X-API-Key: {live}"}, status: 400, code: "malformed"},

		{name: "a key in its header", target: forecast, header: []string{"x-api-key: {live}"}, status: 200, sees: seen("live")},
		{name: "a key as Bearer", target: forecast, header: []string{"Authorization: Bearer {live}"}, status: 200, sees: seen("live")},
		{name: "a key as Basic", target: forecast, header: []string{"Authorization: Basic {basic}"}, status: 200, sees: seen("live")},
		{name: "a test key", target: forecast, header: []string{"x-api-key: {test}"}, status: 200, sees: seen("test")},
		{name: "a publishable key", target: forecast, header: []string{"x-api-key: {pub}"}, status: 200, sees: seen("pub")},
		{name: "a personal token", target: "/mail/v1/me", header: []string{"Authorization: Bearer {pat}"}, status: 200, sees: &sight{path: "/mail/v1/me", as: "pat"}},
		{name: "a JWT", target: "/mail/v1/me", header: []string{"Authorization: bearer {jwt}"}, status: 200, sees: &sight{path: "/mail/v1/me", as: "jwt"}},
		{name: "a sealed token", target: "/v1/notes", host: "notes.example.test", header: []string{"Authorization: Bearer {opaque}"}, status: 200, sees: &sight{path: "/v1/notes", as: "opaque"}},
	}
}

func scopes() []row {
	return []row{
		{name: "a scope that lacks", target: forecast, header: []string{"x-api-key: {bare}"}, status: 403, code: "insufficient_scope", answer: []string{"WWW-Authenticate: insufficient_scope"}},
		{
			name: "a token of nobody who signed in lately", target: "/mail/v1/vault", header: []string{"Authorization: Bearer {jwt}"}, status: 401, code: "insufficient_user_authentication",
			answer: []string{`WWW-Authenticate: error="insufficient_user_authentication"`, `WWW-Authenticate: max_age="300"`},
		},
		{name: "another's scope", method: "POST", target: alerts, header: []string{"x-api-key: {live}", "Content-Length: 0"}, status: 403, code: "insufficient_scope"},
		{name: "an operation there is not", target: "/weather/v1/secrets", header: []string{"x-api-key: {live}"}, status: 403, code: "operation_unknown"},
		{name: "no API there", target: "/elsewhere", header: []string{"x-api-key: {live}"}, status: 404, code: "not_found"},
		{
			name: "with its scope and body", method: "POST", target: alerts, header: []string{"x-api-key: {writer}", "Content-Length: 5"}, body: "storm", status: 200,
			sees: &sight{method: "POST", path: "/v1/alerts", as: "writer"},
		},
	}
}

func limits() []row {
	return []row{
		{name: "the first of a limit", target: forecast, header: []string{"x-api-key: {limited}"}, status: 200, sees: seen("limited"), answer: []string{"RateLimit: r=0", "RateLimit-Policy: q=1"}},
		{name: "one more than the limit", target: forecast, header: []string{"x-api-key: {limited}"}, status: 429, code: "rate_limited", answer: []string{"Retry-After: ", "RateLimit: r=0"}},
		{name: "the first of a quota", target: forecast, header: []string{"x-api-key: {quota}"}, status: 200, sees: seen("quota")},
		{name: "one more than the quota", target: forecast, header: []string{"x-api-key: {quota}"}, status: 429, code: "quota_exceeded", answer: []string{"Retry-After: "}},
	}
}

func paths() []row {
	key := []string{"x-api-key: {live}"}
	rows := []row{
		{name: "a public path in the query", target: "/private?x=" + forecast, header: key, status: 404, code: "not_found"},
		{name: "the case of a path", target: "/Weather/v1/forecast", header: key, status: 404, code: "not_found"},
		{name: "a prefix that goes on", target: "/weatherman", header: key, status: 404, code: "not_found"},
		{name: "a slash at the end", target: forecast + "/", header: key, status: 403, code: "operation_unknown"},

		{name: "an encoded letter", target: "/weather/v1/%66orecast", header: key, status: 200, sees: seen("live")},
		{name: "letters of others", target: "/weather/v1/files/caf%C3%A9", header: key, status: 200, sees: &sight{path: "/v1/files/café", as: "live"}},
		{name: "a space", target: "/weather/v1/files/a%20b", header: key, status: 200, sees: &sight{path: "/v1/files/a b", as: "live"}},
		{name: "a space at the end", spaced: true, target: "/weather/v1/files/a%20", header: key, status: 200, sees: &sight{path: "/v1/files/a ", as: "live"}},
		{
			name: "a path in the query", target: forecast + "?x=/public/../a//b;c&y=%2e%2e%2f", header: key, status: 200,
			sees: &sight{path: "/v1/forecast", query: "x=/public/../a//b;c&y=%2e%2e%2f", as: "live"},
		},
	}
	for _, target := range []string{
		"//weather/v1/forecast", "/weather//v1/forecast", "/weather/v1/forecast//", "/weather/v1/../v1/forecast", "/public/../weather/v1/forecast", "/weather/./v1/forecast",
		"/weather/v1/%2e%2e/v1/forecast", "/weather/v1/.%2E/v1/forecast", "/weather/v1%2fforecast", "/weather%2Fv1/forecast", "/weather/v1%5cforecast", `/weather\v1/forecast`,
		"/weather/v1/forecast;x=1", "/weather/v1/..;/forecast", "/weather/v1/forecast%3bx", "/weather/v1/%252e%252e/x", "/weather/v1/files/a%0ab",
		"/weather/v1/forecast%23x", "/weather/v1/forecast%3fx", "/weather/v1/%c0%ae/forecast",
	} {
		rows = append(rows, row{name: "ambiguous " + target, target: target, header: key, status: 400, code: "invalid_request"})
	}
	for _, target := range []string{"/weather/v1/forecast%00", "/weather/v1/forecast%zz", "/weather/v1/forecast%", "/../weather/v1/forecast", "weather/v1/forecast", "/weather/v1/fore\x00cast"} {
		rows = append(rows, row{name: fmt.Sprintf("no path %q", target), target: target, header: key, status: 400})
	}
	return rows
}

func methods() []row {
	return []row{
		{name: "a method there is not", method: "DELETE", target: forecast, header: []string{"x-api-key: {writer}"}, status: 403, code: "operation_unknown"},
		{name: "an override", target: alerts, header: []string{"x-api-key: {writer}", "X-HTTP-Method-Override: POST"}, status: 403, code: "operation_unknown"},
		{
			name: "an override in other words", method: "POST", target: forecast, header: []string{"x-api-key: {live}", "X-Method-Override: GET", "X-HTTP-Method: GET", "Content-Length: 0"},
			status: 403, code: "operation_unknown",
		},
		{name: "an override in the query", target: alerts + "?_method=POST", header: []string{"x-api-key: {writer}"}, status: 403, code: "operation_unknown"},
		{
			name: "an override that changes nothing", odd: true, target: forecast, header: []string{"x-api-key: {live}", "X-HTTP-Method-Override: spoofed", "X_HTTP_Method_Override: spoofed"}, status: 200,
			sees: seen("live"),
		},
	}
}

// spoofs are headers that only a front may set. Their value is always "spoofed", which no upstream may see anywhere.
func spoofs() []row {
	var dashes, underscores, mixed, dots []string
	for _, name := range []string{"App", "Team", "User", "Scopes", "Credential", "Mode", "Assertion"} {
		dashes = append(dashes, "X-Lanyard-"+name+": spoofed")
		underscores = append(underscores, "X_Lanyard_"+name+": spoofed", "x-lanyard_"+strings.ToLower(name)+": spoofed")
		mixed = append(mixed, "x-LANYARD-"+strings.ToUpper(name)+": spoofed", "x-lanyard-"+strings.ToLower(name)+": spoofed")
		dots = append(dots, "X.Lanyard."+name+": spoofed", "X-Lanyard."+name+": spoofed")
	}
	key := func(lines ...string) []string { return append([]string{"x-api-key: {live}"}, lines...) }
	elsewhere := []string{
		"X-Forwarded-Uri: /spoofed", "X-Forwarded-Method: SPOOFED", "X-Forwarded-Host: spoofed", "X-Forwarded-Proto: spoofed", "X-Forwarded-Prefix: /spoofed", "X-Forwarded-Port: spoofed",
		"X-Forwarded-Server: spoofed", "X-Original-Uri: /spoofed", "X-Original-URL: /spoofed", "X-Original-Method: SPOOFED", "X-Original-Host: spoofed", "X-Original-Scheme: spoofed",
		"X-Rewrite-Url: /spoofed", "X-Real-Ip: spoofed", "Forwarded: for=spoofed",
	}
	return []row{
		{name: "an identity without a credential", target: forecast, header: dashes, status: 401, code: "missing"},
		{name: "a path for another front", target: "/elsewhere", header: key("X-Forwarded-Uri: "+forecast, "X-Original-Uri: "+forecast, "X-Replaced-Path: "+forecast), status: 404, code: "not_found"},
		{
			name: "an address of its own", target: forecast, header: []string{"x-api-key: {pub-elsewhere}", "X-Forwarded-For: 203.0.113.7", "X-Real-Ip: 203.0.113.7", "Forwarded: for=203.0.113.7"},
			status: 403, code: "ip_denied",
		},
		{name: "a health check of Google's", target: forecast, header: []string{"User-Agent: GoogleHC/1.0"}, status: 401, code: "missing"},
		{name: "a health check of Kubernetes'", target: forecast, header: []string{"User-Agent: kube-probe/1.30"}, status: 401, code: "missing"},
		{name: "a health check by its path", target: "/healthz", header: []string{"User-Agent: ELB-HealthChecker/2.0"}, status: 404, code: "not_found"},

		{name: "an identity", target: forecast, header: key(dashes...), status: 200, sees: seen("live")},
		{name: "an identity with underscores", odd: true, target: forecast, header: key(underscores...), status: 200, sees: seen("live")},
		{name: "an identity there is not", unknown: true, target: forecast, header: key("X-Lanyard-Admin: spoofed"), status: 200, sees: seen("live")},
		{name: "an identity twice, in every case", target: forecast, header: key(mixed...), status: 200, sees: seen("live")},
		{name: "an identity with dots", odd: true, target: forecast, header: key(dots...), status: 200, sees: seen("live")},
		{
			name: "an identity after the body", method: "POST", target: alerts, header: []string{"x-api-key: {writer}", "Transfer-Encoding: chunked", "Trailer: X-Lanyard-User"}, body: "storm",
			trail: []string{"X-Lanyard-User: spoofed"}, status: 200, sees: &sight{method: "POST", path: "/v1/alerts", as: "writer"},
		},
		{name: "a connection that drops the identity", target: forecast, header: key("Connection: close, X-Lanyard-User, X-Lanyard-App, X-Lanyard-Assertion"), status: 200, sees: seen("live")},
		{name: "a connection that drops the credential", target: forecast, header: key("Connection: close, X-Api-Key"), status: 200, sees: seen("live")},
		{
			name: "names in other letters", odd: true, target: forecast, status: 200, sees: seen("live"),
			header: key("X_Api_Key: spoofed", "X.Api.Key: spoofed", "X.Http.Method: spoofed", "X_Forwarded_Uri: /spoofed", "X_Original_Uri: /spoofed", "X.Original.Uri: /spoofed"),
		},
		{name: "where it came from", target: forecast, header: key(elsewhere...), status: 200, sees: seen("live")},
		{
			name: "cookies", target: forecast, header: key("Cookie: a=1; lanyard=spoofed; b=2; __Host-lanyard=spoofed; xlanyard=3"), status: 200,
			sees: &sight{path: "/v1/forecast", as: "live", header: []string{"Cookie: a=1", "Cookie: b=2", "Cookie: xlanyard=3"}},
		},
		{name: "more cookies of ours than a browser has", target: forecast, header: key("Cookie: __Host-lanyard=spoofed; Lanyard=spoofed; LANYARD=spoofed; lanyard=spoofed"), status: 200, sees: seen("live")},
		{name: "a tunnel of another protocol", target: forecast, header: key("Connection: upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"), status: 200, sees: seen("live")},
	}
}

func hosts() []row {
	token := []string{"Authorization: Bearer {opaque}"}
	notes := &sight{path: "/v1/notes", as: "opaque"}
	return []row{
		{name: "another host", target: "/v1/notes", host: "other.example.test", header: token, status: 404, code: "not_found"},
		{name: "a host that ends alike", target: "/v1/notes", host: "evilnotes.example.test", header: token, status: 404, code: "not_found"},
		{name: "two hosts", target: "/v1/notes", host: "notes.example.test", header: []string{"Authorization: Bearer {opaque}", "Host: other.example.test"}, status: 400},
		{name: "a host with a path", target: "/v1/notes", host: "notes.example.test/x", header: token, status: 400},

		{name: "an address in place of a path", target: "http://notes.example.test/v1/notes", host: "notes.example.test", header: token, status: 200, sees: notes},
		{name: "an address that is not the host's", torn: true, target: "http://other.example.test/v1/notes", host: "notes.example.test", header: token, status: 404},
		{name: "an address and another host", torn: true, target: "http://notes.example.test/v1/notes", host: "other.example.test", header: token, status: 200, sees: notes},
		{name: "a host in capitals", target: "/v1/notes", host: "NOTES.Example.TEST", header: token, status: 200, sees: notes},
		{name: "a host with a port", target: "/v1/notes", host: "notes.example.test:8080", header: token, status: 200, sees: notes},
		{name: "a host with a dot at its end", target: "/v1/notes", host: "notes.example.test.", header: token, status: 200, sees: notes},
	}
}

func queryKeys() []row {
	return []row{
		{name: "a key in the query where it may not be", target: "/v1/notes?api_key={live}", host: "notes.example.test", status: 400, code: "malformed"},
		{name: "a token in the query", inQuery: true, target: forecast + "?api_key={jwt}", status: 401, code: "malformed"},
		{name: "a key in the query twice", target: forecast + "?api_key={live}&api_key={live}", status: 400, code: "malformed"},

		{
			name: "a key in the query", inQuery: true, target: forecast + "?city=Lagos&api_key={live}&x=1", status: 200, answer: []string{"Warning: 299 lanyard"},
			sees: &sight{path: "/v1/forecast", query: "city=Lagos&x=1", as: "live"},
		},
		{name: "a key in the query in other letters", inQuery: true, target: forecast + "?API%5FKey={live}", status: 200, sees: seen("live")},
	}
}

func cross() []row {
	preflight := func(origin string) []string {
		return []string{"Origin: " + origin, "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: x-api-key"}
	}
	const allow = "Access-Control-Allow-Origin: https://app.example"
	return []row{
		{name: "a preflight of strangers", method: "OPTIONS", target: forecast, header: preflight("https://evil.example"), status: 204, answer: []string{"!Access-Control-Allow-Origin"}},
		{
			name: "a preflight", method: "OPTIONS", target: forecast, header: preflight("https://app.example"), status: 204,
			answer: []string{allow, "Access-Control-Allow-Methods: GET", "Access-Control-Allow-Headers: x-api-key", "Access-Control-Max-Age: ", "Vary: Origin"},
		},
		{name: "a preflight where there is no API", method: "OPTIONS", target: "/elsewhere", header: preflight("https://app.example"), status: 404, code: "not_found"},
		{name: "options without a question", method: "OPTIONS", target: forecast, header: []string{"Origin: https://app.example"}, status: 401, code: "missing"},
		{name: "a script's call without a key", target: forecast, header: []string{"Origin: https://app.example"}, status: 401, code: "missing", answer: []string{allow}},
		{
			name: "a script's call", target: forecast, header: []string{"Origin: https://app.example", "x-api-key: {live}"}, status: 200, sees: seen("live"),
			answer: []string{allow, "Access-Control-Expose-Headers: RateLimit"},
		},
		{
			name: "a stranger's script", target: forecast, header: []string{"Origin: https://evil.example", "x-api-key: {live}"}, status: 200, sees: seen("live"),
			answer: []string{"!Access-Control-Allow-Origin"},
		},
	}
}

func slicesOf(parts ...[]row) []row {
	var all []row
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}
