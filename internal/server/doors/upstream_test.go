package doors_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
)

// An API behind the gateway knows who calls, and answers nobody who came another way.
func TestUpstreamGuard(t *testing.T) {
	w := newWorld(t, nil)
	guard := &lanyard.Upstream{URL: w.URL, Audience: w.GatewayURL + "/weather"}
	inner := guard.Guard(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		who, _ := lanyard.IdentityFrom(r.Context())
		_ = json.NewEncoder(rw).Encode(who)
	}))
	w.serve = inner.ServeHTTP
	for range 2 { // signed and checked once, known the second time
		res, body := w.call("GET", "/weather/v1/forecast", nil)
		var who lanyard.Identity
		if err := json.Unmarshal([]byte(body), &who); err != nil || res.StatusCode != 200 {
			t.Fatalf("%d %s", res.StatusCode, body)
		}
		if who.App.ID != w.shop.App.ID || who.App.Name != "WeatherDashboard" || who.Team != w.shop.Team.ID || who.User != "" || who.Credential != w.key.ID || who.Mode != "live" || strings.Join(who.Scopes, " ") != "forecast.read" {
			t.Errorf("the upstream knows %+v", who)
		}
	}
	good := w.take()[0].Header.Get("X-Lanyard-Assertion")
	head, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	token := w.token()
	for name, text := range map[string]string{
		"nothing": "", "nonsense": "x.y.z", "another payload": head + "." + payload[:len(payload)-4] + "AAAA." + signature, "another signature": head + "." + payload + "." + strings.Repeat("A", len(signature)),
		"without a signature": head + "." + payload + ".", "an access token": token,
	} {
		direct := func(h *lanyard.Upstream, text string) int {
			req := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/forecast", nil)
			if text != "" {
				req.Header.Set("X-Lanyard-Assertion", text)
			}
			rec := httptest.NewRecorder()
			h.Guard(http.NotFoundHandler()).ServeHTTP(rec, req)
			return rec.Code
		}
		if got := direct(guard, text); got != http.StatusUnauthorized {
			t.Errorf("%s: %d, want 401", name, got)
		}
		if name != "nothing" {
			continue
		}
		// The good one at another API, after its time, and while the keys cannot be had.
		if got := direct(&lanyard.Upstream{URL: w.URL, Audience: w.GatewayURL + "/other"}, good); got != http.StatusUnauthorized {
			t.Errorf("at another API: %d, want 401", got)
		}
		if got := direct(&lanyard.Upstream{URL: w.URL, Audience: guard.Audience, Now: func() time.Time { return time.Now().Add(time.Minute) }}, good); got != http.StatusUnauthorized {
			t.Errorf("a minute later: %d, want 401", got)
		}
		if got := direct(&lanyard.Upstream{URL: "http://127.0.0.1:1", Audience: guard.Audience}, good); got != http.StatusServiceUnavailable {
			t.Errorf("without keys: %d, want 503", got)
		}
	}
}

// token is a JWT that the server signed for something else: an access token of the shop's app.
func (w *world) token() string {
	w.t.Helper()
	app, err := w.Admin.CreateApp(w.t.Context(), lanyard.AppInput{Name: "service", TeamID: w.shop.Team.ID, OAuthSettings: lanyard.OAuthSettings{GrantTypes: []string{"client_credentials"}, Scopes: []string{"news.read"}}})
	if err != nil {
		w.t.Fatal(err)
	}
	secret, err := w.Admin.CreateSecret(w.t.Context(), app.ID, lanyard.SecretInput{Name: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := http.PostForm(w.URL+"/oauth/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {app.ID}, "client_secret": {secret.Secret}, "scope": {"news.read"},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var said struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&said); err != nil || said.Token == "" {
		w.t.Fatalf("no access token: %d, %v", res.StatusCode, err)
	}
	return said.Token
}
