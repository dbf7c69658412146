// Package doors stands in front of APIs: the gateway, which forwards calls, and the forward-auth endpoints, which tell another proxy
// whether it may. Both turn their own dialect into a Call and get a Ruling, so that they cannot differ in what they let through.
//
//	Doors.Rule   path normal form → API by its routes → credentials → verify.Verify → headers, or the answer in place of the call
//
// What reaches an upstream is what was ruled on: the path in the one form that was matched, without credentials, without what only a
// door may say, and with every identity header, empty where there is nothing to say.
package doors

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// Config is what doors are made of.
type Config struct {
	Verifier   *verify.Verifier
	Assert     func(ctx context.Context, payload []byte) (string, error) // signs an assertion
	Keys       func(now time.Time) []byte                                // the JWK set that assertions are checked with
	Issuer     string                                                    // the server's public URL, where badges are handed out
	GatewayURL string                                                    // how callers reach the gateway, without a slash at its end
	Proxies    []netip.Prefix                                            // whose forwarded headers are believed
	Log        *slog.Logger
	Now        func() time.Time
}

// Doors rules on calls. It is safe for concurrent use.
type Doors struct {
	Config
	table      atomic.Pointer[table]
	assertions *otter.Cache[string, assertion]
}

// New returns doors for the APIs that the verifier knows.
func New(c Config) *Doors {
	return &Doors{Config: c, assertions: newAssertions()}
}

// Call is a request to an API as its front saw it.
type Call struct {
	Method  string
	Host    string // with or without a port
	Path    string // as it stood on the wire, without its query
	Query   string
	Header  http.Header
	IP      netip.Addr // the caller's; zero: unknown
	Address string     // the request's own, as its caller wrote it, without query: what a DPoP proof names
	APIs    []string   // those that the front stands before; none: all. A call that leads to another is none of it
	// WholeQuery: the front forwards the query as it is. No key is taken from it then, since the upstream would get it.
	WholeQuery bool
}

// Ruling is what becomes of a call. The zero value is ready for Rule.
type Ruling struct {
	Answer   *Answer // nil: the call may pass
	at       *place
	API      *catalog.Compiled // nil: none stands there
	Path     string            // of the call, in normal form
	Prefix   string            // that was taken off it; "": none
	Forward  string            // what the upstream is asked for, unescaped: operations are matched on it
	Request  verify.Request
	Decision verify.Decision // of a call that was decided on
	Decided  bool
	Headers  http.Header // for the answer of the upstream: limits, warnings, CORS
}

// Answer is what a door says in place of the upstream.
type Answer struct {
	Status int
	Header http.Header
	Denial *lanyard.Denial // the body; nil: there is none
	Code   string          // what it is called in logs
}

// Rule decides on a call. One that may pass is not counted yet: its front settles or drops it (verify.Request.Hold). The ruling's slices are used again.
func (d *Doors) Rule(ctx context.Context, c *Call, r *Ruling) {
	*r = Ruling{Request: verify.Request{}, Decision: r.Decision, Headers: http.Header{}}
	var err error
	if r.Path, err = policy.NormalPath(c.Path); err != nil {
		r.Answer = d.problem(http.StatusBadRequest, "invalid_request", "Ambiguous path", err.Error())
		return
	}
	if strings.ContainsFunc(c.Query, func(r rune) bool { return r <= ' ' || r == '#' || r == 0x7f }) {
		r.Answer = d.problem(http.StatusBadRequest, "invalid_request", "Ambiguous query", "The query holds a space, a # or a control character as it is. Send it percent-encoded.")
		return
	}
	host, ok := normalHost(c.Host)
	if !ok {
		r.Answer = d.problem(http.StatusBadRequest, "invalid_request", "Ambiguous host", "The Host header is not the name of one host. Send it once, as name or name:port.")
		return
	}
	at, err := d.find(ctx, host, r.Path)
	if err != nil {
		d.undecided(r, err)
		return
	}
	if at == nil || len(c.APIs) > 0 && !slices.Contains(c.APIs, at.name) {
		r.Answer = d.problem(http.StatusNotFound, "not_found", "No API here", "No API stands at this address: look at its host and at how its path begins.")
		return
	}
	r.at, r.API, r.Forward = at, at.api, at.forward(r.Path)
	if at.strip {
		r.Prefix = at.prefix
	}
	cors := corsOf(at.api, c.Header, r.Headers)
	if isPreflight(c.Method, c.Header) {
		r.Answer = preflight(cors, c.Header, r.Headers)
		return
	}
	d.decide(ctx, c, r, at)
}

// decide is the part of Rule that is about the caller.
func (d *Doors) decide(ctx context.Context, c *Call, r *Ruling, at *place) {
	sent, err := lanyard.FromRequest(&http.Request{Header: c.Header, URL: &url.URL{RawQuery: c.Query}}, lanyard.CredentialOptions{Query: at.queryKeys && !c.WholeQuery})
	if err != nil || sent.None() {
		d.unread(r, at, err)
		return
	}
	in := lanyard.VerifyRequest{}
	sent.Fill(&in)
	r.Request = verify.Request{
		Credential: in.Credential, APIKey: in.APIKey, API: at.name, Method: c.Method, Path: r.Forward, IP: c.IP, Cost: verify.DefaultCost, Hold: true,
		Source: "door " + at.name, InQuery: sent.KeyFrom == lanyard.FromQuery,
	}
	if origins := c.Header["Origin"]; len(origins) == 1 {
		if origin, err := policy.ParseOrigin(origins[0]); err == nil {
			r.Request.Origin = origin
		}
	}
	if sent.Proof != "" {
		r.Request.DPoP = &verify.Proof{Proof: sent.Proof, Method: c.Method, URL: c.Address}
	}
	if err := d.Verifier.Verify(ctx, &r.Request, &r.Decision); err != nil {
		d.undecided(r, err)
		return
	}
	r.Decided = true
	d.answerDecision(r, at, sent.Warning())
}

// still reports whether a call that was allowed still is. If it is not, the ruling has the answer.
func (d *Doors) still(ctx context.Context, r *Ruling) bool {
	allowed, err := d.Verifier.Still(ctx, &r.Request, &r.Decision)
	switch {
	case err != nil:
		d.undecided(r, err)
	case !allowed:
		d.answerDecision(r, r.at, "")
	}
	return allowed && err == nil
}

// answerDecision makes headers of a decision, and the answer of one that refuses.
func (d *Doors) answerDecision(r *Ruling, at *place, warning string) {
	headers := r.Headers
	for _, h := range r.Decision.Headers(nil, at.name) {
		headers[http.CanonicalHeaderKey(h.Name)] = []string{h.Value}
	}
	for _, warning := range append([]string{warning}, r.Decision.Warnings...) {
		if warning != "" {
			headers.Add("Warning", "299 lanyard "+quotedText(warning))
		}
	}
	if r.Decision.Allowed() {
		return
	}
	d.pointOut(headers, at)
	denial := lanyard.NewDenial(r.Decision.Wire(at.name), d.Issuer+"/errors")
	r.Answer = &Answer{Status: denial.Status, Header: headers, Denial: &denial, Code: denial.Code}
}

// unread answers a call without a credential (refused nil), or with what FromRequest refused.
func (d *Doors) unread(r *Ruling, at *place, refused error) {
	r.Headers.Set("WWW-Authenticate", lanyard.Challenge(at.name, refused))
	d.pointOut(r.Headers, at)
	denial := lanyard.RefuseCredentials(refused, d.Issuer+"/errors")
	r.Answer = &Answer{Status: denial.Status, Header: r.Headers, Denial: &denial, Code: denial.Code}
}

// pointOut adds to challenges where programs find out who hands out badges for the API (RFC 9728 section 5.1).
func (d *Doors) pointOut(h http.Header, at *place) {
	for i, challenge := range h["Www-Authenticate"] {
		if at.metadata != "" {
			h["Www-Authenticate"][i] = challenge + `, resource_metadata="` + at.metadata + `"`
		}
	}
}

// undecided refuses because nobody can say: never the caller's fault, and never a reason to let them in.
func (d *Doors) undecided(r *Ruling, err error) {
	d.Log.Warn("a call could not be decided on", "error", err)
	r.Answer = d.noDecision()
}

func (d *Doors) noDecision() *Answer {
	a := d.problem(http.StatusServiceUnavailable, "unavailable", "No decision",
		"Whether this request may pass could not be decided just now, so it did not. That says nothing about your credential: try again in a moment.")
	a.Header.Set("Retry-After", "1")
	return a
}

// problem is an answer that is not about credentials.
func (d *Doors) problem(status int, code, title, detail string) *Answer {
	return &Answer{Status: status, Header: http.Header{}, Code: code, Denial: &lanyard.Denial{Problem: lanyard.Problem{
		Type: d.Issuer + "/errors/" + code, Title: title, Status: status, Code: code, Detail: detail,
	}}}
}

// Write writes the answer as it is.
func (a *Answer) Write(w http.ResponseWriter) {
	h := w.Header()
	for name, values := range a.Header {
		h[name] = values
	}
	if a.Denial == nil {
		w.WriteHeader(a.Status)
		return
	}
	a.Denial.Answer(w)
}

// normalHost is a host as routes name it: lower case, without port and without the dot at its end. false: it is no name of one host.
func normalHost(host string) (string, bool) {
	if host == "" || len(host) > 300 || strings.ContainsAny(host, " \t,@/\\?#%;\"<>") || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", false
	}
	name := host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		for _, c := range host[i+1:] {
			if c < '0' || c > '9' {
				return "", false
			}
		}
		name = host[:i]
	}
	if strings.ContainsAny(name, "[]:") { // an address of IPv6, whole, and nothing else
		literal, closed := strings.CutSuffix(strings.TrimPrefix(name, "["), "]")
		if ip, err := netip.ParseAddr(literal); err != nil || !ip.Is6() || ip.Zone() != "" || !closed || name[0] != '[' {
			return "", false
		}
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return name, name != "" && !strings.HasSuffix(name, ".")
}

// quotedText is a quoted-string (RFC 9110 section 5.6.4) of what in a text may stand in one.
func quotedText(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\'')
		case c >= ' ' && c <= '~':
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
