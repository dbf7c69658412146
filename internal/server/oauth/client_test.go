package oauth_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// machine is an app that acts for itself; c may say more about it.
func (w *world) machine(in lanyard.AppInput) *client {
	w.tb.Helper()
	if in.Name == "" {
		in.Name = "Machine"
	}
	in.RedirectURIs = []string{}
	if in.GrantTypes == nil {
		in.GrantTypes = []string{"client_credentials"}
	}
	if in.Scopes == nil {
		in.Scopes = []string{"profile.read", "files.read"}
	}
	return w.app(in)
}

// itself is a request that proves the client and no more.
func itself(change url.Values) url.Values {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"profile.read"}}
	for name, values := range change {
		form[name] = values
	}
	return form
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func basicHeader(name, password string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))}}
}

// escapeAll writes every byte as a percent-encoding, which RFC 6749 section 2.3.1 allows.
func escapeAll(text string) string {
	var b strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&b, "%%%02x", text[i])
	}
	return b.String()
}

// forged is a credential with the public part of another one and a secret of its own: shape and checksum are right.
func forged(tb testing.TB, text string) string {
	tb.Helper()
	c, err := secret.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	made, err := secret.New(c.Prefix, c.Kind, c.Mode, c.ID, rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return made.Reveal()
}

// TestClientSecretRefused: who does not prove to be the client is refused, with the scheme that was tried (PROTOCOLS OAuth
// 15; RFC 6749 sections 2.3.1 and 5.2; SECURITY-CASES 42).
func TestClientSecretRefused(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c, public := w.machine(lanyard.AppInput{}), w.app(lanyard.AppInput{Name: "Public", Type: "public"})
	foreign := w.machine(lanyard.AppInput{Name: "Other"}).secret
	const nobody = "app_0000000000000000"
	for name, header := range map[string]http.Header{
		"nothing":               {"Authorization": {"Basic"}},
		"no base64":             {"Authorization": {"Basic !!!"}},
		"base64 for URLs":       {"Authorization": {"Basic " + base64.URLEncoding.EncodeToString([]byte(c.id+":\xff\xff\xfe"))}},
		"without its padding":   {"Authorization": {"Basic " + base64.RawStdEncoding.EncodeToString([]byte(c.id+":"+c.secret+"x"))}},
		"with a blank":          {"Authorization": {"Basic  " + base64.StdEncoding.EncodeToString([]byte(c.id+":"+c.secret))}},
		"no colon":              {"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(c.id))}},
		"no id":                 basicHeader("", c.secret),
		"no secret":             basicHeader(c.id, ""),
		"a secret cut":          basicHeader(c.id, c.secret[:len(c.secret)-1]),
		"a secret in capitals":  basicHeader(c.id, strings.ToUpper(c.secret)),
		"a secret and a blank":  basicHeader(c.id, c.secret+"+"),
		"another app's secret":  basicHeader(c.id, foreign),
		"a forged secret":       basicHeader(c.id, forged(t, c.secret)),
		"another app's id":      basicHeader(public.id, c.secret),
		"an unknown client":     basicHeader(nobody, c.secret),
		"the id as secret":      basicHeader(c.id, c.id),
		"escaped twice":         basicHeader(escapeAll(escapeAll(c.id)), escapeAll(escapeAll(c.secret))),
		"an API key":            basicHeader(c.id, w.node.AdminKey),
		"null as secret":        basicHeader(c.id, "null"),
		"a broken escape":       basicHeader(c.id, c.secret+"%"),
		"a NUL after the rest":  basicHeader(c.id, c.secret+"%00"),
		"names with a line end": basicHeader(c.id+"%0a", c.secret),
	} {
		r := w.post("/oauth/token", itself(nil), header)
		w.refused("Basic, "+name, r, 401, "invalid_client")
		if got := r.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Basic realm=") {
			t.Errorf("Basic, %s: WWW-Authenticate = %q, want the scheme that was tried", name, got)
		}
	}
	for name, form := range map[string]url.Values{
		"nothing":                     {},
		"the id alone":                {"client_id": {c.id}},
		"an empty secret":             {"client_id": {c.id}, "client_secret": {""}},
		"a forged secret":             {"client_id": {c.id}, "client_secret": {forged(t, c.secret)}},
		"another app's secret":        {"client_id": {c.id}, "client_secret": {foreign}},
		"a public client's name":      {"client_id": {public.id}, "client_secret": {c.secret}},
		"an unknown client":           {"client_id": {nobody}},
		"an unknown client, a secret": {"client_id": {nobody}, "client_secret": {c.secret}},
		"an address of nobody":        {"client_id": {"https://nobody.test/client"}},
		"a quote":                     {"client_id": {c.id + "' OR 1=1 --"}},
	} {
		w.refused("form, "+name, w.post("/oauth/token", itself(form), nil), 401, "invalid_client")
	}
}

// TestClientTwice: a request that says twice who calls is refused, whichever of them is right (RFC 6749 section 2.3), as is
// one with a parameter twice or in the address (PROTOCOLS OAuth 9; SECURITY-CASES 8).
func TestClientTwice(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c, other := w.machine(lanyard.AppInput{}), w.machine(lanyard.AppInput{Name: "Other"})
	right := basicHeader(c.id, c.secret)
	for name, ask := range map[string]struct {
		query  string
		form   url.Values
		header http.Header
	}{
		"two headers":                    {form: url.Values{}, header: http.Header{"Authorization": {right.Get("Authorization"), right.Get("Authorization")}}},
		"a header and the form":          {form: url.Values{"client_id": {c.id}, "client_secret": {c.secret}}, header: right},
		"a header and another's secret":  {form: url.Values{"client_secret": {other.secret}}, header: right},
		"a header and another's name":    {form: url.Values{"client_id": {other.id}}, header: right},
		"a header and an assertion":      {form: url.Values{"client_assertion": {"e30.e30.e30"}, "client_assertion_type": {assertionType}}, header: right},
		"a secret and an assertion":      {form: url.Values{"client_secret": {c.secret}, "client_assertion": {"e30.e30.e30"}, "client_assertion_type": {assertionType}}},
		"client_id twice":                {form: url.Values{"client_id": {c.id, c.id}, "client_secret": {c.secret}}},
		"client_secret twice":            {form: url.Values{"client_id": {c.id}, "client_secret": {c.secret, other.secret}}},
		"grant_type twice":               {form: url.Values{"grant_type": {"client_credentials", "client_credentials"}}, header: right},
		"scope twice":                    {form: url.Values{"scope": {"profile.read", "profile.read"}}, header: right},
		"an unknown one twice":           {form: url.Values{"x": {"1", "2"}}, header: right},
		"the secret in the address":      {query: "?client_secret=" + c.secret, form: url.Values{"client_id": {c.id}}},
		"the scope in the address again": {query: "?scope=profile.read", form: url.Values{}, header: right},
		"a control character":            {form: url.Values{"scope": {"profile.read\x00"}}, header: right},
		"no text":                        {form: url.Values{"scope": {"profile.read\xff"}}, header: right},
	} {
		w.refused(name, w.post("/oauth/token"+ask.query, itself(ask.form), ask.header), 400, "invalid_request")
	}
	if r := w.post("/oauth/token", itself(url.Values{"client_id": {c.id}, "client_secret": {""}, "unknown": {"x"}, "resource": {""}}), right); r.status != 200 {
		t.Errorf("the same name again, empty and unknown parameters = %d %s, want 200", r.status, r.raw)
	}
}

// TestTokenBody: the token endpoint reads one kind of body, of a bounded length, by POST alone (PROTOCOLS OAuth 9).
func TestTokenBody(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.machine(lanyard.AppInput{})
	right := basicHeader(c.id, c.secret)
	for name, types := range map[string][]string{
		"JSON": {"application/json"}, "multipart": {"multipart/form-data; boundary=x"}, "text": {"text/plain"}, "none": {""}, "garbage": {"/"},
		"two": {"application/x-www-form-urlencoded", "application/json"},
	} {
		header := right.Clone()
		header["Content-Type"] = types
		w.refused("a body of type "+name, w.post("/oauth/token", itself(nil), header), 400, "invalid_request")
	}
	packed := right.Clone()
	packed.Set("Content-Encoding", "gzip")
	w.refused("a compressed body", w.post("/oauth/token", itself(nil), packed), 400, "invalid_request")
	padded := func(names ...string) *reply {
		t.Helper()
		form := itself(nil)
		for _, name := range names {
			form.Set(name, strings.Repeat("x", 15<<10))
		}
		return w.post("/oauth/token", form, right)
	}
	if r := padded("a", "b", "c", "d"); r.status != 200 {
		t.Errorf("a form below 64 KiB = %d %s, want 200", r.status, r.raw)
	}
	w.refused("a form above 64 KiB", padded("a", "b", "c", "d", "e"), 400, "invalid_request")
	w.refused("a parameter above 16 KiB", w.post("/oauth/token", itself(url.Values{"a": {strings.Repeat("x", 16<<10+1)}}), right), 400, "invalid_request")
	w.refused("no grant type", w.post("/oauth/token", itself(url.Values{"grant_type": {""}}), right), 400, "invalid_request")
	for _, grantType := range []string{"password", "implicit", "CLIENT_CREDENTIALS", "client_credentials ", "urn:ietf:params:oauth:grant-type:saml2-bearer"} {
		w.refused("grant type "+grantType, w.post("/oauth/token", itself(url.Values{"grant_type": {grantType}}), right), 400, "unsupported_grant_type")
	}
	for _, grantType := range []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer"} {
		w.refused("unregistered "+grantType, w.post("/oauth/token", itself(url.Values{"grant_type": {grantType}}), right), 400, "unauthorized_client")
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodHead} {
		if r := call(t, method, w.node.URL+"/oauth/token?"+itself(nil).Encode(), nil, right); r.status != http.StatusMethodNotAllowed {
			t.Errorf("%s = %d %s, want 405", method, r.status, r.raw)
		}
	}
}

// TestClientSecretTaken: in the header as it is or percent-encoded, whatever the case of the scheme; or in the form.
func TestClientSecretTaken(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.machine(lanyard.AppInput{})
	lower := basicHeader(c.id, c.secret)
	lower.Set("Authorization", "bAsIc"+strings.TrimPrefix(lower.Get("Authorization"), "Basic"))
	for name, r := range map[string]*reply{
		"plain":             w.post("/oauth/token", itself(nil), basicHeader(c.id, c.secret)),
		"percent-encoded":   w.post("/oauth/token", itself(nil), basicHeader(escapeAll(c.id), escapeAll(c.secret))),
		"another case":      w.post("/oauth/token", itself(nil), lower),
		"with its name too": w.post("/oauth/token", itself(url.Values{"client_id": {c.id}}), basicHeader(c.id, c.secret)),
		"form":              w.post("/oauth/token", itself(url.Values{"client_id": {c.id}, "client_secret": {c.secret}}), nil),
	} {
		if r.status != 200 || r.text("access_token") == "" || r.header.Get("Cache-Control") != "no-store" || r.header.Get("Pragma") != "no-cache" {
			t.Errorf("%s = %d %s, %v, want a token that nobody stores", name, r.status, r.raw, r.header)
		}
	}
}

// TestClientOver: a secret or an app that is over proves nothing from then on (SECURITY-CASES 116).
func TestClientOver(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	ctx := t.Context()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		w.sync()
	}
	yes, no := true, false
	refused := func(what string, c *client) {
		t.Helper()
		w.refused(what, c.token(itself(nil)), 401, "invalid_client")
	}
	taken := func(what string, c *client) {
		t.Helper()
		if r := c.token(itself(nil)); r.status != 200 {
			t.Errorf("%s = %d %s, want 200", what, r.status, r.raw)
		}
	}
	c := w.machine(lanyard.AppInput{})
	taken("at first", c)
	must(w.node.Manage.UpdateApp(ctx, w.admin(), c.id, lanyard.AppPatch{Disabled: &yes}))
	refused("a locked app", c)
	must(w.node.Manage.UpdateApp(ctx, w.admin(), c.id, lanyard.AppPatch{Disabled: &no}))
	taken("unlocked", c)
	must(w.node.Manage.UpdateTeam(ctx, w.admin(), w.team.ID, lanyard.TeamPatch{Suspended: &yes}))
	refused("an app of a suspended team", c)
	must(w.node.Manage.UpdateTeam(ctx, w.admin(), w.team.ID, lanyard.TeamPatch{Suspended: &no}))

	soon := clock.Now().Add(time.Minute)
	dated, err := w.node.Manage.CreateSecret(ctx, w.admin(), c.id, lanyard.SecretInput{ExpiresAt: &soon})
	must(dated, err)
	brief := &client{w: w, id: c.id, secret: dated.Secret}
	taken("a dated secret", brief)
	clock.Advance(time.Minute)
	w.sync()
	refused("a dated secret at its end", brief)
	taken("the other secret", c)

	gone, err := w.node.Manage.CreateSecret(ctx, w.admin(), c.id, lanyard.SecretInput{})
	must(gone, err)
	must(w.node.Manage.RevokeKey(ctx, w.admin(), gone.ID, lanyard.RevokeInput{Reason: "test"}))
	refused("a revoked secret", &client{w: w, id: c.id, secret: gone.Secret})

	must(w.node.Manage.DeleteApp(ctx, w.admin(), c.id))
	refused("a deleted app", c)
}

// TestClientGuesses: a source that keeps trying secrets is told to wait, and nobody else is (PROTOCOLS OAuth 15).
func TestClientGuesses(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now, Settings: func(s *config.Settings) {
		s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}})
	c, quiet := w.machine(lanyard.AppInput{}), w.machine(lanyard.AppInput{Name: "Quiet"})
	from := func(address string, c *client, password string) *reply {
		t.Helper()
		header := basicHeader(c.id, password)
		header.Set("X-Forwarded-For", address)
		return w.post("/oauth/token", itself(nil), header)
	}
	for range 60 {
		w.refused("a guess", from("203.0.113.7", c, forged(t, c.secret)), 401, "invalid_client")
	}
	for name, password := range map[string]string{"another guess": forged(t, c.secret), "what was not seen before": quiet.secret} {
		r := from("203.0.113.7", c, password)
		w.refused(name, r, 429, "invalid_client")
		if r.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", name)
		}
	}
	if r := from("203.0.113.8", quiet, quiet.secret); r.status != 200 {
		t.Errorf("from elsewhere = %d %s, want 200", r.status, r.raw)
	}
	clock.Advance(time.Minute)
	w.sync()
	if r := from("203.0.113.7", c, c.secret); r.status != 200 {
		t.Errorf("the right secret a minute later = %d %s, want 200", r.status, r.raw)
	}
}

// TestClientSecretNetwork: a client secret that is narrowed to a network proves nothing from elsewhere.
func TestClientSecretNetwork(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.machine(lanyard.AppInput{})
	made, err := w.node.Manage.CreateSecret(t.Context(), w.admin(), c.id, lanyard.SecretInput{})
	if err != nil {
		t.Fatal(err)
	}
	c.secret = made.Secret
	networks := []string{"192.0.2.0/24"}
	if _, err := w.node.Manage.UpdateKey(t.Context(), w.admin(), made.ID, lanyard.KeyPatch{IPAllow: &networks}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	w.refused("from elsewhere", c.token(url.Values{"grant_type": {"client_credentials"}, "scope": {"files.read"}}), 401, "invalid_client")
}
