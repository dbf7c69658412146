package server_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// victims are people and apps of a server, who use every kind of credential that there is for them.
type victims struct {
	t       *testing.T
	n       *servertest.Node
	ada     lanyard.User
	app     lanyard.App
	browser *servertest.Browser // Ada's
	secrets map[string]string   // what nobody but its owner may have
	stolen  loot
}

const (
	adasPassword = "violet-harbour-sings-9"
	newPassword  = "seven quiet herons at dusk"
	rpCallback   = "https://rp.test/cb"
	pkceVerifier = "a-verifier-of-forty-three-characters-at-the-least"
)

// hold notes a secret, which has to be one.
func (v *victims) hold(what, text string) string {
	v.t.Helper()
	if len(text) < 8 {
		v.t.Fatalf("%s = %q, want a secret", what, text)
	}
	v.secrets[fmt.Sprintf("%s (%d)", what, len(v.secrets))] = text
	return text
}

// send posts a form or a JSON text as a program does, and reads the answer.
func (v *victims) send(path, body string, header http.Header) map[string]any {
	v.t.Helper()
	if header == nil {
		header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	}
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.n.URL+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header = header
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	answer := map[string]any{}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode > 201 {
		v.t.Fatalf("POST %s = %d %v, %v", path, res.StatusCode, answer, err)
	}
	return answer
}

func (v *victims) post(path string, form url.Values) map[string]any {
	v.t.Helper()
	return v.send(path, form.Encode(), nil)
}

// asked is an authorization request of the app.
func (v *victims) asked() url.Values {
	sum := sha256.Sum256([]byte(pkceVerifier))
	return url.Values{
		"response_type": {"code"}, "client_id": {v.app.ClientID}, "redirect_uri": {rpCallback}, "scope": {"openid news.read"}, "state": {"st"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
}

// cookie notes what stands in a browser's cookie.
func (v *victims) cookie(what string, b *servertest.Browser) {
	v.t.Helper()
	all := b.Cookies()
	if len(all) != 1 {
		v.t.Fatalf("%s has %d cookies, want 1", what, len(all))
	}
	v.hold("the cookie of "+what, all[0].Value)
}

// signIn logs Ada in.
func (v *victims) signIn(b *servertest.Browser, password string) *servertest.Page {
	v.t.Helper()
	p := b.Press(b.Get("/login"), "sign-in", map[string]string{"login": v.ada.Email, "password": password})
	if p.URL.Path != "/account" {
		v.t.Fatalf("the login leads to %s (%d)", p.URL, p.Status)
	}
	return p
}

// code gets an authorization code in Ada's browser.
func (v *victims) code() string {
	v.t.Helper()
	p := v.browser.Get("/oauth/authorize?" + v.asked().Encode())
	if p.Has("approve") {
		p = v.browser.Press(p, "approve", nil)
	}
	if p.Away == nil {
		v.t.Fatalf("the way to a code ends at %s (%d): %.300s", p.URL, p.Status, p.Text())
	}
	return v.hold("an authorization code", p.Away.Query().Get("code"))
}

// tokens notes what the token endpoint gives for a form.
func (v *victims) tokens(secret string, form url.Values) map[string]any {
	v.t.Helper()
	form.Set("client_id", v.app.ClientID)
	if secret != "" {
		form.Set("client_secret", secret)
	}
	answer := v.post("/oauth/token", form)
	for _, name := range []string{"access_token", "refresh_token", "id_token"} {
		if text, ok := answer[name].(string); ok {
			v.hold("an "+name, text)
		}
	}
	return answer
}

// mailed is the ticket of the link in the newest mail to an address.
func (v *victims) mailed(to string) string {
	v.t.Helper()
	if err := v.n.Deliver(v.t.Context()); err != nil {
		v.t.Fatal(err)
	}
	for _, m := range v.n.Mails.List() {
		for _, word := range strings.Fields(m.Text) {
			if u, err := url.Parse(word); err == nil && m.To == to && u.Path == "/link" {
				return v.hold("the link in a mail to "+to, u.Query().Get("t"))
			}
		}
	}
	v.t.Fatalf("no link was mailed to %s", to)
	return ""
}

func text(answer map[string]any, name string) string {
	s, _ := answer[name].(string)
	return s
}

// newVictims starts a server with a person and an app.
func newVictims(t *testing.T, dir string, log *slog.Logger) *victims {
	t.Helper()
	v := &victims{t: t, secrets: map[string]string{}}
	v.n = servertest.Start(t, servertest.Options{Dir: dir, Log: log, Settings: func(s *config.Settings) { s.Signup, s.DCR = "open", config.Open }})
	link, err := v.n.FirstAdmin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	v.hold("the setup link", u.Query().Get("t"))
	shop := v.n.Open(t)
	v.hold("a management key", v.n.AdminKey)
	command := audit.Command("test")
	if v.ada, err = v.n.Manage.CreateUser(t.Context(), command, lanyard.UserInput{Email: "ada@demo.test", Name: "Ada", Password: v.hold("a password", adasPassword)}); err != nil {
		t.Fatal(err)
	}
	if v.app, err = v.n.Manage.CreateApp(t.Context(), command, lanyard.AppInput{Name: "PostPal", TeamID: shop.Team.ID, OAuthSettings: lanyard.OAuthSettings{
		RedirectURIs: []string{rpCallback}, Scopes: []string{"openid", "news.read"}, RefreshRotation: "always",
		GrantTypes: []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"},
	}}); err != nil {
		t.Fatal(err)
	}
	v.browser = v.n.Browser(t)
	return v
}

// begin makes one of each kind, and leaves all of them waiting to be used.
func (v *victims) begin() (secret, code string, device map[string]any) {
	t, n := v.t, v.n
	t.Helper()
	command := audit.Command("test")
	made, err := n.Manage.CreateSecret(t.Context(), command, v.app.ID, lanyard.SecretInput{})
	if err != nil {
		t.Fatal(err)
	}
	secret = v.hold("a client secret", made.Secret)
	registered := v.send("/oauth/register", `{"client_name":"Inspector","redirect_uris":["`+rpCallback+`"]}`, http.Header{"Content-Type": {"application/json"}})
	v.hold("a client secret that came by registration", text(registered, "client_secret"))
	v.hold("a registration access token", text(registered, "registration_access_token"))
	ada := audit.Actor{Label: v.ada.ID, User: id.User(v.ada.ID), Reach: audit.UserReach(id.User(v.ada.ID)), Scopes: []string{"lanyard.keys.write"}}
	personal, err := n.Manage.CreateToken(t.Context(), ada, lanyard.PersonalTokenInput{Name: "nas", Scopes: []string{"news.read"}})
	if err != nil {
		t.Fatal(err)
	}
	v.hold("a personal token", personal.Secret)
	once := v.send("/v1/apps/"+v.app.ID+"/keys", `{"name":"repeated","scopes":["news.read"]}`, http.Header{
		"Content-Type": {"application/json"}, "Authorization": {"Bearer " + n.AdminKey}, "Idempotency-Key": {"one"},
	})
	v.hold("a key whose answer is kept to be repeated", text(once, "secret"))

	waiting := n.Browser(t)
	waiting.Get("/oauth/authorize?" + v.asked().Encode())
	v.cookie("a browser in which nobody is signed in", waiting)
	v.signIn(v.browser, adasPassword)
	v.cookie("Ada's browser", v.browser)
	pushed := v.asked()
	pushed.Set("client_secret", secret)
	v.hold("a pushed request", strings.TrimPrefix(text(v.post("/oauth/par", pushed), "request_uri"), "urn:ietf:params:oauth:request_uri:"))
	device = v.post("/oauth/device_authorization", url.Values{"client_id": {v.app.ClientID}, "client_secret": {secret}, "scope": {"news.read"}})
	v.hold("a device code", text(device, "device_code"))
	typed := v.hold("a user code", text(device, "user_code"))
	canonical, _ := factor.CanonicalUserCode(typed)
	v.hold("what is digested of a user code", factor.UserCodeText(canonical))
	return secret, v.code(), device
}

// mail has links sent, of every kind.
func (v *victims) mail() (reset string) {
	t, n := v.t, v.n
	t.Helper()
	b := n.Browser(t)
	if p := b.Post("/signup", url.Values{"name": {"Eve"}, "email": {"eve@demo.test"}, "password": {v.hold("a password of who signs up", "a dozen green bicycles")}}, nil); p.Status != http.StatusOK {
		t.Fatalf("the sign-up = %d %.300s", p.Status, p.Text())
	}
	if p := v.browser.Post("/forgot", url.Values{"email": {v.ada.Email}}, nil); p.Status != http.StatusOK {
		t.Fatalf("the reset = %d %.300s", p.Status, p.Text())
	}
	// Mails are sent every two seconds: one is caught while it waits.
	for i := 0; v.stolen.rows["delivery"] == 0 && i < 20; i++ {
		to := fmt.Sprintf("guest%d@demo.test", i)
		if err := n.Manage.Invite(t.Context(), audit.Command("test"), to); err != nil {
			t.Fatal(err)
		}
		v.stolen.steal(t, n.Settings.DataDir)
		v.mailed(to)
	}
	v.mailed("eve@demo.test")
	return v.mailed(v.ada.Email)
}

// use does with everything what it is for.
func (v *victims) use(secret, code, reset string, device map[string]any) {
	t := v.t
	t.Helper()
	first := v.tokens(secret, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {rpCallback}, "code_verifier": {pkceVerifier}})
	next := v.tokens(secret, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {text(first, "refresh_token")}})
	if text(next, "refresh_token") == text(first, "refresh_token") {
		t.Fatal("the refresh token did not rotate")
	}
	p := v.browser.Post("/device", url.Values{"user_code": {text(device, "user_code")}}, nil)
	if p = v.browser.Press(p, "approve", nil); p.Status != http.StatusOK {
		t.Fatalf("letting a device in = %d %.300s", p.Status, p.Text())
	}
	v.tokens(secret, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {text(device, "device_code")}})
	p = v.browser.Press(v.browser.Get("/link?t="+reset), "set-password", map[string]string{"password": v.hold("a new password", newPassword)})
	if p.URL.Path != "/account" {
		t.Fatalf("the reset ends at %s (%d)", p.URL, p.Status)
	}
	v.cookie("Ada's browser after it", v.browser)
}

// TestStolenBadges: DESIGN promise 4: a database that is stolen while everything waits to be used, when it was used,
// or after the server's end, is read cell by cell and byte by byte, and holds no credential of people or of their apps, nor
// any hash of one that could be computed without the pepper. The log does not either.
func TestStolenBadges(t *testing.T) {
	dir := t.TempDir()
	var logged lines
	v := newVictims(t, dir, slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
	ofClient, code, device := v.begin()
	v.stolen.steal(t, dir)
	reset := v.mail()
	v.stolen.steal(t, dir)
	v.use(ofClient, code, reset, device)
	v.stolen.steal(t, dir)
	v.n.Stop()
	v.stolen.steal(t, dir)
	master, err := os.ReadFile(v.n.Settings.MasterKeyFile())
	if err != nil {
		t.Fatal(err)
	}
	v.hold("the master key", strings.TrimSpace(string(master)))

	for _, table := range []string{
		"password", "session", "link", "auth_request", "pushed_request", "auth_code", "family", "device", "personal_token", "api_key_version", "delivery", "answer", "grants", "keyring", "audit_event",
	} {
		if v.stolen.rows[table] == 0 {
			t.Errorf("the table %s was empty whenever it was stolen: nothing is proven about it", table)
		}
	}
	h, plain := hunt{}, map[string][]byte{"Ada's address": []byte(v.ada.Email), "the app": []byte(v.app.ID)}
	for what, text := range v.secrets {
		h.secret(t, what, text)
		if c, err := secret.Parse(text); err == nil {
			plain["the id of "+what] = []byte(c.ID)
		} else if len(text) == 48 && !strings.Contains(what, "nobody") && !strings.Contains(what, "registration") { // those two name no row
			plain["the id of "+what] = []byte(text[:16])
		}
	}
	h.add(t, "a verifier", []byte(pkceVerifier)) // its hash is no secret: the app sent it as the challenge
	for _, found := range h.in(v.stolen.bytes) {
		t.Errorf("the database holds %s", found)
	}
	// What may stand there is found, ids of what is secret among it: so the secrets were looked for where they would be.
	for what, text := range plain {
		if !bytes.Contains(v.stolen.bytes, text) {
			t.Errorf("%s is not found: nothing is proven about it", what)
		}
	}
	written := logged.buf.Bytes()
	if !strings.Contains(string(written), "POST /oauth/token") {
		t.Error("nothing was logged of the token endpoint, so nothing is proven")
	}
	for _, found := range h.in(written) {
		t.Errorf("the log holds %s", found)
	}
}
