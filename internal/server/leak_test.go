package server_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// report posts a leak report and returns the status and all that was answered.
func report(t *testing.T, n *servertest.Node, media, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.URL+"/v1/leaks/report", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", media)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// TestLeakReport: who reports learns nothing; a secret that was found is dead when the answer is there, and what only looks like one
// ends nothing.
func TestLeakReport(t *testing.T) {
	n := servertest.Start(t, servertest.Options{Settings: loopback})
	shop, ctx := n.Open(t), t.Context()
	r := newReceiver(t, 200)
	hook, err := n.Admin.CreateWebhook(ctx, lanyard.WebhookInput{TeamID: shop.Team.ID, URL: r.URL, Events: []string{"key.leaked"}})
	if err != nil {
		t.Fatal(err)
	}
	k, other := n.Key(t, shop), n.Key(t, shop)
	code := func(credential string) string {
		t.Helper()
		said, err := n.Admin.Verify(ctx, lanyard.VerifyRequest{Credential: credential, API: "weather", Method: "GET", Path: "/v1/forecast", Consistency: "strict"})
		if err != nil {
			t.Fatal(err)
		}
		return said.Code
	}
	forged := k.Secret[:40] + strings.Repeat("A", len(k.Secret)-40)
	for _, tt := range []struct {
		media, body string
		status      int
	}{
		{"application/json", `{"text":"` + k.Secret[:len(k.Secret)-1] + `"}`, 202},
		{"application/json", `{"credentials":["` + forged + `"]}`, 202},
		{"text/plain", k.ID, 202},
		{"text/plain", "", 202},
		{"application/json", `{"text":1}`, 400},
		{"application/json", `{"nonsense":""}`, 400},
		{"application/xml", k.Secret, 400},
		{"text/plain", strings.Repeat("x", 1<<20+1), 400},
	} {
		status, said := report(t, n, tt.media, tt.body)
		if status != tt.status || status == 202 && said != "" || strings.Contains(said, k.Secret[30:]) {
			t.Errorf("report of %.60q = %d %q, want %d", tt.body, status, said, tt.status)
		}
	}
	if got := code(k.Secret); got != "valid" {
		t.Errorf("after reports of what it is not the key is %s", got)
	}
	for range 2 { // a repeat changes nothing
		if status, said := report(t, n, "application/json", `{"text":"API_KEY=`+k.Secret+`","place":"https://user:hush@git.example/a.py?x=1"}`); status != 202 || said != "" {
			t.Errorf("report = %d %q, want 202 and nothing", status, said)
		}
	}
	if got := code(k.Secret); got != "revoked" {
		t.Errorf("after the report the key is %s, want revoked", got)
	}
	if got := code(other.Secret); got != "valid" {
		t.Errorf("another key is %s, want valid", got)
	}
	deliver(t, n)
	if got := r.messages(); len(got) != 1 || !strings.Contains(got[0].body, "key.leaked") || !strings.Contains(got[0].body, "https://git.example/a.py") ||
		strings.Contains(got[0].body, "hush") || got[0].signature != got[0].signed(t, hook.Secret) {
		t.Errorf("the webhook got %+v, want key.leaked once, with a clean place", got)
	}
}

// TestLeakReportLimit: a network has so many reports an hour.
func TestLeakReportLimit(t *testing.T) {
	n := servertest.Start(t, servertest.Options{})
	last := 0
	for range 61 {
		last, _ = report(t, n, "text/plain", "nothing")
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the 61st report = %d, want 429", last)
	}
}
