package server_test

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// call sends a request with exactly these header lines and returns its status and body.
func call(t *testing.T, n *servertest.Node, method, path, body string, header http.Header) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, n.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// TestCase100CredentialPath (CVE-2026-12773): no spelling of no credential, and no second credential, gets past the asker's
// authentication, on the hot endpoint and on an ordinary one.
func TestCase100CredentialPath(t *testing.T) {
	n := servertest.Start(t, servertest.Options{Master: servertest.Master(t)})
	n.Open(t)
	k := n.AdminKey
	for name, header := range map[string]http.Header{
		"none":               {},
		"empty":              {"Authorization": {""}},
		"Bearer alone":       {"Authorization": {"Bearer"}},
		"Bearer and a space": {"Authorization": {"Bearer "}},
		"Bearer null":        {"Authorization": {"Bearer null"}},
		"Bearer undefined":   {"Authorization": {"Bearer undefined"}},
		"two spaces":         {"Authorization": {"Bearer  " + k}},
		"two headers":        {"Authorization": {"Bearer " + k, "Bearer " + k}},
		"a list":             {"Authorization": {"Bearer " + k + ", Bearer " + k}},
		"key in two headers": {"Authorization": {"Bearer " + k}, "X-Api-Key": {k}},
		"another scheme":     {"Authorization": {"Token " + k}},
		"master key":         {"Authorization": {"Bearer " + n.Settings.MasterKey.Reveal()}},
		"prefix of a key":    {"Authorization": {"Bearer " + k[:len(k)-1]}},
		"key with a tail":    {"Authorization": {"Bearer " + k + "0"}},
		"upper case":         {"Authorization": {"Bearer " + strings.ToUpper(k)}},
		"header of its own":  {"X-Lanyard-App": {"app_0000000000000000"}, "X-Forwarded-User": {"admin"}},
		"cookie":             {"Cookie": {"lanyard=" + k}},
	} {
		for _, to := range []struct{ method, path, body string }{
			{http.MethodGet, "/v1/apps", ""}, {http.MethodPost, "/v1/verify", `{"credential":"x","api":"weather"}`}, {http.MethodPost, "/v1/verify/batch", `{"items":[]}`},
		} {
			status, body := call(t, n, to.method, to.path, to.body, header.Clone())
			if status != http.StatusUnauthorized {
				t.Errorf("%s: %s %s = %d, want 401", name, to.method, to.path, status)
			}
			if strings.Contains(body, k) || strings.Contains(body, n.Settings.MasterKey.Reveal()) {
				t.Errorf("%s: %s %s repeats the credential", name, to.method, to.path)
			}
		}
	}
	if status, _ := call(t, n, http.MethodGet, "/v1/apps?api_key="+k, "", http.Header{}); status != http.StatusUnauthorized {
		t.Errorf("a key in the query = %d, want 401", status)
	}
}

// TestCase106EveryRouteWantsACredential (CVE-2025-4210): every operation of the published document but the public ones
// answers 401 to nobody, and the metrics are not among the routes at all (case 114).
func TestCase106EveryRouteWantsACredential(t *testing.T) {
	n := servertest.Start(t, servertest.Options{Settings: func(s *config.Settings) { // what takes reports of partners is there where it is set up
		s.LeakGitLabKeysURL, s.LeakGitLabToken = "http://127.0.0.1:9/keys", secret.Of("agreed-with-our-own-gitlab")
	}})
	document, err := os.ReadFile("../../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path, walked := "", 0
	for line := range strings.SplitSeq(string(document), "\n") {
		if m := regexp.MustCompile(`^  (/\S+):$`).FindStringSubmatch(line); m != nil {
			path = m[1]
		}
		m := regexp.MustCompile(`^    (get|put|post|patch|delete):$`).FindStringSubmatch(line)
		if m == nil || path == "" {
			continue
		}
		walked++
		target := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "x")
		if target == "/v1/leaks/report" { // whoever finds a credential has none of their own (TestLeakReport)
			continue
		}
		if status, body := call(t, n, strings.ToUpper(m[1]), target, "", http.Header{}); status != http.StatusUnauthorized {
			t.Errorf("%s %s without a credential = %d %s, want 401", m[1], target, status, body)
		}
	}
	if walked < 40 {
		t.Errorf("walked %d operations, want the whole document", walked)
	}
	for _, target := range []string{"/metrics", "/debug/pprof/", "/debug/vars", "/v1", "/v1/", "/v1/nothing"} {
		if status, _ := call(t, n, http.MethodGet, target, "", http.Header{}); status != http.StatusNotFound {
			t.Errorf("GET %s = %d, want 404", target, status)
		}
	}
}

// TestCase110NothingOfOthers (CVE-2025-67717): lists and refusals of one team's key tell nothing of another's.
func TestCase110NothingOfOthers(t *testing.T) {
	n := servertest.Start(t, servertest.Options{})
	ours := n.Open(t)
	ctx := t.Context()
	team, err := n.Admin.CreateTeam(ctx, lanyard.TeamInput{Name: "Rivals"})
	if err != nil {
		t.Fatal(err)
	}
	app, err := n.Admin.CreateApp(ctx, lanyard.AppInput{Name: "SecretProject", TeamID: team.ID})
	if err != nil {
		t.Fatal(err)
	}
	own, err := n.Admin.CreateKey(ctx, ours.App.ID, lanyard.KeyInput{Name: "ci", Scopes: []string{"lanyard.apps.write", "lanyard.keys.write", "lanyard.usage.read"}})
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"Authorization": {"Bearer " + own.Secret}}
	_, missing := call(t, n, http.MethodGet, "/v1/apps/app_0000000000000000", "", header.Clone())
	_, foreign := call(t, n, http.MethodGet, "/v1/apps/"+app.ID, "", header.Clone())
	strip := regexp.MustCompile(`app_[0-9A-Za-z]{16}|"request_id":"[^"]*"`)
	if a, b := strip.ReplaceAllString(missing, ""), strip.ReplaceAllString(foreign, ""); a != b {
		t.Errorf("a foreign app answers %s, one that is not %s; want no difference", b, a)
	}
	for _, target := range []string{"/v1/apps", "/v1/keys", "/v1/usage", "/v1/apps?name=SecretProject", "/v1/keys?app_id=" + app.ID, "/v1/apps/" + app.ID, "/v1/apps?team_id=" + team.ID} {
		_, body := call(t, n, http.MethodGet, target, "", header.Clone())
		if strings.Contains(body, "SecretProject") || strings.Contains(body, `"team_id":"`+team.ID) {
			t.Errorf("GET %s tells of the other team: %s", target, body)
		}
	}
}

// TestCase122ExpiryToTheMoment (CVE-2025-64708): a key is good until the microsecond before it expires, and not at it.
func TestCase122ExpiryToTheMoment(t *testing.T) {
	var mu sync.Mutex
	var ahead time.Duration
	n := servertest.Start(t, servertest.Options{Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(ahead) }})
	shop := n.Open(t)
	ends := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	k, err := n.Admin.CreateKey(t.Context(), shop.App.ID, lanyard.KeyInput{Name: "short", ExpiresAt: &ends})
	if err != nil {
		t.Fatal(err)
	}
	code := func() string {
		d, err := n.Admin.Verify(t.Context(), lanyard.VerifyRequest{Credential: k.Secret, API: "open"})
		if err != nil {
			return err.Error()
		}
		return d.Code
	}
	if got := code(); got != "valid" {
		t.Errorf("an hour before = %s, want valid", got)
	}
	mu.Lock()
	ahead = time.Hour
	mu.Unlock()
	until(t, "expired once its hour is over, though it is remembered", func() bool { return code() == "expired" })
}
