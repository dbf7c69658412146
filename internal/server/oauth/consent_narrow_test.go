package oauth_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// TestNarrowedGrantReachesTokens: what a user takes away by unticking it is in no token any more, neither by a chain from
// before nor by a token from before (DESIGN section 8: "unticked is not in the token"; PROTOCOLS OAuth 18).
func TestNarrowedGrantReachesTokens(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	r := c.tokens()
	if !slices.Contains(strings.Fields(r.text("scope")), "posts.write") {
		t.Fatalf("before = %s", r.raw)
	}
	p := w.browser.Get(c.ask(url.Values{"prompt": {"consent"}}))
	w.browser.Press(p, "approve", map[string]string{"-scope-posts.write": ""})
	w.sync()
	if d := w.verify(r.text("access_token"), "POST", "/v1/posts"); d.Allowed {
		t.Errorf("a token from before posts: %s", d.Code)
	}
	next := c.refresh(r.text("refresh_token"))
	if next.status != 200 || next.text("scope") != "openid profile.read" {
		t.Errorf("a chain from before = %d %s, want what is allowed now", next.status, next.raw)
	}
}

// TestRedirectTakenOff: a redirect URI that was taken off an app gets no answer, not even to a request from before.
func TestRedirectTakenOff(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{})
	p := c.open("openid profile.read")
	other := []string{"https://rp.test/other"}
	if _, err := w.node.Manage.UpdateApp(t.Context(), w.admin(), c.id, lanyard.AppPatch{OAuthPatch: lanyard.OAuthPatch{RedirectURIs: &other}}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if p = w.browser.Press(p, "approve", nil); p.Away != nil {
		t.Errorf("the answer went to %s", p.Away)
	}
}

// TestConsentHostOfStranger: an app that registered itself is shown by where its users are sent, not by a home page that it
// only names (RFC 7591 section 5).
func TestConsentHostOfStranger(t *testing.T) {
	w := newWorld(t, servertest.Options{Settings: func(s *config.Settings) { s.DCR = "open" }})
	body, err := json.Marshal(map[string]any{"client_name": "Your bank", "client_uri": "https://bank.example/", "redirect_uris": []string{callback}, "token_endpoint_auth_method": "none"})
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(w.node.URL+"/oauth/register", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var made struct {
		ID string `json:"client_id"`
	}
	if err := json.NewDecoder(res.Body).Decode(&made); err != nil || made.ID == "" {
		t.Fatalf("register = %d %v", res.StatusCode, err)
	}
	w.sync()
	p := (&client{w: w, id: made.ID}).open("openid profile.read")
	if !strings.Contains(p.Text(), "registered itself") {
		t.Errorf("the page does not say that nobody here registered the app: %s", p.Text())
	}
	if !p.Has("approve") || strings.Contains(p.Body, `<span class="host">bank.example`) || !strings.Contains(p.Body, `<span class="host">rp.test`) {
		t.Errorf("consent = %s", p.Text())
	}
}

// TestDeviceDocument: what was allowed to another document of an app is not allowed to this one by letting a device in.
func TestDeviceDocument(t *testing.T) {
	var says atomic.Pointer[string]
	var address string
	there, allow := stranger(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write([]byte(`{"client_id":"` + address + `","client_name":"` + *says.Load() + `","redirect_uris":["` + callback + `"],"grant_types":["authorization_code","` + deviceGrant + `"]}`))
	})
	address = there.URL + "/client"
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now, Settings: allow})
	c := &client{w: w, id: address}
	first, second := "Pal", "Pal, your bank"
	says.Store(&first)
	w.browser.Press(c.open("openid profile.read posts.write"), "approve", map[string]string{"+scope-posts.write": ""})
	says.Store(&second)
	clock.Advance(25 * time.Hour)
	w.sync()
	c.open("openid profile.read") // reads the document anew
	w.sync()
	c.device("profile.read").answer("approve")
	if got := w.grants(); len(got) != 1 {
		t.Fatalf("grants = %v", got)
	} else {
		for _, scopes := range got {
			if slices.Contains(scopes, "posts.write") {
				t.Errorf("the new document may %v, want only what it was let in for", scopes)
			}
		}
	}
}
