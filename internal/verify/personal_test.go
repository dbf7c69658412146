package verify_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/user"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// TestVerifyPersonal goes through what is said of personal tokens.
func TestVerifyPersonal(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	p := w.person("ada@example.com")
	office := policy.Restrictions{IPs: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}
	good := w.personal(p, patSpec{scopes: []string{"messages.read"}})
	other := w.buildPersonal(p, patSpec{})
	revoked := w.personal(p, patSpec{scopes: []string{"messages.read"}})
	_, rev, err := w.st.RevokePersonal(ctx, p.user, revoked.row.ID, "lost", w.event("token.revoke"))
	w.must(rev, err)
	w.sync()
	k := w.key(keySpec{scopes: []string{"messages.read"}})
	for _, test := range []struct {
		name string
		req  verify.Request
		want policy.Code
		by   string
	}{
		{"unknown", verify.Request{Credential: other.text}, policy.NotFound, "credential"},
		{"one letter off", verify.Request{Credential: good.text[:len(good.text)-1] + "!"}, policy.Malformed, "credential"},
		{"right id, other secret", verify.Request{Credential: resecret(t, good.row.ID)}, policy.NotFound, "credential"},
		{"revoked", verify.Request{Credential: revoked.text}, policy.Revoked, "token"},
		{"expired", verify.Request{Credential: w.personal(p, patSpec{expires: time.Microsecond}).text}, policy.Valid, ""},
		{"a scope it has not", verify.Request{Credential: good.text, Operation: "POST /v1/posts"}, policy.InsufficientScope, "token.scopes"},
		{"from elsewhere", verify.Request{Credential: w.personal(p, patSpec{restrict: office}).text, IP: netip.MustParseAddr("198.51.100.1")}, policy.IPDenied, "token.ip_allow"},
		{"where keys go", verify.Request{API: "weather", Credential: good.text}, policy.KindNotAccepted, "token"},
		{"beside a key", verify.Request{Credential: good.text, APIKey: k.credential}, policy.AppMismatch, "app"},
		{"with a proof", verify.Request{Credential: good.text, DPoP: &verify.Proof{}}, policy.SenderMismatch, "scheme"},
		{"of the other mode", verify.Request{Credential: good.text, Mode: "test"}, policy.ModeMismatch, "mode"},
		{"where plans are chosen", verify.Request{API: "pro", Credential: good.text}, policy.KindNotAccepted, "token"},
	} {
		if test.name == "expired" {
			w.clock.Advance(time.Millisecond)
			test.want, test.by = policy.Expired, "token"
		}
		if test.req.API == "" {
			test.req.API = "mail"
		}
		if d := w.ask(test.req); d.Code != test.want || d.DeniedBy != test.by {
			t.Errorf("%s: Verify = %s by %q, want %s by %q", test.name, d.Code, d.DeniedBy, test.want, test.by)
		}
	}
	d := w.ask(verify.Request{API: "mail", Credential: good.text, Operation: "GET /v1/messages"})
	if !d.Allowed() || d.User != p.user || d.Key != good.row.ID || d.Kind != secret.Personal || d.App != "" || d.Team != "" || d.Credential() != string(good.row.ID) {
		t.Errorf("a good one: Verify = %+v, want it allowed, its user's and no app's", d)
	}
	if ev := w.rec.events[len(w.rec.events)-1]; ev.User != p.user || ev.Key != good.row.ID || ev.Team != "" || ev.App != "" {
		t.Errorf("recorded %+v, want the user's use of the token", ev)
	}
	for i, want := range []policy.Code{policy.Valid, policy.Valid, policy.RateLimited} {
		if d := w.ask(verify.Request{API: "paid", Credential: good.text}); d.Code != want {
			t.Errorf("call %d under the default plan = %s, want %s: limits count by user", i, d.Code, want)
		}
	}
	bob := w.personal(w.person("bob@example.com"), patSpec{})
	if d := w.ask(verify.Request{API: "paid", Credential: bob.text}); !d.Allowed() {
		t.Errorf("another user under the same plan = %s, want valid", d.Code)
	}
	w.alterUser(p.user, func(u *user.User) { u.Epoch++ })
	if d := w.ask(verify.Request{API: "mail", Credential: good.text}); d.Code != policy.Revoked || d.DeniedBy != "user" {
		t.Errorf("after everything of the user was revoked = %s by %q, want revoked by user", d.Code, d.DeniedBy)
	}
	w.alterUser(p.user, func(u *user.User) { u.DisabledAt = w.clock.Now() })
	if d := w.ask(verify.Request{API: "mail", Credential: good.text}); d.Code != policy.Disabled || d.DeniedBy != "user" {
		t.Errorf("of a disabled user = %s by %q, want disabled by user", d.Code, d.DeniedBy)
	}
}

// TestVerifyUpgradesPersonal: a digest under an old pepper is made anew at its next use.
func TestVerifyUpgradesPersonal(t *testing.T) {
	w := newWorld(t)
	m := w.personal(w.person("ada@example.com"), patSpec{})
	if _, err := w.ring.AddVersion(context.Background(), keyring.Pepper, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { w.v.Upgrade(ctx); close(done) }()
	var row *key.Personal
	for row == nil || row.Pepper != w.ring.CurrentPepper() {
		if d := w.ask(verify.Request{API: "mail", Credential: m.text}); !d.Allowed() {
			t.Fatalf("Verify after a new pepper = %s, want valid", d.Code)
		}
		var err error
		if row, err = w.st.PersonalForDecision(ctx, m.row.ID); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	<-done
	w.v.Reset()
	if d := w.ask(verify.Request{API: "mail", Credential: m.text}); !d.Allowed() {
		t.Errorf("Verify with the new digest = %s, want valid", d.Code)
	}
}

// TestVerifyKeyBesideToken: both are looked at, both have to give the rights, and one use names both.
func TestVerifyKeyBesideToken(t *testing.T) {
	w := newWorld(t)
	p := w.person("ada@example.com")
	otherApp, otherTeam := w.otherApp("")
	tok := w.opaque(w.claims(p, "messages.read"))
	desk := w.claims(p, "desk.write")
	desk.Audience = "https://auth.test/apis/desk"
	deskToken := w.jwt(desk)
	mine := w.key(keySpec{scopes: []string{"messages.read", "desk.read"}})
	bare := w.key(keySpec{})
	trial := w.key(keySpec{scopes: []string{"messages.read"}, mode: secret.Test})
	dead := w.key(keySpec{scopes: []string{"messages.read"}})
	w.alter(dead.key.ID, func(k *key.Key) error { return k.Revoke(w.clock.Now(), "", 0) })
	theirs := w.build(keySpec{scopes: []string{"messages.read"}})
	theirs.key.App, theirs.key.Team = otherApp, otherTeam
	w.must(w.st.CreateKeys(context.Background(), []*key.Key{theirs.key}, w.event("key.create")))
	w.sync()
	expired := w.claims(p, "messages.read")
	expired.ExpiresAt = expired.IssuedAt

	for _, test := range []struct {
		name       string
		token, key string
		op         string
		want       policy.Code
		by         string
	}{
		{"key of another app", tok, theirs.credential, "", policy.AppMismatch, "app"},
		{"key of the other mode", tok, trial.credential, "", policy.ModeMismatch, "mode"},
		{"key revoked", tok, dead.credential, "", policy.Revoked, "key"},
		{"key unknown", tok, w.build(keySpec{}).credential, "", policy.NotFound, "api_key"},
		{"key garbage", tok, "garbage", "", policy.Malformed, "api_key"},
		{"a token as key", tok, tok, "", policy.Malformed, "api_key"},
		{"a personal token as key", tok, w.personal(p, patSpec{}).text, "", policy.NotFound, "api_key"},
		{"token expired", w.opaque(expired), mine.credential, "", policy.Expired, "token"},
		{"the key lacks the scope", tok, bare.credential, "GET /v1/messages", policy.InsufficientScope, "key.scopes"},
		{"both lack the scope", tok, bare.credential, "POST /v1/posts", policy.InsufficientScope, "scopes"},
		{"both", tok, mine.credential, "GET /v1/both", policy.Valid, ""},
		{"both where a token is wanted", tok, mine.credential, "GET /v1/messages", policy.Valid, ""},
		{"both where a key is wanted", tok, mine.credential, "GET /v1/key", policy.Valid, ""},
	} {
		w.rec.events = nil
		d := w.ask(verify.Request{API: "mail", Credential: test.token, APIKey: test.key, Operation: test.op})
		if d.Code != test.want || d.DeniedBy != test.by {
			t.Errorf("%s: Verify = %s by %q, want %s by %q", test.name, d.Code, d.DeniedBy, test.want, test.by)
		}
		if unknown := test.by == "api_key"; unknown && (d.Identified || d.Token != "" || d.User != "") {
			t.Errorf("%s: Verify = %+v, want nothing told: not everything is proven", test.name, d)
		}
		if test.want == policy.Valid {
			if len(w.rec.events) != 1 || w.rec.events[0].Key != mine.key.ID || w.rec.events[0].User != p.user {
				t.Errorf("%s: recorded %+v, want one use that names key and user", test.name, w.rec.events)
			}
			if d.Kind != secret.Access || d.Credential() != string(d.Token) || d.Key != mine.key.ID {
				t.Errorf("%s: Verify = %+v, want the token as credential", test.name, d)
			}
		}
	}
	d := w.ask(verify.Request{API: "desk", Credential: deskToken, APIKey: mine.credential})
	if !d.Allowed() || len(d.Scopes) != 1 || d.Scopes[0] != "desk.read" {
		t.Errorf("desk.write of the token and desk.read of the key: %s with %q, want desk.read: rights intersect", d.Code, d.Scopes)
	}
}
