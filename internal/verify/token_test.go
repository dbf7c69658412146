package verify_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/token"
	"github.com/lanyard-auth/lanyard/internal/user"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// TestVerifyRefusesTokens goes through every refusal, each on a token that differs from a good one in a single thing.
func TestVerifyRefusesTokens(t *testing.T) {
	w := newWorld(t)
	p := w.person("ada@example.com")
	read := verify.Request{API: "mail", Operation: "GET /v1/messages"}
	for _, test := range []struct {
		name   string
		change func(*token.Claims)
		req    verify.Request
		want   policy.Code
		by     string
	}{
		{"expired at this very second", func(c *token.Claims) { c.ExpiresAt = c.IssuedAt }, read, policy.Expired, "token"},
		{"another audience", func(c *token.Claims) { c.Audience = "https://auth.test/apis/weather" }, read, policy.AudienceMismatch, "audience"},
		{"the issuer as audience", func(c *token.Claims) { c.Audience = "https://auth.test" }, read, policy.AudienceMismatch, "audience"},
		{"the audience and a slash", func(c *token.Claims) { c.Audience += "/" }, read, policy.AudienceMismatch, "audience"},
		{"live for test", nil, verify.Request{API: "mail", Mode: "test"}, policy.ModeMismatch, "mode"},
		{"test for live", func(c *token.Claims) { c.Mode = secret.Test }, verify.Request{API: "mail", Mode: "live"}, policy.ModeMismatch, "mode"},
		{"unknown operation", nil, verify.Request{API: "mail", Operation: "GET /v2"}, policy.OperationUnknown, "operation"},
		{"an operation for keys", nil, verify.Request{API: "mail", Operation: "GET /v1/key"}, policy.KindNotAccepted, "token"},
		{"an operation for both", nil, verify.Request{API: "mail", Operation: "GET /v1/both"}, policy.KindNotAccepted, "token_alone"},
		{"not allowed", nil, verify.Request{API: "mail", Operation: "POST /v1/posts"}, policy.InsufficientScope, "token.scopes"},
		{"a scope beyond", nil, verify.Request{API: "mail", Operation: "GET /v1/messages", Scopes: []string{"rules.write"}}, policy.InsufficientScope, "token.scopes"},
		{"signed in too long ago", func(c *token.Claims) { c.AuthTime = c.AuthTime.Add(-2 * time.Minute) }, verify.Request{API: "mail", MaxAge: time.Minute}, policy.InsufficientUserAuthn, "max_age"},
		{"signed in at a time that is not known", func(c *token.Claims) { c.AuthTime = time.Time{} }, verify.Request{API: "mail", MaxAge: time.Minute}, policy.InsufficientUserAuthn, "max_age"},
		{"a scope only admins have", func(c *token.Claims) { c.Scopes = []string{"rules.write"} }, verify.Request{API: "mail", Scopes: []string{"rules.write"}}, policy.InsufficientScope, "token.owner"},
		{"a scope only owners have", func(c *token.Claims) { c.Scopes = []string{"invoices.read"} }, verify.Request{API: "mail", Scopes: []string{"invoices.read"}}, policy.InsufficientScope, "token.owner"},
		{"bound to a key", func(c *token.Claims) { c.JKT = "thumbprint" }, read, policy.SenderMismatch, "scheme"},
		{"bound to a certificate", func(c *token.Claims) { c.X5T = "thumbprint" }, read, policy.SenderMismatch, "certificate"},
		{"an app that is not there", func(c *token.Claims) { c.App = id.New[id.App]() }, read, policy.Disabled, "app"},
		{"another app's grant", func(c *token.Claims) { c.App, _ = w.otherApp("") }, read, policy.Revoked, "grant"},
		{"a user who is not there", func(c *token.Claims) { c.User = id.New[id.User](); c.Subject = string(c.User) }, read, policy.Disabled, "user"},
		{"another user's grant", func(c *token.Claims) { c.User = w.person("bob@example.com").user; c.Subject = string(c.User) }, read, policy.Revoked, "grant"},
		{"a grant that is not there", func(c *token.Claims) { c.Grant = id.New[id.Grant]() }, read, policy.Revoked, "grant"},
	} {
		c := w.claims(p, "messages.read")
		if test.change != nil {
			test.change(&c)
		}
		for form, text := range w.forms(c) {
			for range 2 { // the second time from memory
				req := test.req
				req.Credential = text
				d := w.ask(req)
				if d.Code != test.want || d.DeniedBy != test.by {
					t.Errorf("%s, %s: Verify = %s by %q, want %s by %q", test.name, form, d.Code, d.DeniedBy, test.want, test.by)
				}
				if !d.Identified || d.Token != id.Of[id.Token](c.ID) || d.Message == "" || strings.Contains(d.Message, text) {
					t.Errorf("%s, %s: Verify = %+v, want the token named, and words without it", test.name, form, d)
				}
			}
		}
	}
	if n := len(w.rec.events); n != 0 {
		t.Errorf("%d refusals were charged, want none", n)
	}
}

// TestVerifyForgedTokens: what was not made here is nobody's, and nothing is said about it.
func TestVerifyForgedTokens(t *testing.T) {
	w := newWorld(t)
	p := w.person("ada@example.com")
	c := w.claims(p, "messages.read")
	opaque, jwt := w.opaque(c), w.jwt(c)
	foreign := newWorld(t) // another server of the same name
	if d := w.ask(verify.Request{API: "mail", Credential: opaque}); !d.Allowed() {
		t.Fatalf("a good token = %s by %s, want valid", d.Code, d.DeniedBy)
	}
	flip := func(s string, at int) string {
		b := []byte(s)
		if b[at] == 'A' {
			b[at] = 'B'
		} else {
			b[at] = 'A'
		}
		return string(b)
	}
	dot := strings.LastIndexByte(jwt, '.')
	for _, test := range []struct {
		name, text string
		want       policy.Code
	}{
		{"opaque of another server", foreign.opaque(c), policy.NotFound},
		{"JWT of another server", foreign.jwt(c), policy.NotFound},
		{"opaque, one letter changed", flip(opaque, len(opaque)-20), policy.Malformed}, // the checksum says so
		{"opaque, cut", opaque[:len(opaque)-1], policy.Malformed},
		{"opaque, longer", opaque + "A", policy.Malformed},
		{"opaque, upper case", strings.ToUpper(opaque), policy.Malformed},
		{"JWT, claims changed", flip(jwt, strings.IndexByte(jwt, '.')+20), policy.NotFound},
		{"JWT, signature changed", flip(jwt, dot+5), policy.NotFound},
		{"JWT, header changed", flip(jwt, 10), policy.NotFound},
		{"JWT without signature", jwt[:dot+1], policy.NotFound},
		{"JWT, padded", jwt + "=", policy.NotFound},
		{"JWT, a line break", jwt[:dot] + "\n" + jwt[dot:], policy.NotFound},
		{"JWT that is none", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.", policy.NotFound},
		{"an ID token", idToken(t, w), policy.NotFound},
	} {
		d := w.ask(verify.Request{API: "mail", Credential: test.text, IP: netip.MustParseAddr("198.51.100.1")})
		if d.Code != test.want || d.Identified || d.User != "" || d.Token != "" {
			t.Errorf("%s: Verify = %s for %q, want %s and nothing about it", test.name, d.Code, d.User, test.want)
		}
	}
}

func idToken(t *testing.T, w *world) string {
	t.Helper()
	text, err := w.minter.Sign(context.Background(), "JWT", "ES256", []byte(`{"iss":"https://auth.test","sub":"user_DDDDDDDDDDDDDDDD","aud":"https://auth.test/apis/mail"}`))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestVerifyAllowsToken(t *testing.T) {
	w := newWorld(t)
	p := w.person("ada@example.com")
	for form, kind := range map[string]secret.Kind{"opaque": secret.Access, "jwt": verify.KindJWT} {
		c := w.claims(p, "openid", "messages.read")
		w.rec.events = nil
		d := w.ask(verify.Request{API: "mail", Credential: w.forms(c)[form], Method: "GET", Path: "/v1/messages", IP: netip.MustParseAddr("203.0.113.7")})
		if !d.Allowed() || d.Kind != kind || d.Credential() != "tok_"+c.ID || d.App != w.app || d.Team != w.team || d.User != p.user || d.Grant != p.grant.ID ||
			d.Subject != string(p.user) || d.ACR != "1" || !d.AuthTime.Equal(c.AuthTime) || d.Family != id.Of[id.Family](c.Family) || !d.ExpiresAt.Equal(c.ExpiresAt) {
			t.Errorf("%s: Verify = %+v, want it allowed with everything about the token", form, d)
		}
		if len(d.Scopes) != 1 || d.Scopes[0] != "messages.read" {
			t.Errorf("%s: Scopes = %q, want those of the API alone", form, d.Scopes)
		}
		if len(w.rec.events) != 1 {
			t.Fatalf("%s: %d uses recorded, want 1", form, len(w.rec.events))
		}
		if ev := w.rec.events[0]; ev.User != p.user || ev.Key != "" || ev.Team != w.team || ev.App != w.app || ev.Operation != "GET /v1/messages" {
			t.Errorf("%s: recorded %+v, want the user's use of the app, without a key", form, ev)
		}
	}
}

// TestVerifySignedIn: an answer that rests on a sign-in ends when that is too old.
func TestVerifySignedIn(t *testing.T) {
	w := newWorld(t)
	p := w.person("ada@example.com")
	c := w.claims(p, "messages.read")
	ask := verify.Request{API: "mail", Operation: "GET /v1/messages", MaxAge: time.Minute, Credential: w.opaque(c)}
	if d := w.ask(ask); !d.Allowed() || !d.Until.Equal(c.AuthTime.Add(time.Minute)) {
		t.Errorf("just signed in: Verify = %s until %s, want valid until %s", d.Code, d.Until, c.AuthTime.Add(time.Minute))
	}
	w.clock.Advance(61 * time.Second)
	w.sync()
	d := w.ask(ask)
	if d.Code != policy.InsufficientUserAuthn || d.MaxAge != time.Minute {
		t.Errorf("a minute later: Verify = %s, max age %s, want %s, %s", d.Code, d.MaxAge, policy.InsufficientUserAuthn, time.Minute)
	}
	want := `Bearer realm="mail", error="insufficient_user_authentication", error_description="` + d.Message + `", max_age="60"` // RFC 9470 section 3
	if h := d.Headers(nil, "mail"); len(h) != 1 || h[0].Name != "WWW-Authenticate" || h[0].Value != want {
		t.Errorf("headers = %v, want the challenge %s", h, want)
	}
	own := w.claims(person{}, "messages.read") // a token that an app got for itself
	own.AuthTime = w.clock.Now()
	if d := w.ask(verify.Request{API: "mail", MaxAge: time.Minute, Credential: w.opaque(own)}); d.Code != policy.InsufficientUserAuthn {
		t.Errorf("a token of nobody: Verify = %s, want %s", d.Code, policy.InsufficientUserAuthn)
	}
}

// TestVerifyTokenRevoked: whatever a token hangs on can be taken away, and is by the next look at the log.
func TestVerifyTokenRevoked(t *testing.T) {
	ctx := context.Background()
	for _, test := range []struct {
		name string
		act  func(*world, person, token.Claims)
		want policy.Code
		by   string
	}{
		{"the token", func(w *world, _ person, c token.Claims) {
			w.must(w.st.RevokeToken(ctx, id.Of[id.Token](c.ID), c.ExpiresAt.Add(5*time.Minute), w.event("token.revoke")))
		}, policy.Revoked, "token"},
		{"its family", func(w *world, _ person, c token.Claims) {
			w.must(w.st.RevokeFamily(ctx, id.Of[id.Family](c.Family), w.event("family.revoke")))
		}, policy.Revoked, "family"},
		{"the grant", func(w *world, p person, _ token.Claims) {
			w.must(w.st.RevokeGrant(ctx, audit.ServerReach(), "", p.grant.ID, w.event("grant.revoke")))
		}, policy.Revoked, "grant"},
		{"everything of the user", func(w *world, p person, _ token.Claims) {
			w.alterUser(p.user, func(u *user.User) { u.Epoch++ })
		}, policy.Revoked, "user"},
		{"the user", func(w *world, p person, _ token.Claims) {
			w.alterUser(p.user, func(u *user.User) { u.DisabledAt = w.clock.Now() })
		}, policy.Disabled, "user"},
		{"the user, and back", func(w *world, p person, _ token.Claims) {
			w.alterUser(p.user, func(u *user.User) { u.DisabledAt = w.clock.Now() })
			w.alterUser(p.user, func(u *user.User) { u.DisabledAt = time.Time{} })
		}, policy.Revoked, "user"},
		{"everything of the app", func(w *world, _ person, _ token.Claims) {
			w.alterApp(w.app, func(a *app.App) { a.Epoch++ })
		}, policy.Revoked, "app"},
		{"the app", func(w *world, _ person, _ token.Claims) {
			w.alterApp(w.app, func(a *app.App) { a.DisabledAt = w.clock.Now() })
		}, policy.Disabled, "app"},
		{"the app for good", func(w *world, _ person, _ token.Claims) {
			w.alterApp(w.app, func(a *app.App) { a.DeletedAt = w.clock.Now() })
		}, policy.Disabled, "app"},
		{"the team", func(w *world, _ person, _ token.Claims) { w.suspend(w.clock.Now()) }, policy.OwnerSuspended, "team"},
	} {
		w := newWorld(t)
		p := w.person("ada@example.com")
		c := w.claims(p, "messages.read")
		forms := w.forms(c)
		pairwise := c
		pairwise.Subject = "pairwise-1"
		forms["pairwise jwt"], forms["pairwise opaque"] = w.jwt(pairwise), w.opaque(pairwise)
		for form, text := range forms {
			if d := w.ask(verify.Request{API: "mail", Credential: text}); !d.Allowed() || d.User != p.user {
				t.Fatalf("%s before: Verify = %s by %s for %q, want valid for %q", form, d.Code, d.DeniedBy, d.User, p.user)
			}
		}
		test.act(w, p, c)
		w.sync()
		for form, text := range forms {
			if d := w.ask(verify.Request{API: "mail", Credential: text}); d.Code != test.want || d.DeniedBy != test.by {
				t.Errorf("%s revoked, %s: Verify = %s by %q, want %s by %q", test.name, form, d.Code, d.DeniedBy, test.want, test.by)
			}
		}
		state, err := w.v.Token(ctx, forms["jwt"], netip.Addr{})
		if err != nil || state.Code != test.want || state.Claims.ID != c.ID {
			t.Errorf("%s revoked: Token = %+v, %v, want %s", test.name, state, err, test.want)
		}
	}
}

// TestVerifyTokenExpires: a token that is remembered ends at its second, not a moment later.
func TestVerifyTokenExpires(t *testing.T) {
	w := newWorld(t)
	c := w.claims(w.person("ada@example.com"), "messages.read")
	c.ExpiresAt = c.IssuedAt.Add(time.Minute)
	for form, text := range w.forms(c) {
		if d := w.ask(verify.Request{API: "mail", Credential: text}); !d.Allowed() {
			t.Fatalf("%s: Verify = %s, want valid", form, d.Code)
		}
	}
	w.clock.Advance(c.ExpiresAt.Sub(w.clock.Now()) - time.Microsecond)
	w.sync()
	for form, text := range w.forms(c) {
		if d := w.ask(verify.Request{API: "mail", Credential: text}); !d.Allowed() {
			t.Errorf("%s a moment before its end: Verify = %s, want valid", form, d.Code)
		}
	}
	w.clock.Advance(time.Microsecond)
	for form, text := range w.forms(c) {
		if d := w.ask(verify.Request{API: "mail", Credential: text}); d.Code != policy.Expired {
			t.Errorf("%s at its end: Verify = %s, want expired", form, d.Code)
		}
	}
}

// TestVerifyLostRole: whoever loses a role narrows what live tokens may do.
func TestVerifyLostRole(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	p := w.person("ada@example.com")
	tokens := w.forms(w.claims(p, "messages.read", "invoices.read", "rules.write"))
	tokens["personal"] = w.personal(p, patSpec{scopes: []string{"messages.read", "invoices.read", "rules.write"}}).text
	check := func(when string, scope string, want policy.Code) {
		t.Helper()
		for form, text := range tokens {
			d := w.ask(verify.Request{API: "mail", Credential: text, Scopes: []string{scope}})
			if d.Code != want {
				t.Errorf("%s, %s: Verify(%s) = %s by %q, want %s", when, form, scope, d.Code, d.DeniedBy, want)
			}
			if got := strings.Contains(strings.Join(d.Scopes, " "), scope); got != (want == policy.Valid) {
				t.Errorf("%s, %s: Scopes = %q, want %s in them: %v", when, form, d.Scopes, scope, want == policy.Valid)
			}
			if want != policy.Valid && d.DeniedBy != "token.owner" {
				t.Errorf("%s, %s: denied by %q, want token.owner", when, form, d.DeniedBy)
			}
		}
	}
	check("at first", "messages.read", policy.Valid)
	check("at first", "invoices.read", policy.InsufficientScope)
	check("at first", "rules.write", policy.InsufficientScope)
	w.must(w.st.SetMember(ctx, audit.ServerReach(), w.team, team.Member{User: p.user, Role: audit.RoleOwner}, w.event("member.set")))
	w.sync()
	check("an owner", "invoices.read", policy.Valid)
	check("an owner", "rules.write", policy.InsufficientScope)
	w.alterUser(p.user, func(u *user.User) { u.Admin = true })
	check("an admin", "rules.write", policy.Valid)
	w.alterUser(p.user, func(u *user.User) { u.Admin = false })
	check("no admin any more", "rules.write", policy.InsufficientScope)
	other := id.New[id.User]()
	w.must(w.st.CreateUser(ctx, &user.User{ID: other, Email: "bob@example.com", Name: "Bob", CreatedAt: w.clock.Now()}, w.event("user.create")))
	w.must(w.st.SetMember(ctx, audit.ServerReach(), w.team, team.Member{User: other, Role: audit.RoleOwner}, w.event("member.set")))
	w.must(w.st.RemoveMember(ctx, audit.ServerReach(), w.team, p.user, w.event("member.remove")))
	w.sync()
	check("no owner any more", "invoices.read", policy.InsufficientScope)
}

// TestVerifyTokenCutOff: a node that the database does not answer refuses to decide on tokens as on keys.
func TestVerifyTokenCutOff(t *testing.T) {
	w := newWorld(t)
	p := w.person("ada@example.com")
	text := w.jwt(w.claims(p, "messages.read"))
	pat := w.personal(p, patSpec{}).text
	for _, credential := range []string{text, pat} {
		if d := w.ask(verify.Request{API: "mail", Credential: credential}); !d.Allowed() {
			t.Fatalf("Verify = %s, want valid", d.Code)
		}
	}
	w.faulty.cut(fault.New(fault.Unavailable, "cut off"))
	w.clock.Advance(time.Second)
	var d verify.Decision
	for _, credential := range []string{text, pat} {
		if err := w.v.Verify(context.Background(), &verify.Request{API: "mail", Credential: credential}, &d); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Verify while cut off = %v, %v, want unavailable", d.Code, err)
		}
		if _, err := w.v.Token(context.Background(), credential, netip.Addr{}); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Token while cut off = %v, want unavailable", err)
		}
		if _, err := w.v.Asker(context.Background(), credential, "", netip.Addr{}); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Asker while cut off = %v, want unavailable", err)
		}
	}
	for what, ask := range map[string]func() error{
		"Client":   func() error { _, err := w.v.Client(context.Background(), string(w.app)); return err },
		"Standing": func() error { _, err := w.v.Standing(context.Background(), p.user); return err },
		"Grant":    func() error { _, err := w.v.Grant(context.Background(), p.grant.ID); return err },
		"Catalog":  func() error { _, err := w.v.Catalog(context.Background()); return err },
	} {
		if err := ask(); !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s while cut off = %v, want unavailable", what, err)
		}
	}
}

// TestVerifyKeyDropped: a key of ours that is dropped takes what it made with it, also what is remembered; one that another
// node made is read when it is first met.
func TestVerifyKeyDropped(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	p := w.person("ada@example.com")
	opaque, jwt := w.opaque(w.claims(p, "messages.read")), w.jwt(w.claims(p, "messages.read"))
	ask := func(text string) policy.Code {
		return w.ask(verify.Request{API: "mail", Credential: text, IP: netip.MustParseAddr("198.51.100.1")}).Code
	}
	if ask(opaque) != policy.Valid || ask(jwt) != policy.Valid {
		t.Fatal("good tokens are refused")
	}
	elsewhere, err := keyring.Open(ctx, w.st, w.masters, w.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := elsewhere.AddVersion(ctx, keyring.Sealing, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	far := &token.Minter{Keys: elsewhere, Issuer: "https://auth.test", Now: w.clock.Now}
	c := w.claims(p, "messages.read")
	fresh, err := far.Opaque(&c, "lyd")
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(fresh.Reveal()); got != policy.Valid {
		t.Errorf("a token under a key this node has not read = %s, want valid", got)
	}
	if err := elsewhere.Drop(ctx, keyring.Sealing, 1, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if got := ask(opaque); got != policy.NotFound {
		t.Errorf("a sealed token after its key was dropped = %s, want not_found", got)
	}
	if got := ask(jwt); got != policy.Valid {
		t.Errorf("a signed token after the sealing key was dropped = %s, want valid", got)
	}
	for _, info := range elsewhere.List() {
		if info.Purpose == keyring.SignES256 {
			if err := elsewhere.Drop(ctx, info.Purpose, info.Version, w.clock.Now()); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.sync()
	if got := ask(jwt); got != policy.NotFound {
		t.Errorf("a signed token after its key was dropped = %s, want not_found", got)
	}
}

// TestVerifyUnknownKeyReads: made-up key ids make a node read its keyring once a second and no more.
func TestVerifyUnknownKeyReads(t *testing.T) {
	w := newWorld(t)
	foreign := newWorld(t)
	p := w.person("ada@example.com")
	reads := &countingRing{Ring: w.ring}
	w.v.Ring = reads
	if d := w.ask(verify.Request{API: "mail", Credential: w.jwt(w.claims(p))}); !d.Allowed() {
		t.Fatalf("Verify = %s, want valid", d.Code)
	}
	before := reads.n
	text := foreign.jwt(w.claims(p))
	for range 20 {
		w.ask(verify.Request{API: "mail", Credential: text})
	}
	if n := reads.n - before; n != 1 {
		t.Errorf("20 texts with an unknown key within a second made %d reads of the keyring, want 1", n)
	}
	w.clock.Advance(time.Second)
	w.sync()
	w.ask(verify.Request{API: "mail", Credential: text})
	if n := reads.n - before; n != 2 {
		t.Errorf("a second later there were %d reads, want 2", n)
	}
}

type countingRing struct {
	verify.Ring
	n int
}

func (r *countingRing) Reload(ctx context.Context) error {
	r.n++
	return r.Ring.Reload(ctx)
}

// TestVerifyTokenWords: refusals of tokens are said in words for people.
func TestVerifyTokenWords(t *testing.T) {
	w := newWorld(t)
	p := w.person("ada@example.com")
	tok := w.opaque(w.claims(p, "messages.read", "rules.write"))
	k := w.key(keySpec{}).credential
	for _, test := range []struct {
		req  verify.Request
		want string
	}{
		{verify.Request{Credential: k}, "This reads one person's mail, so it needs an access token (a visitor badge). You sent an API key (an ID card): it says which app is calling, not for whom."},
		{verify.Request{Credential: k, Operation: "GET /v1/messages"}, "This reads one person's mail, so it needs an access token (a visitor badge). You sent an API key (an ID card): it says which app is calling, not for whom."},
		{verify.Request{Credential: k, Operation: "POST /v1/posts"}, "This posts for one person, so it needs an access token (a visitor badge). You sent an API key (an ID card): it says which app is calling, not for whom."},
		{verify.Request{Credential: tok, Operation: "POST /v1/posts"}, "The user did not allow this app to post for them: this needs the scope posts.write."},
		{verify.Request{Credential: tok, Operation: "POST /v1/posts", Scopes: []string{"invoices.read"}}, "The user did not allow this app to post for them and see invoices: this needs the scopes posts.write and invoices.read."},
		{verify.Request{Credential: tok, Scopes: []string{"rules.write"}}, "This needs the scope rules.write. The token has it, but its user may not use it any more."},
		{verify.Request{Credential: w.personal(p, patSpec{}).text, Operation: "POST /v1/posts"}, "This needs the scope posts.write, which your token does not have."},
	} {
		test.req.API = "mail"
		if d := w.ask(test.req); d.Message != test.want {
			t.Errorf("Verify(%q %v) says\n%s\nwant\n%s", test.req.Operation, test.req.Scopes, d.Message, test.want)
		}
	}
}

func resecret(t *testing.T, k id.Key) string {
	t.Helper()
	text, err := secret.New("lyd", secret.Personal, secret.Live, id.Chars(k), random{})
	if err != nil {
		t.Fatal(err)
	}
	return text.Reveal()
}

// random is a source that is none: always the same bytes.
type random struct{}

func (random) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(i * 7)
	}
	return len(b), nil
}
