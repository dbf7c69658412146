package oauth_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// describe sends a client's description, as JSON or as the text given, with a bearer token unless that is "".
func describe(t *testing.T, w *world, method, path string, body any, bearer string) *reply {
	t.Helper()
	text, ok := body.(string)
	if !ok && body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(raw)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, w.node.URL+path, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := &reply{status: res.StatusCode, header: res.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &r.body) // some answers are no JSON
	return r
}

type object = map[string]any

// description is one that is right, with changes; nil takes a member away.
func description(change object) object {
	d := object{"client_name": "Inspector", "redirect_uris": []string{callback}, "token_endpoint_auth_method": "none"}
	maps.Copy(d, change)
	for name, value := range d {
		if value == nil {
			delete(d, name)
		}
	}
	return d
}

func registrations(mode string) servertest.Options {
	return servertest.Options{Settings: func(s *config.Settings) { s.DCR, s.OutboundAllow = mode, nil }}
}

// TestRegistrationClosed: SECURITY-CASES 94: where clients are not to register themselves, none does.
func TestRegistrationClosed(t *testing.T) {
	w := newWorld(t, registrations("closed"))
	for _, bearer := range []string{"", "nonsense", w.node.AdminKey} {
		if r := describe(t, w, http.MethodPost, "/oauth/register", description(nil), bearer); r.status != http.StatusForbidden || r.text("client_id") != "" {
			t.Errorf("registering = %d %s, want 403", r.status, r.raw)
		}
	}
	if r := call(t, http.MethodGet, w.node.URL+"/.well-known/oauth-authorization-server", nil, nil); r.body["registration_endpoint"] != nil {
		t.Errorf("the metadata offers %v", r.body["registration_endpoint"])
	}
}

// TestRegistrationToken: with LANYARD_DCR=token it takes a credential with the scope for it (RFC 7591 section 3).
func TestRegistrationToken(t *testing.T) {
	w := newWorld(t, registrations("token"))
	for bearer, want := range map[string]int{"": 401, "nonsense": 401, w.node.AdminKey[:len(w.node.AdminKey)-1]: 401, w.node.AdminKey: 201} {
		r := describe(t, w, http.MethodPost, "/oauth/register", description(nil), bearer)
		if r.status != want || want == 401 && !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("registering = %d %s, want %d", r.status, r.raw, want)
		}
	}
}

// TestRegistrationRefused: what a description may not say (RFC 7591 section 2, RFC 9700 section 4.1; SECURITY-CASES 22, 148, 164).
func TestRegistrationRefused(t *testing.T) {
	w := newWorld(t, registrations("open"))
	many := make([]string, 200)
	for i := range many {
		many[i] = fmt.Sprintf("https://app.example/%d", i)
	}
	cases := map[string]any{
		"no JSON": "client_name=x", "a list": "[]", "empty": "", "a member twice": `{"redirect_uris":["https://app.example/a"],"redirect_uris":["https://evil.example/a"]}`,
		"too long":             description(object{"client_name": strings.Repeat("x", 2<<20)}),
		"no redirect":          description(object{"redirect_uris": nil}),
		"too many redirects":   description(object{"redirect_uris": many}),
		"password grant":       description(object{"grant_types": []string{"password"}}),
		"implicit":             description(object{"grant_types": []string{"implicit"}}),
		"token exchange":       description(object{"grant_types": []string{"urn:ietf:params:oauth:grant-type:token-exchange"}}),
		"client credentials":   description(object{"grant_types": []string{"client_credentials"}, "token_endpoint_auth_method": "client_secret_basic"}),
		"response token":       description(object{"response_types": []string{"token"}}),
		"method":               description(object{"token_endpoint_auth_method": "tls_client_auth"}),
		"secret as JWT":        description(object{"token_endpoint_auth_method": "client_secret_jwt"}),
		"no keys":              description(object{"token_endpoint_auth_method": "private_key_jwt"}),
		"alg none":             description(object{"id_token_signed_response_alg": "none"}),
		"alg HS256":            description(object{"id_token_signed_response_alg": "HS256"}),
		"software statement":   description(object{"software_statement": "eyJ.e.e"}),
		"private key":          description(object{"jwks": object{"keys": []object{{"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA", "d": "AAAA"}}}}),
		"symmetric key":        description(object{"jwks": object{"keys": []object{{"kty": "oct", "k": "AAAA"}}}}),
		"keys and their place": description(object{"jwks": object{"keys": []object{}}, "jwks_uri": "https://app.example/keys"}),
		"management scope":     description(object{"scope": "lanyard.admin"}),
		"unknown scope":        description(object{"scope": "nothing.such"}),
		"scope of admins":      description(object{"scope": "openid mail.rule"}),
		"names in other case":  `{"client_name":"Inspector","Redirect_URIs":["` + callback + `"]}`,
	}
	for _, uri := range []string{
		"http://app.example/done", "https://app.example/done#x", "javascript:alert(1)", "data:text/html,x", "https://*.example/done", "https://user@app.example/done",
		"//app.example/done", "", "https://app.example/\u202edone", "file:///etc/passwd",
	} {
		cases["redirect "+uri] = description(object{"redirect_uris": []string{callback, uri}})
	}
	for _, member := range []string{"jwks_uri", "sector_identifier_uri", "backchannel_logout_uri", "logo_uri"} {
		for _, address := range []string{"https://127.0.0.1/x", "https://[::1]/x", "https://169.254.169.254/latest", "https://0x7f000001/x", "https://127.1/x", "https://[::ffff:10.0.0.1]/x", "http://app.example/x", "https://localhost/x"} {
			cases[member+" "+address] = description(object{member: address})
		}
	}
	for _, member := range encryptions() {
		cases[member] = description(object{member: "RSA-OAEP-256"})
	}
	for _, member := range []string{"client_uri", "policy_uri", "tos_uri", "frontchannel_logout_uri", "initiate_login_uri"} {
		for _, address := range []string{"javascript:alert(1)", "//app.example/x", "data:text/html,x"} {
			cases[member+" "+address] = description(object{member: address})
		}
	}
	for _, address := range []string{"javascript:alert(1)", "http://app.example/x", "https://app.example/x#y", "//app.example/x"} {
		cases["after a logout "+address] = description(object{"post_logout_redirect_uris": []string{"https://app.example/bye", address}})
	}
	for _, address := range []string{"javascript:alert(1)", "http://app.example/x", "//app.example/x", "https://127.0.0.1/x", "https://169.254.169.254/latest", "https://localhost/x"} {
		cases["request "+address] = description(object{"request_uris": []string{address}})
	}
	for what, body := range cases {
		r := describe(t, w, http.MethodPost, "/oauth/register", body, "")
		code := r.text("error")
		if r.status != http.StatusBadRequest || code != "invalid_client_metadata" && code != "invalid_redirect_uri" && code != "unapproved_software_statement" {
			t.Errorf("%s = %d %.300s, want it refused", what, r.status, r.raw)
		}
	}
}

// TestRegisteredScopes: what a client registered is told back and is all that it may ask for, the scopes of OpenID Connect included
// (RFC 7591 section 3.2.1; PROTOCOLS OAuth 17; SECURITY-CASES 60).
func TestRegisteredScopes(t *testing.T) {
	w := newWorld(t, registrations("open"))
	registered := func(scope string) *client {
		t.Helper()
		r := describe(t, w, http.MethodPost, "/oauth/register", description(object{"scope": scope}), "")
		if r.status != http.StatusCreated || r.text("scope") != scope {
			t.Fatalf("registering %q = %d %s, want it told back", scope, r.status, r.raw)
		}
		read := describe(t, w, http.MethodGet, "/oauth/register/"+r.text("client_id"), nil, r.text("registration_access_token"))
		if read.text("scope") != scope {
			t.Errorf("reading the client with %q = %s, want it told again", scope, read.raw)
		}
		w.sync()
		return &client{w: w, id: r.text("client_id")}
	}
	here := func(scopes ...string) *client {
		return w.app(lanyard.AppInput{Name: "Here", Type: "public", OAuthSettings: lanyard.OAuthSettings{Scopes: scopes}})
	}
	w.signIn(w.browser.Get("/login"))
	for _, tc := range []struct {
		name    string
		c       *client
		may     []string
		refused []string
	}{
		{"registered with some", registered("openid profile.read"), []string{"openid", "openid profile.read", "profile.read"}, []string{"openid email", "openid profile", "openid offline_access", "openid posts.write"}},
		{"registered with an API's", registered("profile.read"), []string{"profile.read"}, []string{"openid", "openid profile.read", "email profile.read"}},
		{"registered with OpenID's", registered("openid email"), []string{"openid email"}, []string{"profile.read", "openid profile.read", "profile"}},
		{"registered with none", registered(""), []string{"openid email profile offline_access posts.write"}, []string{"mail.rule"}},
		{"made here with an API's", here("profile.read"), []string{"openid email profile.read"}, []string{"openid posts.write"}},
		{"made here with both", here("openid", "profile.read"), []string{"openid profile.read"}, []string{"openid email"}},
	} {
		for _, scope := range tc.may {
			if p := w.browser.Get(tc.c.ask(url.Values{"scope": {scope}})); !p.Has("approve") {
				t.Errorf("%s: asking %q = %d, %v, want to be asked", tc.name, scope, p.Status, p.Away)
			}
		}
		for _, scope := range tc.refused {
			if p := w.browser.Get(tc.c.ask(url.Values{"scope": {scope}})); p.Away == nil || p.Away.Query().Get("error") != "invalid_scope" {
				t.Errorf("%s: asking %q = %d, %v, want invalid_scope", tc.name, scope, p.Status, p.Away)
			}
		}
	}
	// What is wanted by name is no way around.
	c := registered("openid profile.read")
	p := w.browser.Get(c.ask(url.Values{"scope": {"openid profile.read"}, "claims": {`{"userinfo":{"email":null}}`}}))
	got := c.redeem(w.browser.Press(p, "approve", nil).Away.Query().Get("code"), nil)
	if got.text("scope") != "openid profile.read" {
		t.Errorf("a claim of a scope that was not registered led to %s, want it left out", got.raw)
	}
}

// encryptions are what a client says that wants to be answered in secret, or to ask so.
func encryptions() []string {
	return []string{"id_token_encrypted_response_alg", "userinfo_encrypted_response_alg", "introspection_encrypted_response_alg", "request_object_encryption_alg"}
}

// TestNothingIsEncrypted: neither of the servers' documents offers what is refused (OpenID Connect Discovery section 3).
func TestNothingIsEncrypted(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		r := call(t, http.MethodGet, w.node.URL+path, nil, nil)
		if r.status != http.StatusOK || r.text("issuer") == "" {
			t.Fatalf("%s = %d %s", path, r.status, r.raw)
		}
		for member := range r.body {
			if strings.Contains(member, "encr") {
				t.Errorf("%s offers %s", path, member)
			}
		}
	}
}

// TestRegistrationSilence: what a client does not say has the meaning that the standard gives it, but where OAuth 2.1 leaves
// none (RFC 7591 section 2, OpenID Connect Registration section 2).
func TestRegistrationSilence(t *testing.T) {
	w := newWorld(t, registrations("open"))
	for what, tc := range map[string]struct {
		said, want object
	}{
		"of nothing": {object{"token_endpoint_auth_method": nil}, object{
			"token_endpoint_auth_method": "client_secret_basic", "grant_types": []any{"authorization_code"}, "response_types": []any{"code"}, "id_token_signed_response_alg": "RS256",
		}},
		"of a public one": {nil, object{"token_endpoint_auth_method": "none", "grant_types": []any{"authorization_code", "refresh_token"}, "id_token_signed_response_alg": "RS256"}},
		"of its name":     {object{"client_name": nil}, object{"client_name": "rp.test"}},
		"in other case":   {object{"GRANT_TYPES": []string{"client_credentials"}, "Redirect_Uris": []string{"https://evil.test"}, "CLIENT_NAME": "Bank"}, object{"client_name": "Inspector", "redirect_uris": []any{callback}}},
	} {
		r := describe(t, w, http.MethodPost, "/oauth/register", description(tc.said), "")
		for member, want := range tc.want {
			if diff := cmp.Diff(want, r.body[member]); r.status != http.StatusCreated || diff != "" {
				t.Errorf("silence %s = %d, %s (-want +got):\n%s", what, r.status, member, diff)
			}
		}
	}
}

// TestRegistration: a client registers itself, is managed with its own token alone (RFC 7592), and ends.
func TestRegistration(t *testing.T) {
	w := newWorld(t, registrations("open"))
	// What only the server's people may set is dropped.
	made := describe(t, w, http.MethodPost, "/oauth/register", description(object{
		"token_endpoint_auth_method": nil, "grant_types": []string{"authorization_code", "refresh_token"}, "first_party": true, "required_scopes": []string{"posts.write"}, "client_id": "app_LanyardCLI000000", "odd": 1,
	}), "")
	clientID, token := made.text("client_id"), made.text("registration_access_token")
	if made.status != http.StatusCreated || clientID == "" || clientID == "app_LanyardCLI000000" || token == "" || made.text("client_secret") == "" || made.text("token_endpoint_auth_method") != "client_secret_basic" ||
		made.header.Get("Cache-Control") != "no-store" || made.body["first_party"] != nil || made.body["required_scopes"] != nil || made.text("registration_client_uri") != w.node.URL+"/oauth/register/"+clientID {
		t.Fatalf("registering = %d %s", made.status, made.raw)
	}
	w.sync()
	c := &client{w: w, id: clientID, secret: made.text("client_secret")}
	if got := c.tokens(); got.text("refresh_token") == "" {
		t.Fatalf("its login = %s", got.raw)
	}
	other := describe(t, w, http.MethodPost, "/oauth/register", description(nil), "")
	path := "/oauth/register/" + clientID
	for what, bearer := range map[string]string{"no": "", "made-up": "nonsense", "another's": other.text("registration_access_token"), "an admin's": w.node.AdminKey, "the secret as": made.text("client_secret")} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			if r := describe(t, w, method, path, description(object{"client_id": clientID}), bearer); r.status != http.StatusUnauthorized {
				t.Errorf("%s with %s token = %d %s, want 401", method, what, r.status, r.raw)
			}
		}
	}
	read := describe(t, w, http.MethodGet, path, nil, token)
	if read.status != http.StatusOK || read.text("client_name") != "Inspector" || read.text("client_secret") != "" {
		t.Errorf("reading = %d %s, want it without its secret", read.status, read.raw)
	}
	for what, change := range map[string]object{
		"another's id": {"client_id": other.text("client_id")}, "no id": {}, "a bad redirect": {"client_id": clientID, "redirect_uris": []string{"http://app.example"}}, "no secret any more": {"client_id": clientID},
	} {
		if r := describe(t, w, http.MethodPut, path, description(change), token); r.status != http.StatusBadRequest {
			t.Errorf("putting %s = %d %s, want 400", what, r.status, r.raw)
		}
	}
	put := describe(t, w, http.MethodPut, path, description(object{"client_id": clientID, "client_name": "Renamed", "token_endpoint_auth_method": "client_secret_basic"}), token)
	w.sync()
	if got := c.login(url.Values{"scope": {"openid profile.read"}, "prompt": {"none"}}); got.Get("error") != "consent_required" {
		t.Errorf("silently, after it called itself something else = %v, want consent_required", got)
	}
	if p := c.open("openid profile.read"); !p.Has("approve") || !strings.Contains(p.Text(), "This app has changed") {
		t.Errorf("after it called itself something else = %s, want to be asked and told", p.URL)
	}
	if put.status != http.StatusOK || put.text("client_name") != "Renamed" || strings.Contains(fmt.Sprint(put.body["grant_types"]), "refresh_token") {
		t.Errorf("putting = %d %s, want what was not named gone", put.status, put.raw)
	}
	if r := describe(t, w, http.MethodDelete, path, nil, token); r.status != http.StatusNoContent {
		t.Errorf("deleting = %d %s", r.status, r.raw)
	}
	w.sync()
	if r := describe(t, w, http.MethodGet, path, nil, token); r.status != http.StatusUnauthorized {
		t.Errorf("reading what is gone = %d", r.status)
	}
	if r := c.token(map[string][]string{"grant_type": {"authorization_code"}, "code": {"x"}}); r.status != http.StatusUnauthorized {
		t.Errorf("the token endpoint for who is gone = %d %s", r.status, r.raw)
	}
}

// TestDocumentRefused: PROTOCOLS, client id metadata documents; SECURITY-CASES 148: a bad document is no client, is not
// remembered, and nobody is sent anywhere.
func TestDocumentRefused(t *testing.T) {
	var body, kind atomic.Pointer[string]
	var asked atomic.Int64
	there, allow := stranger(t, func(rw http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Path == "/away" {
			http.Redirect(rw, r, "/client", http.StatusFound)
			return
		}
		rw.Header().Set("Content-Type", *kind.Load())
		if *body.Load() == "" {
			rw.WriteHeader(http.StatusNotFound)
		}
		_, _ = rw.Write([]byte(*body.Load()))
	})
	w := newWorld(t, servertest.Options{Settings: allow})
	address := there.URL + "/client"
	good := func(change object) string {
		raw, err := json.Marshal(description(mergeObjects(object{"client_id": address}, change)))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	html, jsonType := "text/html", "application/json"
	refused := func(what, clientID string) {
		t.Helper()
		p := w.browser.Get((&client{w: w, id: clientID}).ask(nil))
		if p.Away != nil || p.Status != http.StatusBadRequest || !strings.Contains(p.Text(), "client_id") && !strings.Contains(p.Text(), "redirect_uri") {
			t.Errorf("%s = %d to %v: %.200s, want a page that names what is wrong", what, p.Status, p.Away, p.Text())
		}
	}
	for what, document := range map[string]string{
		"another's client_id": good(object{"client_id": there.URL + "/other"}), "no client_id": good(object{"client_id": nil}), "no JSON": "<html>", "twice": `{"client_id":"` + address + `","client_id":"` + address + `","redirect_uris":["` + callback + `"]}`,
		"too long": good(object{"client_name": strings.Repeat("x", 6<<10)}), "not there": "",
		"a member in other case": strings.Replace(good(nil), `"client_id"`, `"Client_ID"`, 1), "encrypted": good(object{"userinfo_encrypted_response_alg": "RSA-OAEP-256"}), "a scope of admins": good(object{"scope": "mail.rule"}),
		"a secret": good(object{"client_secret": "hush"}), "a method with a secret": good(object{"token_endpoint_auth_method": "client_secret_basic"}), "a bad redirect": good(object{"redirect_uris": []string{"javascript:alert(1)"}}),
	} {
		body.Store(&document)
		kind.Store(&jsonType)
		before := asked.Load()
		refused(what, address)
		refused(what+", again", address)
		if asked.Load() < before+2 {
			t.Errorf("%s: the error was remembered", what)
		}
	}
	elsewhere := good(object{"redirect_uris": []string{"https://app.example/else"}})
	body.Store(&elsewhere)
	refused("another redirect", address)
	right := good(nil)
	body.Store(&right)
	kind.Store(&html)
	refused("not called JSON", there.URL+"/fresh")
	kind.Store(&jsonType)
	refused("a redirect", there.URL+"/away")
	before := asked.Load()
	for _, odd := range []string{
		there.URL, there.URL + "/", address + "#x", strings.Replace(address, "https://", "https://user@", 1), there.URL + "/a/../client", there.URL + "/%2e%2e/client", strings.Replace(address, "https:", "http:", 1),
		"https://127.0.0.1/client", "https://127.1/client", "https://0x7f000001/client", "https://2130706433/client", "https://[::1]/client", "https://[::ffff:127.0.0.1]/client", "https://localhost/client",
		"https://169.254.169.254/latest/meta-data", "https://[fe80::1%25eth0]/client", "https://10.0.0.1/client",
	} {
		refused(odd, odd)
	}
	if asked.Load() != before {
		t.Error("an odd address was fetched")
	}
}

// TestNewcomers: whoever makes clients that nobody asked for is slowed down, in the dialect of where they come, and what was known
// before works on.
func TestNewcomers(t *testing.T) {
	var address string
	there, allow := stranger(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(rw).Encode(description(object{"client_id": address + r.URL.Path})); err != nil {
			t.Error(err)
		}
	})
	address = there.URL
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now, Settings: func(s *config.Settings) { allow(s); s.DCR = "open" }})
	begin := func(i int) *servertest.Page {
		return w.browser.Get((&client{w: w, id: fmt.Sprintf("%s/client/%d", address, i)}).ask(nil))
	}
	for i := range 10 {
		if p := begin(i); !p.Has("sign-in") {
			t.Fatalf("new document %d of one host = %d %.200s, want it taken", i, p.Status, p.Text())
		}
	}
	if p := begin(10); p.Status != http.StatusTooManyRequests || p.Header.Get("Retry-After") == "" {
		t.Errorf("one more of this host = %d, Retry-After %q, want 429", p.Status, p.Header.Get("Retry-After"))
	}
	r := w.post("/oauth/par", url.Values{"client_id": {address + "/client/11"}}, nil)
	w.refused("one more, pushed", r, 429, "temporarily_unavailable")
	if p := begin(3); !p.Has("sign-in") {
		t.Errorf("a document that was read before = %d, want it to work on", p.Status)
	}
	last := 0
	for n := range 61 {
		r := describe(t, w, http.MethodPost, "/oauth/register", description(nil), "")
		if last = r.status; last != http.StatusCreated {
			w.refused(fmt.Sprintf("registration %d", n+1), r, 429, "temporarily_unavailable")
			if n != 60 || r.header.Get("Retry-After") == "" {
				t.Errorf("registration %d = %d %s, Retry-After %q; want 60 in 10 minutes, then when to come again", n+1, r.status, r.raw, r.header.Get("Retry-After"))
			}
		}
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("61 registrations from one network: the last is %d, want 429", last)
	}
	clock.Advance(10 * time.Minute)
	w.sync()
	if p := begin(10); !p.Has("sign-in") {
		t.Errorf("later = %d, want it taken", p.Status)
	}
	if r := describe(t, w, http.MethodPost, "/oauth/register", description(nil), ""); r.status != http.StatusCreated {
		t.Errorf("a registration later = %d %s, want it taken", r.status, r.raw)
	}
}

// TestDocumentSilent: why a document could not be read is not told: it would say which names there are behind this server.
func TestDocumentSilent(t *testing.T) {
	there, allow := stranger(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		_, _ = rw.Write([]byte("<html>"))
	})
	w := newWorld(t, servertest.Options{Settings: allow})
	told := map[string]bool{}
	for _, address := range []string{there.URL + "/client", "https://10.0.0.1/client", "https://no-such-host.invalid/client"} {
		r := w.post("/oauth/par", url.Values{"client_id": {address}}, nil)
		w.refused(address, r, 400, "invalid_request")
		told[r.raw] = true
	}
	if len(told) != 1 {
		t.Errorf("three addresses are refused in %d ways, want one: %v", len(told), told)
	}
}

// TestDocumentBegins: a client that was never seen may begin with any request that begins something, named in the request or,
// if it signs, in its assertion alone.
func TestDocumentBegins(t *testing.T) {
	key := newSigner(t, jose.ES256, "")
	var address string
	there, allow := stranger(t, func(rw http.ResponseWriter, r *http.Request) {
		d := description(object{"client_id": address + r.URL.Path, "grant_types": []string{"authorization_code", deviceGrant}})
		if strings.HasPrefix(r.URL.Path, "/signs") {
			d["token_endpoint_auth_method"], d["jwks"] = "private_key_jwt", public(t, key)
		}
		rw.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(rw).Encode(d); err != nil {
			t.Error(err)
		}
	})
	address = there.URL
	w := newWorld(t, servertest.Options{Settings: allow})
	pushed := url.Values{
		"response_type": {"code"}, "redirect_uri": {callback}, "scope": {"openid"}, "code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"},
	}
	for i, tc := range []struct {
		path string
		form url.Values
		want int
	}{{"/oauth/device_authorization", url.Values{"scope": {"openid profile.read"}}, 200}, {"/oauth/par", pushed, 201}} {
		named := maps.Clone(tc.form)
		named.Set("client_id", fmt.Sprintf("%s/named%d", address, i))
		if r := w.post(tc.path, named, nil); r.status != tc.want {
			t.Errorf("%s by a new client = %d %s, want %d", tc.path, r.status, r.raw, tc.want)
		}
		c := &client{w: w, id: fmt.Sprintf("%s/signs%d", address, i)}
		signed := maps.Clone(tc.form)
		signed.Set("client_assertion_type", assertionType)
		signed.Set("client_assertion", key.sign(c.claims(time.Now(), nil), nil))
		if r := w.post(tc.path, signed, nil); r.status != tc.want {
			t.Errorf("%s by a new client that signs = %d %s, want %d", tc.path, r.status, r.raw, tc.want)
		}
	}
	w.refused("an assertion of nobody", w.post("/oauth/par", url.Values{"client_assertion_type": {assertionType}, "client_assertion": {"x"}}, nil), 401, "invalid_client")
}

func mergeObjects(a, b object) object {
	maps.Copy(a, b)
	return a
}

// TestDocument: a client that is nothing but a document gets tokens, its host is shown, and it is read as seldom as its headers
// say, within bounds.
func TestDocument(t *testing.T) {
	var asked atomic.Int64
	var address string
	there, allow := stranger(t, func(rw http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Cache-Control", "max-age=3600")
		_, _ = fmt.Fprintf(rw, `{"client_id":%q,"client_name":"Pal","redirect_uris":[%q],"grant_types":["authorization_code","refresh_token"]}`, address, callback)
	})
	address = there.URL + "/client"
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now, Settings: allow})
	c := &client{w: w, id: address}
	p := w.browser.Get(c.ask(nil))
	if p = w.signIn(p); !strings.Contains(p.Text(), strings.TrimPrefix(there.URL, "https://")) {
		t.Errorf("the consent page does not show the host: %.300s", p.Text())
	}
	got := c.tokens()
	if got.text("access_token") == "" || got.text("refresh_token") == "" {
		t.Fatalf("its login = %s", got.raw)
	}
	if r := c.refresh(got.text("refresh_token")); r.status != http.StatusOK {
		t.Errorf("its refresh = %d %s", r.status, r.raw)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the document was read %d times within its time, want once", n)
	}
	clock.Advance(61 * time.Minute)
	w.sync()
	w.browser.Get(c.ask(nil))
	if n := asked.Load(); n != 2 {
		t.Errorf("the document was read %d times after its time, want twice", n)
	}
}

// TestDocumentLife: a document counts for five minutes at the least and a day at the most, whatever its headers say.
func TestDocumentLife(t *testing.T) {
	for name, tc := range map[string]struct {
		header string
		life   time.Duration
	}{
		"nothing":            {"", 5 * time.Minute},
		"no-store":           {"no-store, max-age=3600", 5 * time.Minute},
		"no-cache":           {"max-age=3600, no-cache", 5 * time.Minute},
		"none":               {"max-age=0", 5 * time.Minute},
		"less than nothing":  {"max-age=-1", 5 * time.Minute},
		"no number":          {"max-age=soon", 5 * time.Minute},
		"an hour":            {"public, MAX-AGE=3600", time.Hour},
		"a day":              {"max-age=86400", 24 * time.Hour},
		"a year":             {"max-age=31536000", 24 * time.Hour},
		"more than a number": {"max-age=99999999999999999999", 5 * time.Minute},
	} {
		var asked atomic.Int64
		var address string
		there, allow := stranger(t, func(rw http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			rw.Header().Set("Content-Type", "application/json")
			if tc.header != "" {
				rw.Header().Set("Cache-Control", tc.header)
			}
			_, _ = fmt.Fprintf(rw, `{"client_id":%q,"client_name":"Pal","redirect_uris":[%q]}`, address, callback)
		})
		address = there.URL + "/client"
		clock := newClock()
		w := newWorld(t, servertest.Options{Now: clock.Now, Settings: allow})
		c := &client{w: w, id: address}
		for i, step := range []time.Duration{0, tc.life - time.Millisecond, time.Millisecond} {
			clock.Advance(step)
			w.sync()
			if p := w.browser.Get(c.ask(nil)); !p.Has("sign-in") {
				t.Fatalf("%s: the login shows %d %s", name, p.Status, p.URL)
			}
			if got, want := asked.Load(), []int64{1, 1, 2}[i]; got != want {
				t.Errorf("%s: read %d times after %v, want %d", name, got, step, want)
			}
		}
	}
}
