package doors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// What a forward-auth answer says beside who calls.
const (
	// headerStatus is the status for the client, where the front cannot hand on the one it got.
	headerStatus = "X-Lanyard-Status"
	// headerProblem is the body for the client, for a front that gets no body: JSON in ASCII, on one line.
	headerProblem = "X-Lanyard-Problem"
	// headerTarget is what the upstream is to be asked for: the path that was ruled on, in its normal form, and the query without a key.
	// A front that forwards it cannot forward anything else than what was decided on.
	headerTarget = "X-Lanyard-Target"
	// headerPath is the path of it alone, decoded, for Caddy: up to 2.6 its rewrite encodes what it is given, later ones decode it first, and
	// both leave alone what holds no percent sign. A query must not go through it, which would be read for placeholders.
	headerPath = "X-Lanyard-Path"
)

// preflightCode is what Rule calls the answer to a preflight.
const preflightCode = "preflight"

// Patterns of the forward-auth endpoints, for the list of routes.
const (
	ForwardAuthPattern = "/forward-auth/{front}"
	PreflightPattern   = "OPTIONS /forward-auth/traefik/preflight"
)

// ForwardAuth answers other proxies that ask whether a call may pass, each at its own path (ForwardAuthPattern). 200 lets a call
// through; nothing else does, and nothing that is an answer for the client is 2xx, a preflight's neither. A call is counted when it is let
// through: what the upstream makes of it is not seen here.
func (d *Doors) ForwardAuth() http.HandlerFunc {
	known := map[string]front{}
	for _, f := range fronts() {
		known[f.name] = f
	}
	return func(w http.ResponseWriter, r *http.Request) {
		f, ok := known[r.PathValue("front")]
		switch {
		case !d.trusts(r):
			f.refuse(w, d.Stranger())
		case !ok:
			f.refuse(w, d.problem(http.StatusNotFound, "not_found", "No such front", "There are endpoints for nginx, traefik, caddy and haproxy."))
		default:
			d.ask(w, r, &f)
		}
	}
}

// ask rules on the call that a front describes.
func (d *Doors) ask(w http.ResponseWriter, r *http.Request, f *front) {
	call, err := f.read(r, d.Proxies)
	if err != nil {
		f.refuse(w, d.Unclear(err))
		return
	}
	if f.decoded && strings.HasSuffix(call.Path, "%20") { // no header ends with a space
		f.refuse(w, d.Unclear(errors.New("the path ends with a space")))
		return
	}
	call.APIs = r.URL.Query()["api"]
	var ruling Ruling
	d.Rule(r.Context(), &call, &ruling)
	h := w.Header()
	if ruling.Answer == nil {
		d.Admit(r.Context(), &ruling, h)
	}
	if ruling.Answer != nil {
		f.refuse(w, ruling.Answer)
		return
	}
	fold(ruling.Headers, h)
	if f.decoded {
		h.Set(headerPath, ruling.Forward)
	} else {
		h.Set(headerTarget, Target(ruling.Forward, call.Query))
	}
	if f.cookies {
		left := http.Header{"Cookie": r.Header["Cookie"]}
		if Strip(left); len(left["Cookie"]) > 0 {
			h["Cookie"] = []string{strings.Join(left["Cookie"], "; ")}
		}
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	const body = "ok\n"
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write([]byte(body)) // who does not read it lets nobody through
}

// Admit says who calls, in h, and counts the call, in that order: what cannot be told to the upstream is not charged. The call was decided with
// Hold. If the ruling has an answer after that, the call may not pass and h says nothing.
func (d *Doors) Admit(ctx context.Context, r *Ruling, h http.Header) {
	if err := d.Identify(ctx, r, h); err != nil {
		d.Verifier.Drop(&r.Decision)
		d.undecided(r, err)
		return
	}
	err := d.Verifier.Settle(ctx, &r.Request, &r.Decision)
	if err != nil {
		d.undecided(r, err)
	}
	if err != nil || !d.still(ctx, r) { // counting may have taken long
		for _, name := range IdentityHeaders() {
			delete(h, name)
		}
	}
}

// TraefikPreflight answers preflights that Traefik routes here instead of to their API, with the path it replaced. It decides nothing
// and lets nobody through: of a forward-auth answer Traefik hands on no 2xx, and a browser takes nothing else.
func (d *Doors) TraefikPreflight() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f := front{name: "traefik", method: "X-Forwarded-Method", uri: replacedPath, host: "X-Forwarded-Host", scheme: "X-Forwarded-Proto"}
		if !d.trusts(r) {
			f.refuse(w, d.Stranger())
			return
		}
		r.Header["X-Forwarded-Method"] = []string{r.Method} // it is not set on what goes to a service; one that came is the caller's
		call, err := f.read(r, d.Proxies)
		if err == nil && !isPreflight(call.Method, call.Header) {
			err = errors.New("this is no preflight")
		}
		if err != nil {
			f.refuse(w, d.Unclear(err))
			return
		}
		var ruling Ruling
		d.Rule(r.Context(), &call, &ruling)
		ruling.Answer.Write(w) // a preflight never passes
	}
}

func (d *Doors) trusts(r *http.Request) bool {
	return (&web.Kit{Proxies: d.Proxies}).Trusted(r)
}

// Stranger answers who is no trusted proxy. They could make up any caller's address and any call.
func (d *Doors) Stranger() *Answer {
	return d.problem(http.StatusForbidden, "ip_denied", "Not a trusted proxy",
		"This endpoint is for the proxies that the server trusts, and you ask from another address. LANYARD_TRUSTED_PROXIES names them.")
}

// Unclear answers a proxy that does not say clearly what it asks about.
func (d *Doors) Unclear(err error) *Answer {
	return d.problem(http.StatusBadRequest, "invalid_request", "The call is not described clearly", "Nothing was decided, since "+err.Error()+".")
}

// refuse writes an answer so that the front lets nobody through and can tell the client what it says.
func (f *front) refuse(w http.ResponseWriter, a *Answer) {
	h, status := w.Header(), a.Status
	fold(a.Header, h)
	if f.coarse || status < 300 {
		h.Set(headerStatus, strconv.Itoa(status))
		if status != http.StatusUnauthorized {
			status = http.StatusForbidden
		}
	}
	var body []byte
	if a.Denial != nil {
		body = document(*a.Denial)
		h.Set("Content-Type", "application/problem+json")
		h.Set("Cache-Control", "no-store")
		if f.coarse {
			h.Set(headerProblem, string(body))
		}
		body = append(body, '\n')
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // JSON, and its type says so; who does not read it lets nobody through
}

// fold puts the lines of every header into one: some fronts hand on the first alone. All of ours are lists (RFC 9110 section 5.3).
func fold(from, into http.Header) {
	for name, values := range from {
		into[name] = []string{strings.Join(values, ", ")}
	}
}

// document is a denial as JSON that can stand in a header: ASCII, on one line.
func document(n lanyard.Denial) []byte {
	text, err := json.Marshal(n)
	if err != nil { // no field of it can fail
		return []byte(`{}`)
	}
	plain := make([]byte, 0, len(text))
	for rest := text; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		rest = rest[size:]
		switch high, low := utf16.EncodeRune(r); {
		case r < 0x7f:
			plain = utf8.AppendRune(plain, r)
		case r < 0x10000:
			plain = fmt.Appendf(plain, `\u%04x`, r)
		default:
			plain = fmt.Appendf(plain, `\u%04x\u%04x`, high, low)
		}
	}
	return plain
}

// Target is a request target of a path in normal form and a query as it came, without what is or could be a key in it.
func Target(path, query string) string {
	u := url.URL{Path: path, RawQuery: query}
	lanyard.StripQuery(&u)
	text := u.EscapedPath()
	if u.RawQuery == "" {
		return text
	}
	b := append([]byte(text), '?')
	for i := range len(u.RawQuery) {
		if c := u.RawQuery[i]; c <= ' ' || c >= 0x7f || c == '#' { // no target holds these, and a header must not
			b = fmt.Appendf(b, "%%%02X", c)
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}
