package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// world is a server with a mail API, a user and an app, and a browser in which nobody is logged in.
type world struct {
	tb      testing.TB
	node    *servertest.Node
	team    lanyard.Team
	ada     lanyard.User
	browser *servertest.Browser
}

const (
	password = "violet-harbour-sings-9"
	callback = "https://rp.test/cb"
	verifier = "a-verifier-of-forty-three-characters-at-the-least"
)

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func newWorld(tb testing.TB, o servertest.Options) *world {
	tb.Helper()
	before := o.Settings
	o.Settings = func(s *config.Settings) {
		s.OutboundAllow = []string{"127.0.0.0/8"}
		if before != nil {
			before(s)
		}
	}
	w := &world{tb: tb, node: servertest.Start(tb, o)}
	ctx := tb.Context()
	if _, err := w.node.Admin.ApplyCatalog(ctx, lanyard.Catalog{APIs: map[string]lanyard.API{
		"mail": {
			Takes: "token", Scopes: map[string]lanyard.Scope{
				"profile.read": {Text: "read your profile", Default: true}, "messages.read": {Text: "read your messages"}, "posts.write": {Text: "post for you", Writes: true},
				"mail.rule": {Text: "rule the mail", GrantableBy: "admin"},
			},
			Operations: map[string]lanyard.Operation{"GET /v1/me": {Scopes: []string{"profile.read"}}, "POST /v1/posts": {Scopes: []string{"posts.write"}}},
		},
		"notes": {
			Takes: "token", Scopes: map[string]lanyard.Scope{
				"notes.read": {Text: "read your notes"}, "notes.write": {Text: "write notes for you", Writes: true, Includes: []string{"notes.read"}}, "notes.burn": {Text: "burn your notes", Writes: true},
			},
			Operations: map[string]lanyard.Operation{"GET /v1/notes": {Scopes: []string{"notes.read"}}},
		},
		"files": {
			Takes: "either", Token: &lanyard.TokenRules{Format: "opaque"}, Scopes: map[string]lanyard.Scope{"files.read": {Text: "read files"}},
			Operations: map[string]lanyard.Operation{"GET /v1/files": {Scopes: []string{"files.read"}}},
		},
	}}, false); err != nil {
		tb.Fatal(err)
	}
	var err error
	if w.team, err = w.node.Admin.CreateTeam(ctx, lanyard.TeamInput{Name: "Sunny"}); err != nil {
		tb.Fatal(err)
	}
	w.ada = w.user("ada@demo.test")
	w.browser = w.node.Browser(tb)
	return w
}

func (w *world) user(email string) lanyard.User {
	w.tb.Helper()
	u, err := w.node.Manage.CreateUser(w.tb.Context(), w.admin(), lanyard.UserInput{Email: email, Name: "Ada", Password: password})
	if err != nil {
		w.tb.Fatal(err)
	}
	return u
}

func (w *world) admin() audit.Actor { return audit.Command("test") }

// client is an app as its developer holds it.
type client struct {
	w      *world
	id     string
	secret string
}

// app makes a client; a public one has no secret.
func (w *world) app(in lanyard.AppInput) *client {
	w.tb.Helper()
	if in.Name == "" {
		in.Name = "PostPal"
	}
	in.TeamID = w.team.ID
	if in.RedirectURIs == nil {
		in.RedirectURIs = []string{callback}
	}
	a, err := w.node.Manage.CreateApp(w.tb.Context(), w.admin(), in)
	if err != nil {
		w.tb.Fatal(err)
	}
	c := &client{w: w, id: a.ClientID}
	if in.Type != "public" && in.TokenEndpointAuthMethod != "private_key_jwt" {
		made, err := w.node.Manage.CreateSecret(w.tb.Context(), w.admin(), a.ID, lanyard.SecretInput{})
		if err != nil {
			w.tb.Fatal(err)
		}
		c.secret = made.Secret
	}
	w.sync()
	return c
}

// sync brings the node up to date with what was just changed.
func (w *world) sync() {
	w.tb.Helper()
	if err := w.node.Tail.Sync(w.tb.Context()); err != nil {
		w.tb.Fatal(err)
	}
}

// ask is an authorization request that is right, with changes.
func (c *client) ask(change url.Values) string {
	q := url.Values{
		"response_type": {"code"}, "client_id": {c.id}, "redirect_uri": {callback}, "scope": {"openid profile.read posts.write"}, "state": {"st"}, "nonce": {"no"},
		"code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"},
	}
	for name, values := range change {
		if values == nil {
			delete(q, name)
		} else {
			q[name] = values
		}
	}
	return "/oauth/authorize?" + q.Encode()
}

// signIn types name and password into the sign-in page.
func (w *world) signIn(p *servertest.Page) *servertest.Page {
	w.tb.Helper()
	return w.browser.Press(p, "sign-in", map[string]string{"login": "ada@demo.test", "password": password})
}

// login goes the whole way: sign in if asked, allow everything, and returns what the app gets.
func (c *client) login(change url.Values) url.Values {
	c.w.tb.Helper()
	p := c.w.browser.Get(c.ask(change))
	if p.Has("sign-in") {
		p = c.w.signIn(p)
	}
	if p.Has("approve") {
		p = c.w.browser.Press(p, "approve", map[string]string{"+scope-posts.write": ""})
	}
	if p.Away == nil {
		c.w.tb.Fatalf("the way ended at %s (%d): %.1500s", p.URL, p.Status, p.Text())
	}
	return p.Away.Query()
}

// code is login's code.
func (c *client) code(change url.Values) string {
	c.w.tb.Helper()
	got := c.login(change)
	if got.Get("code") == "" {
		c.w.tb.Fatalf("no code came: %v", got)
	}
	return got.Get("code")
}

// reply is an answer of one of the endpoints for programs.
type reply struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

func (r *reply) text(name string) string {
	text, _ := r.body[name].(string)
	return text
}

// post sends a form with headers.
func (w *world) post(path string, form url.Values, header http.Header) *reply {
	w.tb.Helper()
	return call(w.tb, http.MethodPost, w.node.URL+path, form, header)
}

func call(tb testing.TB, method, address string, form url.Values, header http.Header) *reply {
	tb.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(tb.Context(), method, address, body)
	if err != nil {
		tb.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		tb.Fatal(err)
	}
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		tb.Fatal(err)
	}
	r := &reply{status: res.StatusCode, header: res.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &r.body) // some answers are no JSON
	return r
}

// token calls the token endpoint as the client.
func (c *client) token(form url.Values) *reply {
	c.w.tb.Helper()
	header := http.Header{}
	if c.secret != "" {
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(c.id)+":"+url.QueryEscape(c.secret))))
	} else {
		form.Set("client_id", c.id)
	}
	return c.w.post("/oauth/token", form, header)
}

// redeem exchanges a code.
func (c *client) redeem(code string, change url.Values) *reply {
	c.w.tb.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	for name, values := range change {
		if values == nil {
			delete(form, name)
		} else {
			form[name] = values
		}
	}
	return c.token(form)
}

// refresh uses a refresh token.
func (c *client) refresh(text string) *reply {
	c.w.tb.Helper()
	return c.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {text}})
}

// tokens is a whole login with its tokens.
func (c *client) tokens() *reply {
	c.w.tb.Helper()
	r := c.redeem(c.code(nil), nil)
	if r.status != http.StatusOK {
		c.w.tb.Fatalf("redeem = %d %s", r.status, r.raw)
	}
	return r
}

// verify asks for a decision on the mail API.
func (w *world) verify(credential, method, path string) lanyard.Decision {
	w.tb.Helper()
	d, err := w.node.Admin.Verify(w.tb.Context(), lanyard.VerifyRequest{Credential: credential, API: "mail", Method: method, Path: path})
	if err != nil {
		w.tb.Fatal(err)
	}
	return d
}

// refused fails the test unless the answer is an error of OAuth's dialect with the code and status.
func (w *world) refused(what string, r *reply, status int, code string) {
	w.tb.Helper()
	if r.status != status || r.text("error") != code {
		w.tb.Errorf("%s = %d %s, want %d %s", what, r.status, r.raw, status, code)
	}
	if r.header.Get("Cache-Control") != "no-store" {
		w.tb.Errorf("%s: Cache-Control %q, want no-store", what, r.header.Get("Cache-Control"))
	}
}

func newClock() *servertest.Clock { return servertest.NewClock() }
