package oauth_test

import (
	"maps"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

const (
	exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
	tokenType     = "urn:ietf:params:oauth:token-type:"
)

// service is an app behind an API that exchanges the tokens it is sent.
func (w *world) service(name string) *client {
	w.tb.Helper()
	return w.machine(lanyard.AppInput{Name: name, OAuthSettings: lanyard.OAuthSettings{GrantTypes: []string{exchangeGrant, "client_credentials"}}})
}

// exchange asks for a token in place of another.
func (c *client) exchange(subject string, change url.Values) *reply {
	c.w.tb.Helper()
	form := url.Values{"grant_type": {exchangeGrant}, "subject_token": {subject}, "subject_token_type": {tokenType + "access_token"}}
	maps.Copy(form, change)
	return c.token(form)
}

// TestExchangeRefused: nothing but an access token of the team's is exchanged, by an app that proves itself, and never for
// more than it is (RFC 8693 section 2; PROTOCOLS OAuth 20; SECURITY-CASES 56).
func TestExchangeRefused(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c, service, without := w.app(lanyard.AppInput{}), w.service("Service"), w.machine(lanyard.AppInput{Name: "Without"})
	public := w.app(lanyard.AppInput{Name: "Public", Type: "public", OAuthSettings: lanyard.OAuthSettings{GrantTypes: []string{exchangeGrant}, RedirectURIs: []string{}}})
	team, err := w.node.Manage.CreateTeam(t.Context(), w.admin(), lanyard.TeamInput{Name: "Rainy"})
	if err != nil {
		t.Fatal(err)
	}
	ours := w.team
	w.team = team
	stranger := w.service("Stranger")
	w.team = ours
	testMode, err := w.node.Manage.CreateSecret(t.Context(), w.admin(), service.id, lanyard.SecretInput{Mode: "test"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := w.node.Manage.CreateKey(t.Context(), w.admin(), c.id, lanyard.KeyInput{Name: "key"})
	if err != nil {
		t.Fatal(err)
	}
	r, code, personal := c.tokens(), c.code(nil), w.personal()
	text, mail := r.text("access_token"), w.node.URL+"/apis/mail"

	w.refused("a client without the grant", without.exchange(text, nil), 400, "unauthorized_client")
	w.refused("a public client", public.exchange(text, nil), 400, "unauthorized_client")
	w.refused("an app of another team", stranger.exchange(text, nil), 400, "invalid_grant")
	w.refused("in the other mode", (&client{w: w, id: service.id, secret: testMode.Secret}).exchange(text, nil), 400, "invalid_grant")
	for name, change := range map[string]url.Values{
		"no subject":                  {"subject_token": {""}},
		"no type of it":               {"subject_token_type": {""}},
		"as a refresh token":          {"subject_token_type": {tokenType + "refresh_token"}},
		"as an ID token":              {"subject_token_type": {tokenType + "id_token"}},
		"as any JWT":                  {"subject_token_type": {tokenType + "jwt"}},
		"as SAML":                     {"subject_token_type": {tokenType + "saml2"}},
		"another actor":               {"actor_token": {text}, "actor_token_type": {tokenType + "access_token"}},
		"for a refresh token":         {"requested_token_type": {tokenType + "refresh_token"}},
		"for an ID token":             {"requested_token_type": {tokenType + "id_token"}},
		"two subjects":                {"subject_token": {text, text}},
		"the subject where a name is": {"subject_token_type": {text}},
	} {
		w.refused(name, service.exchange(text, change), 400, "invalid_request")
	}
	for name, subject := range map[string]string{
		"a refresh token": r.text("refresh_token"), "an ID token": r.text("id_token"), "a code": code, "a personal token": personal, "an API key": key.Secret,
		"a client secret": c.secret, "garbage": "garbage", "an empty JWT": "..", "another signature": text[:len(text)-10] + "AAAAAAAAAA",
	} {
		w.refused(name, service.exchange(subject, nil), 400, "invalid_grant")
	}
	for name, scope := range map[string]string{"one more": "profile.read messages.read", "another": "messages.read", "another API's": "files.read", "an unknown one": "profile.raed", "email": "email"} {
		w.refused("a scope more: "+name, service.exchange(text, url.Values{"scope": {scope}}), 400, "invalid_scope")
	}
	for name, change := range map[string]url.Values{
		"another resource":  {"resource": {w.node.URL + "/apis/files"}},
		"an unknown one":    {"resource": {"https://elsewhere.test"}},
		"one of two":        {"resource": {mail, w.node.URL + "/apis/files"}},
		"another audience":  {"audience": {w.node.URL + "/apis/files"}},
		"both, and another": {"resource": {mail}, "audience": {"https://elsewhere.test"}},
	} {
		w.refused(name, service.exchange(text, change), 400, "invalid_target")
	}
	if got := service.exchange(text, nil); got.status != 200 {
		t.Errorf("after all that = %d %s, want 200", got.status, got.raw)
	}
}

// TestExchange: the new token is the old one's subject, app and audience, at most its scopes and its life, and says who acts
// (RFC 8693 sections 2.2.1 and 4.1).
func TestExchange(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c, first, second := w.app(lanyard.AppInput{}), w.service("First"), w.service("Second")
	started := clock.Now().Truncate(time.Second)
	subject := c.tokens().text("access_token")
	_, before := opened(t, w, subject)
	clock.Advance(5 * time.Minute)
	w.sync()
	r := first.exchange(subject, url.Values{"scope": {"profile.read"}, "resource": {w.node.URL + "/apis/mail/"}, "audience": {w.node.URL + "/apis/mail"}, "requested_token_type": {tokenType + "access_token"}})
	text := r.text("access_token")
	delete(r.body, "access_token")
	life := started.Add(15 * time.Minute).Sub(clock.Now().Truncate(time.Second)).Seconds()
	if diff := cmp.Diff(map[string]any{"token_type": "Bearer", "expires_in": life, "scope": "profile.read", "issued_token_type": tokenType + "access_token"}, r.body); r.status != 200 || diff != "" {
		t.Fatalf("exchange = %d (-want +got):\n%s", r.status, diff)
	}
	_, after := opened(t, w, text)
	if after["jti"] == before["jti"] {
		t.Error("the new token has the old one's name")
	}
	want := maps.Clone(before)
	want["scope"], want["act"], want["iat"], want["jti"] = "profile.read", map[string]any{"sub": first.id}, float64(clock.Now().Unix()), after["jti"]
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	w.good("the new token", text)
	if d := w.verify(text, "POST", "/v1/posts"); d.Code != "insufficient_scope" {
		t.Errorf("what was left out = %s, want insufficient_scope", d.Code)
	}
	w.refused("more than the narrower one", second.exchange(text, url.Values{"scope": {"profile.read posts.write"}}), 400, "invalid_scope")

	// Whoever acts now stands outside, whoever acted before within; four at most.
	again := second.exchange(text, nil)
	if again.status != 200 {
		t.Fatalf("exchange of the exchanged = %d %s", again.status, again.raw)
	}
	_, claims := opened(t, w, again.text("access_token"))
	if diff := cmp.Diff(map[string]any{"sub": second.id, "act": map[string]any{"sub": first.id}}, claims["act"]); diff != "" || claims["exp"] != before["exp"] {
		t.Errorf("act (-want +got):\n%s; exp %v, want %v", diff, claims["exp"], before["exp"])
	}
	for range 2 {
		if again = first.exchange(again.text("access_token"), nil); again.status != 200 {
			t.Fatalf("exchange of the exchanged = %d %s", again.status, again.raw)
		}
	}
	w.refused("a fifth actor", second.exchange(again.text("access_token"), nil), 400, "invalid_request")
}

// TestExchangeOpaque: a sealed token keeps who acts; an app's own token can be exchanged as a user's can.
func TestExchangeOpaque(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c, service := w.app(lanyard.AppInput{}), w.service("Service")
	for name, subject := range map[string]string{
		c.id:       c.redeem(c.code(url.Values{"scope": {"files.read"}}), nil).text("access_token"),
		service.id: service.token(url.Values{"grant_type": {"client_credentials"}, "scope": {"files.read"}}).text("access_token"),
	} {
		r := service.exchange(subject, nil)
		if r.status != 200 || r.text("access_token") == subject || r.text("refresh_token") != "" {
			t.Fatalf("exchange = %d %s, want another access token alone", r.status, r.raw)
		}
		told := w.post("/oauth/introspect", url.Values{"token": {r.text("access_token")}}, bearer(w.node.AdminKey))
		w.active("exchanged", told)
		if diff := cmp.Diff(map[string]any{"sub": service.id}, told.body["act"]); diff != "" || told.text("client_id") != name || told.text("aud") != w.node.URL+"/apis/files" {
			t.Errorf("exchanged = %s, want it for %s, acted by %s", told.raw, name, service.id)
		}
	}
}

// TestExchangeOver: what is over is not exchanged, and what was exchanged ends with the chain, the grant, the user and the app (PROTOCOLS OAuth 20;
// SECURITY-CASES 56).
func TestExchangeOver(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	service, yes := w.service("Service"), true
	for _, end := range []struct {
		name  string
		act   func(c *client, r *reply) error
		lives bool // what was exchanged before goes on
	}{
		{name: "it is revoked alone", act: func(c *client, r *reply) error {
			w.revoked("access token", c.revoke(r.text("access_token")))
			return nil
		}, lives: true},
		{name: "its chain is revoked", act: func(c *client, r *reply) error {
			w.revoked("refresh token", c.revoke(r.text("refresh_token")))
			return nil
		}},
		{name: "the grant is taken back", act: func(c *client, r *reply) error {
			_, err := w.node.Manage.RevokeGrant(t.Context(), w.admin(), c.introspect(r.text("access_token")).text("grant_id"))
			return err
		}},
		{name: "its app is locked", act: func(c *client, _ *reply) error {
			_, err := w.node.Manage.UpdateApp(t.Context(), w.admin(), c.id, lanyard.AppPatch{Disabled: &yes})
			return err
		}},
		{name: "it expired", act: func(*client, *reply) error {
			clock.Advance(15 * time.Minute)
			return nil
		}},
		{name: "the user ends all tokens", act: func(*client, *reply) error {
			_, err := w.node.Manage.UpdateUser(t.Context(), w.admin(), w.ada.ID, lanyard.UserPatch{RevokeTokens: true})
			return err
		}},
		{name: "the user is locked", act: func(*client, *reply) error {
			_, err := w.node.Manage.UpdateUser(t.Context(), w.admin(), w.ada.ID, lanyard.UserPatch{Disabled: &yes})
			return err
		}},
	} {
		c := w.app(lanyard.AppInput{Name: end.name})
		r := c.tokens()
		before := service.exchange(r.text("access_token"), nil)
		if before.status != 200 {
			t.Fatalf("before %s = %d %s", end.name, before.status, before.raw)
		}
		if err := end.act(c, r); err != nil {
			t.Fatal(err)
		}
		w.sync()
		w.refused(end.name, service.exchange(r.text("access_token"), nil), 400, "invalid_grant")
		if d := w.verify(before.text("access_token"), "GET", "/v1/me"); d.Allowed != end.lives {
			t.Errorf("%s: what was exchanged before = %s, allowed %t, want %t", end.name, d.Code, d.Allowed, end.lives)
		}
	}
}

// TestExchangeBound: a token that is bound to a key is exchanged by the holder of that key alone (RFC 9449 section 5).
func TestExchangeBound(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c, service := w.app(lanyard.AppInput{Type: "public"}), w.service("Service")
	h, thief := newHolder(t, time.Now), newHolder(t, time.Now)
	subject := c.bound(h).text("access_token")
	ask := func(holders ...*holder) *reply {
		t.Helper()
		header := basicHeader(service.id, service.secret)
		for _, h := range holders {
			header["Dpop"] = append(header["Dpop"], h.proof(http.MethodPost, w.node.URL+"/oauth/token", ""))
		}
		return w.post("/oauth/token", url.Values{"grant_type": {exchangeGrant}, "subject_token": {subject}, "subject_token_type": {tokenType + "access_token"}}, header)
	}
	w.refused("without a proof", ask(), 400, "invalid_dpop_proof")
	w.refused("with another key's proof", ask(thief), 400, "invalid_dpop_proof")
	if r := ask(h); r.status != 200 || r.text("token_type") != "DPoP" {
		t.Errorf("by its holder = %d %s, want a token bound to the same key", r.status, r.raw)
	}
}

// TestExchangeLostRole: what the user may no longer grant is not exchanged either (DESIGN section 3).
func TestExchangeLostRole(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	yes, no := true, false
	admin := func(is *bool) {
		t.Helper()
		if _, err := w.node.Manage.UpdateUser(t.Context(), w.admin(), w.ada.ID, lanyard.UserPatch{Admin: is}); err != nil {
			t.Fatal(err)
		}
		w.sync()
	}
	admin(&yes)
	c, service := w.app(lanyard.AppInput{OAuthSettings: lanyard.OAuthSettings{Scopes: []string{"profile.read", "mail.rule"}}}), w.service("Service")
	r := c.redeem(c.code(url.Values{"scope": {"profile.read mail.rule"}}), nil)
	if r.text("scope") != "profile.read mail.rule" {
		t.Fatalf("an admin's token = %d %s, want both scopes", r.status, r.raw)
	}
	admin(&no)
	for name, got := range map[string]*reply{"exchange": service.exchange(r.text("access_token"), nil), "refresh": c.refresh(r.text("refresh_token"))} {
		if got.status != 200 || got.text("scope") != "profile.read" {
			t.Errorf("%s after the role is lost = %d %s, want profile.read alone", name, got.status, got.raw)
		}
	}
	w.refused("what is left of it", service.exchange(r.text("access_token"), url.Values{"scope": {"mail.rule"}}), 400, "invalid_grant")
}
