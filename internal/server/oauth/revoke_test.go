package oauth_test

import (
	"database/sql"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// revoke ends a token as the client.
func (c *client) revoke(text string) *reply {
	c.w.tb.Helper()
	form, header := url.Values{"token": {text}}, http.Header(nil)
	if c.secret != "" {
		header = basicHeader(c.id, c.secret)
	} else {
		form.Set("client_id", c.id)
	}
	return c.w.post("/oauth/revoke", form, header)
}

// revoked fails the test unless the answer is the bare yes of RFC 7009 section 2.2.
func (w *world) revoked(what string, r *reply) {
	w.tb.Helper()
	if r.status != 200 || r.raw != "" || r.header.Get("Cache-Control") != "no-store" {
		w.tb.Errorf("%s = %d %q (%s), want 200 and no more", what, r.status, r.raw, r.header.Get("Cache-Control"))
	}
}

// good fails the test unless an access token for the mail API works.
func (w *world) good(what string, text string) {
	w.tb.Helper()
	if d := w.verify(text, "GET", "/v1/me"); !d.Allowed {
		w.tb.Errorf("%s: /v1/verify = %s, want valid", what, d.Code)
	}
}

// over fails the test unless an access token is refused as revoked, by /v1/verify and by introspection.
func (w *world) over(what string, text string) {
	w.tb.Helper()
	if d := w.verify(text, "GET", "/v1/me"); d.Code != "revoked" {
		w.tb.Errorf("%s: /v1/verify = %s, want revoked", what, d.Code)
	}
	w.inactive(what, w.post("/oauth/introspect", url.Values{"token": {text}}, bearer(w.node.AdminKey)))
}

// TestRevokeRefused: who does not prove to be the token's client ends nothing (RFC 7009 section 2.1).
func TestRevokeRefused(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c, other, public := w.app(lanyard.AppInput{}), w.app(lanyard.AppInput{Name: "Other"}), w.app(lanyard.AppInput{Name: "Public", Type: "public"})
	mail, files := c.tokens(), c.redeem(c.code(url.Values{"scope": {"files.read"}}), nil)
	right := basicHeader(c.id, c.secret)
	for _, text := range []string{mail.text("access_token"), files.text("access_token"), mail.text("refresh_token")} {
		form := func(change url.Values) url.Values {
			f := url.Values{"token": {text}}
			for name, values := range change {
				f[name] = values
			}
			return f
		}
		w.refused("nobody", w.post("/oauth/revoke", form(nil), nil), 401, "invalid_client")
		w.refused("the client's name", w.post("/oauth/revoke", form(url.Values{"client_id": {c.id}}), nil), 401, "invalid_client")
		w.refused("a forged secret", w.post("/oauth/revoke", form(nil), basicHeader(c.id, forged(t, c.secret))), 401, "invalid_client")
		w.refused("a bearer", w.post("/oauth/revoke", form(nil), bearer(w.node.AdminKey)), 401, "invalid_client")
		w.refused("the token itself", w.post("/oauth/revoke", form(nil), bearer(text)), 401, "invalid_client")
		w.refused("in the address", w.post("/oauth/revoke?token="+text, url.Values{}, right), 400, "invalid_request")
		w.refused("twice", w.post("/oauth/revoke", form(url.Values{"token": {text, text}}), right), 400, "invalid_request")
		w.refused("another client", other.revoke(text), 400, "unauthorized_client")
		w.refused("a public client", public.revoke(text), 400, "unauthorized_client")
	}
	w.refused("no token", c.revoke(""), 400, "invalid_request")
	if r := call(t, http.MethodGet, w.node.URL+"/oauth/revoke?token=x", nil, right); r.status != http.StatusMethodNotAllowed {
		t.Errorf("GET = %d, want 405", r.status)
	}
	w.sync()
	w.good("after all that", mail.text("access_token"))
	w.active("after all that, opaque", c.introspect(files.text("access_token")))
	if r := c.refresh(mail.text("refresh_token")); r.status != 200 {
		t.Errorf("after all that: refresh = %d %s, want 200", r.status, r.raw)
	}
}

// TestRevokeNothing: what is no token of anybody's is as good as revoked (RFC 7009 section 2.2), and other kinds of credentials
// are not ended here.
func TestRevokeNothing(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{})
	key, err := w.node.Manage.CreateKey(t.Context(), w.admin(), c.id, lanyard.KeyInput{Name: "key", Scopes: []string{"files.read"}})
	if err != nil {
		t.Fatal(err)
	}
	r, code, personal := c.tokens(), c.code(nil), w.personal()
	w.sync()
	for name, text := range map[string]string{
		"garbage": "garbage", "blanks": "  ", "an empty JWT": "..", "half a JWT": r.text("access_token")[:100], "a forged refresh token": forgedRefresh(r.text("refresh_token")),
		"an API key": key.Secret, "a client secret": c.secret, "a personal token": personal, "a code": code, "an ID token": r.text("id_token"), "looks like one": "lyd_at_live_x",
	} {
		w.revoked(name, c.revoke(text))
	}
	w.sync()
	w.good("the access token", r.text("access_token"))
	if d := w.verify(personal, "GET", "/v1/me"); !d.Allowed {
		t.Errorf("the personal token = %s, want valid", d.Code)
	}
	if got, err := w.node.Manage.Key(t.Context(), w.admin(), key.ID); err != nil || got.Status != "valid" {
		t.Errorf("the API key = %v, %v, want valid", got.Status, err)
	}
	if got := c.redeem(code, nil); got.status != 200 {
		t.Errorf("the code = %d %s, want 200", got.status, got.raw)
	}
	if got := c.refresh(r.text("refresh_token")); got.status != 200 {
		t.Errorf("the refresh token = %d %s, want 200", got.status, got.raw)
	}
}

// forgedRefresh changes one letter in the middle of a refresh token.
func forgedRefresh(text string) string {
	b := []byte(text)
	i := len(b) - 20
	if b[i] == 'a' {
		b[i] = 'b'
	} else {
		b[i] = 'a'
	}
	return string(b)
}

// TestRevokeRefresh: with a refresh token go its chain and every access token of it, and nothing of another login (RFC 7009
// section 2.1; PROTOCOLS OAuth 10).
func TestRevokeRefresh(t *testing.T) {
	for _, kind := range []string{"public", "confidential"} {
		w := newWorld(t, servertest.Options{})
		c := w.app(lanyard.AppInput{Type: kind})
		first, elsewhere := c.tokens(), c.tokens()
		second := c.refresh(first.text("refresh_token"))
		opaque := c.redeem(c.code(url.Values{"scope": {"files.read"}}), nil)
		// The hint is wrong and makes no difference; of a chain every genuine token ends it.
		form := url.Values{"token": {first.text("refresh_token")}, "token_type_hint": {"access_token"}, "client_id": {c.id}}
		if c.secret != "" {
			form.Set("client_secret", c.secret)
		}
		w.revoked(kind, w.post("/oauth/revoke", form, nil))
		w.sync()
		w.over(kind+", the first access token", first.text("access_token"))
		w.over(kind+", the second access token", second.text("access_token"))
		w.refused(kind+", the first refresh token", c.refresh(first.text("refresh_token")), 400, "invalid_grant")
		w.refused(kind+", the second refresh token", c.refresh(second.text("refresh_token")), 400, "invalid_grant")
		w.revoked(kind+", again", c.revoke(first.text("refresh_token")))
		w.good(kind+", of another login", elsewhere.text("access_token"))
		if r := c.refresh(elsewhere.text("refresh_token")); r.status != 200 {
			t.Errorf("%s, of another login: refresh = %d %s, want 200", kind, r.status, r.raw)
		}
		w.revoked(kind+", a chain with opaque tokens", c.revoke(opaque.text("refresh_token")))
		w.sync()
		w.inactive(kind+", opaque", w.post("/oauth/introspect", url.Values{"token": {opaque.text("access_token")}}, bearer(w.node.AdminKey)))
	}
}

// TestRevokeAccess: an access token ends alone, at once and for good; its chain goes on.
func TestRevokeAccess(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c, machine := w.app(lanyard.AppInput{Type: "public"}), w.machine(lanyard.AppInput{})
	r := c.tokens()
	opaque := c.redeem(c.code(url.Values{"scope": {"files.read"}}), nil)
	own, kept := machine.token(itself(nil)), machine.token(itself(nil))
	for range 2 { // the second time is no error
		w.revoked("JWT", c.revoke(r.text("access_token")))
		w.revoked("opaque", c.revoke(opaque.text("access_token")))
		w.revoked("an app's own", machine.revoke(own.text("access_token")))
	}
	w.sync()
	w.over("JWT", r.text("access_token"))
	w.over("an app's own", own.text("access_token"))
	w.inactive("opaque", w.post("/oauth/introspect", url.Values{"token": {opaque.text("access_token")}}, bearer(w.node.AdminKey)))
	w.good("another of the app's own", kept.text("access_token"))
	next := c.refresh(r.text("refresh_token"))
	if next.status != 200 {
		t.Fatalf("the chain's refresh = %d %s, want 200", next.status, next.raw)
	}
	w.good("the next access token", next.text("access_token"))
	clock.Advance(14*time.Minute + 59*time.Second)
	w.sync()
	w.over("in its last second", r.text("access_token"))
	clock.Advance(time.Hour)
	w.sync()
	w.revoked("expired", c.revoke(next.text("access_token")))
}

// TestRevokeOver: what is over already is not written down.
func TestRevokeOver(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c := w.app(lanyard.AppInput{Type: "public"})
	r := c.tokens()
	clock.Advance(15 * time.Minute)
	w.sync()
	before := rowCounts(t, w)
	w.revoked("an access token", c.revoke(r.text("access_token")))
	clock.Advance(32 * 24 * time.Hour)
	w.sync()
	w.revoked("a refresh token", c.revoke(r.text("refresh_token")))
	for _, table := range []string{"revocation", "audit_event", "change_entry"} {
		if after := rowCounts(t, w)[table]; after > before[table] {
			t.Errorf("the table %s has %d rows after the end of what was over, %d before", table, after, before[table])
		}
	}
}

// TestRevokeMode: a secret for tests asks about and ends tokens for tests, and no others.
func TestRevokeMode(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	live := w.machine(lanyard.AppInput{})
	made, err := w.node.Manage.CreateSecret(t.Context(), w.admin(), live.id, lanyard.SecretInput{Mode: "test"})
	if err != nil {
		t.Fatal(err)
	}
	w.sync()
	test := &client{w: w, id: live.id, secret: made.Secret}
	for _, tc := range []struct{ mine, other *client }{{live, test}, {test, live}} {
		text := tc.mine.token(itself(nil)).text("access_token")
		w.inactive("with the secret of the other mode", tc.other.introspect(text))
		w.refused("with the secret of the other mode", tc.other.revoke(text), 400, "unauthorized_client")
		w.sync()
		w.active("after that", tc.mine.introspect(text))
		w.revoked("with its own", tc.mine.revoke(text))
		w.sync()
		w.inactive("after that", tc.mine.introspect(text))
	}
	c := w.app(lanyard.AppInput{Name: "People's"})
	if made, err = w.node.Manage.CreateSecret(t.Context(), w.admin(), c.id, lanyard.SecretInput{Mode: "test"}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	text := c.tokens().text("refresh_token")
	test = &client{w: w, id: c.id, secret: made.Secret}
	w.inactive("a live refresh token", test.introspect(text))
	w.refused("a live refresh token", test.revoke(text), 400, "unauthorized_client")
	w.active("a live refresh token after that", c.introspect(text))
}

// TestRevokeEverywhere: what one server answered to have revoked, the other refuses within a second (DESIGN promise 2).
func TestRevokeEverywhere(t *testing.T) {
	o := servertest.Options{DatabaseURL: pgtest.Start(t), Master: servertest.Master(t)}
	w := newWorld(t, o)
	o.PublicURL = w.node.URL
	second := servertest.Start(t, o)
	c := w.app(lanyard.AppInput{Type: "public"})
	for _, what := range []string{"refresh_token", "access_token"} {
		r := c.tokens()
		text := r.text("access_token")
		ask := func() (allowed, active bool) {
			d, err := second.Admin.Verify(t.Context(), lanyard.VerifyRequest{Credential: text, API: "mail", Method: "GET", Path: "/v1/me"})
			if err != nil {
				t.Fatal(err)
			}
			told := call(t, http.MethodPost, second.URL+"/oauth/introspect", url.Values{"token": {text}}, bearer(second.AdminKey))
			active, _ = told.body["active"].(bool)
			if told.status != 200 {
				t.Fatalf("introspection = %d %s", told.status, told.raw)
			}
			return d.Allowed, active
		}
		if allowed, active := ask(); !allowed || !active {
			t.Fatalf("before the %s is revoked: %t, %t, want it to work on the other server", what, allowed, active)
		}
		w.revoked(what, c.revoke(r.text(what)))
		answered := time.Now()
		for {
			sent := time.Since(answered)
			allowed, active := ask()
			if !allowed && !active {
				break
			}
			if sent >= time.Second {
				t.Fatalf("%s after the %s was revoked the other server says allowed %t, active %t", sent, what, allowed, active)
			}
		}
	}
}

// TestRevokeFault: a disk that takes no more is a 503, a broken table a 500; neither is a yes, and the tokens are as good as
// before (SECURITY-CASES 48).
func TestRevokeFault(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{})
	tokens := c.tokens()
	fails := func(fault string, status int, code string) {
		t.Helper()
		for _, what := range []string{"refresh_token", "access_token"} {
			r := c.revoke(tokens.text(what))
			w.refused(fault+": "+what, r, status, code)
			if status == 503 && r.header.Get("Retry-After") == "" {
				t.Errorf("%s: %s: no Retry-After", fault, what)
			}
		}
	}
	room := servertest.NoRoom(t)
	defer room()
	fails("a full disk", 503, "temporarily_unavailable")
	room()

	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.node.Settings.DataDir, "lanyard.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	change := func(statement string) {
		t.Helper()
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	change(`CREATE TRIGGER broken BEFORE INSERT ON revocation BEGIN SELECT RAISE(ABORT, 'broken'); END`)
	fails("a broken table", 500, "server_error")
	change(`DROP TRIGGER broken`)
	w.sync()
	w.good("after the faults", tokens.text("access_token"))
	w.revoked("when the database is well again", c.revoke(tokens.text("refresh_token")))
	w.sync()
	w.over("when the database is well again", tokens.text("access_token"))
}

// TestRevokeGone: the same with a PostgreSQL that is not there.
func TestRevokeGone(t *testing.T) {
	pg := pgtest.NewServer(t)
	w := newWorld(t, servertest.Options{DatabaseURL: pg.Database()})
	c := w.app(lanyard.AppInput{})
	r := c.tokens()
	pg.Kill()
	for _, what := range []string{"refresh_token", "access_token"} {
		w.refused("without a database: "+what, c.revoke(r.text(what)), 503, "temporarily_unavailable")
	}
	w.refused("without a database: what it is", c.introspect(r.text("refresh_token")), 503, "temporarily_unavailable")
	pg.Start()
	deadline := time.Now().Add(20 * time.Second)
	for c.revoke(r.text("refresh_token")).status != 200 {
		if time.Now().After(deadline) {
			t.Fatal("nothing is revoked 20 s after the database came back")
		}
	}
	w.sync()
	w.over("when the database is back", r.text("access_token"))
}
