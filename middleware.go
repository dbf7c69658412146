package lanyard

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/policy"
)

// gate is what Require was told.
type gate struct {
	client    *Client
	api       string
	scopes    []string
	operation string
	maxAge    int64 // seconds; 0: any
	prefix    string
	trusted   []netip.Prefix
	queryKeys bool
	preflight bool
	public    string    // scheme and host that callers use; "": those of the connection
	metadata  string    // address of the API's metadata document; "": none
	follower  *Follower // nil: every request is asked about, and nobody ends what was let through
	health    health
}

// Require returns middleware that lets a request through when Lanyard allows it for the named API, and answers it otherwise:
//
//   - 400 when its path or its credentials have more than one reading;
//   - 401, 403 or 429 as the decision says, with WWW-Authenticate, RateLimit and Retry-After headers;
//   - 503 when there is no decision, whatever the reason: it fails closed.
//
// The body is a problem document. See the package comment for what the handler may rely on. A request without a credential
// is answered without asking the server. Every request that carries one is asked about, and charged as its operation says; WithFollower makes
// exceptions where nothing is charged, and ends what is under way when it may not go on.
func Require(c *Client, api string, opts ...Option) func(http.Handler) http.Handler {
	if c == nil {
		c = &Client{} // every call of it says what is missing
	}
	g := &gate{client: c, api: api, health: health{log: slog.Default()}}
	for _, opt := range opts {
		opt(g)
	}
	if g.health.log == nil {
		g.health.log = slog.New(slog.DiscardHandler)
	}
	if g.follower != nil {
		g.follower.guards(api)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, next) })
	}
}

func (g *gate) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	path, err := policy.NormalPath(r.URL.EscapedPath())
	if err != nil {
		g.ambiguous(w, err)
		return
	}
	if g.preflight && isPreflight(r) {
		next.ServeHTTP(w, strip(r.Context(), r, path))
		return
	}
	credentials, err := FromRequest(r, CredentialOptions{Query: g.queryKeys})
	if err != nil || credentials.None() {
		g.unread(w, err)
		return
	}
	below, ok := g.below(path)
	if !ok {
		g.newDenial(http.StatusForbidden, policy.OperationUnknown, "").Answer(w)
		return
	}
	ip := ClientIP(r, g.trusted)
	a := &admission{question: g.question(r, below, ip), credentials: credentials}
	if err := g.ask(r, a, ip); err != nil {
		g.undecided(r.Context(), w, err)
		return
	}
	if !a.who.Decision.Allowed {
		g.deny(w, a.who.Decision, credentials)
		return
	}
	addHeaders(w.Header(), a.who.Decision.HTTP.Headers)
	if warning := credentials.Warning(); warning != "" {
		w.Header().Add("Warning", "299 lanyard "+quoted(warning))
	}
	seen := strip(context.WithValue(r.Context(), identityKey{}, a.who), r, path)
	if g.follower == nil {
		next.ServeHTTP(w, seen)
		return
	}
	g.follower.serve(w, seen, next, a, g)
}

// errStopped is why nothing is decided once the Follower has ended.
var errStopped = errors.New("the context that lanyard.Follow was given has ended, so nobody would look after the request")

// ask finds out whether a request may pass, and who calls: by an answer that holds for it too, or from the server.
func (g *gate) ask(r *http.Request, a *admission, ip netip.Addr) error {
	c, q, f := &a.credentials, &a.question, g.follower
	c.Fill(q)
	if c.Proof != "" {
		q.DPoP = &VerifyProof{Proof: c.Proof, Method: r.Method, URL: g.address(r)}
	}
	var place lookup
	if f != nil {
		if f.stopped() {
			return errStopped
		}
		a.at = f.now()
		if a.who, place = f.find(g, c, q, ip, a.at); a.who != nil {
			a.knows = place.revision
			return nil
		}
	}
	d, err := g.client.Verify(r.Context(), *q)
	if err != nil {
		return err
	}
	g.health.good(r.Context(), g.api)
	a.who = identityOf(d)
	if f != nil {
		if a.knows, err = parseRevision(d.Revision); err != nil {
			return err
		}
		f.remember(place, a.who)
	}
	return nil
}

// below returns the path without the prefix it is mounted at.
func (g *gate) below(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, g.prefix)
	switch {
	case !ok || rest != "" && rest[0] != '/':
		return "", false
	case rest == "":
		return "/", true
	}
	return rest, true
}

// question is about everything but the credential. What is absent fails the restrictions that need it.
func (g *gate) question(r *http.Request, path string, ip netip.Addr) VerifyRequest {
	q := VerifyRequest{API: g.api, Operation: g.operation, Scopes: g.scopes, MaxAge: g.maxAge}
	if g.operation == "" {
		q.Method, q.Path = r.Method, path
	}
	if ip.IsValid() {
		q.IP = ip.String()
	}
	// Longer than any origin, or sent twice: none that could be relied on.
	if origin, ok, err := single(r.Header, "Origin"); ok && err == nil && len(origin) <= 512 && isVisible(origin) {
		q.Origin = origin
	}
	return q
}

// address is the request's as its caller wrote it: what a DPoP proof names.
func (g *gate) address(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(path, "/") { // absolute form, or a request made by hand
		path = r.URL.EscapedPath()
	}
	if g.public != "" {
		return g.public + path
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + path
}

// isPreflight: Fetch standard, CORS-preflight request.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// strip returns the request as the handler may see it.
func strip(ctx context.Context, r *http.Request, path string) *http.Request {
	out := r.Clone(ctx)
	StripHeaders(out.Header)
	// Trailers arrive after the decision, with names nobody has looked at.
	out.Trailer = nil
	before := *out.URL
	out.URL.Path, out.URL.RawPath = path, ""
	StripQuery(out.URL)
	if out.URL.RawQuery != before.RawQuery {
		// Whoever parsed the form before us has a copy of the key.
		dropKey(out.Form)
	}
	if out.URL.RawQuery != before.RawQuery || before.RawPath != "" {
		out.RequestURI = out.URL.RequestURI()
	}
	return out
}

func dropKey(form url.Values) {
	for name := range form {
		if strings.EqualFold(name, keyParam) {
			delete(form, name)
		}
	}
}

// addHeaders adds what a decision gives to the response, save what is the response's own.
func addHeaders(to http.Header, from HTTPHeaders, secrets ...string) {
	for name, value := range from {
		switch name = http.CanonicalHeaderKey(name); name {
		case "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Set-Cookie", "Trailer", "Transfer-Encoding", "Upgrade":
			continue
		}
		to.Set(name, tame(value, secrets...))
	}
}

func (g *gate) errorsURL() string { return strings.TrimRight(g.client.URL, "/") + "/errors" }

func (g *gate) newDenial(status int, code policy.Code, detail string) Denial {
	return newDenial(status, code, detail, g.errorsURL())
}

func (g *gate) ambiguous(w http.ResponseWriter, err error) {
	Denial{Problem: Problem{
		Type: g.errorsURL() + "/invalid_request", Title: "Ambiguous path", Status: http.StatusBadRequest, Code: "invalid_request", Detail: err.Error(),
	}}.Answer(w)
}

// unread answers a request without a credential (err nil), or with what FromRequest refused.
func (g *gate) unread(w http.ResponseWriter, err error) {
	w.Header().Set("WWW-Authenticate", g.challenge(Challenge(g.api, err)))
	RefuseCredentials(err, g.errorsURL()).Answer(w)
}

func (g *gate) deny(w http.ResponseWriter, d Decision, sent Credentials) {
	secrets := []string{sent.Token.Reveal(), sent.APIKey.Reveal()}
	d.Message = tame(d.Message, secrets...)
	h := w.Header()
	addHeaders(h, d.HTTP.Headers, secrets...)
	if d.HTTP.Status == http.StatusUnauthorized && h.Get("WWW-Authenticate") == "" {
		h.Set("WWW-Authenticate", Challenge(g.api, nil)+`, error="invalid_token"`)
	}
	if given := h.Get("WWW-Authenticate"); given != "" {
		h.Set("WWW-Authenticate", g.challenge(given))
	}
	if d.RetryAfterMS > 0 && h.Get("Retry-After") == "" {
		h.Set("Retry-After", strconv.FormatInt((d.RetryAfterMS-1)/1000+1, 10))
	}
	NewDenial(d, g.errorsURL()).Answer(w)
}

// undecided answers 503: that there is no decision is never the caller's fault, and never a reason to let them in.
func (g *gate) undecided(ctx context.Context, w http.ResponseWriter, err error) {
	pause := time.Second
	var p *ProblemError
	if errors.As(err, &p) && p.RetryAfter > 0 {
		pause = min(p.RetryAfter, time.Minute)
	}
	if ctx.Err() == nil { // else the caller left, which says nothing about Lanyard
		g.health.bad(ctx, g.api, err)
	}
	g.noDecision(w, pause)
}

// cutOff answers a request that had begun and that nobody could say any more whether it may go on.
func (g *gate) cutOff(w http.ResponseWriter) {
	Denial{Problem: Problem{
		Type: g.errorsURL() + "/unavailable", Title: "Cut off", Status: http.StatusServiceUnavailable, Code: "unavailable",
		Detail: "This request was let through, but while it was under way it could not be decided any more whether it may go on, so it was cut off. What it had done by then is done.",
	}}.Answer(w)
}

func (g *gate) noDecision(w http.ResponseWriter, pause time.Duration) {
	w.Header().Set("Retry-After", strconv.FormatInt(int64(pause/time.Second), 10))
	Denial{Problem: Problem{
		Type: g.errorsURL() + "/unavailable", Title: "No decision", Status: http.StatusServiceUnavailable, Code: "unavailable",
		Detail: "Whether this request may pass could not be decided just now, so it did not. That says nothing about your credential: try again in a moment.",
	}}.Answer(w)
}
