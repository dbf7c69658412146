package server_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/leak"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// finder stands for GitHub, or for GitLab.com: it publishes keys and signs reports.
type finder struct {
	t       *testing.T
	header  string // "Github"
	path    string
	mu      sync.Mutex
	keys    map[string]*ecdsa.PrivateKey
	current string
	down    bool
	asked   int
	URL     string
}

func newFinder(t *testing.T, header, path string) *finder {
	t.Helper()
	f := &finder{t: t, header: header, path: path, keys: map[string]*ecdsa.PrivateKey{}}
	f.rotate("first")
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.URL = s.URL + "/meta/public_keys/secret_scanning"
	return f
}

// rotate makes a key, publishes it and signs with it from now on.
func (f *finder) rotate(name string) {
	f.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys[name], f.current = key, name
}

func (f *finder) setDown(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

func (f *finder) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked++; f.down {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	list := []map[string]any{}
	for name, key := range f.keys {
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			f.t.Error(err)
		}
		list = append(list, map[string]any{"key_identifier": name, "key": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), "is_current": name == f.current})
	}
	if err := json.NewEncoder(w).Encode(map[string]any{"public_keys": list}); err != nil {
		f.t.Error(err)
	}
}

// headers are those of a report, signed by the current key.
func (f *finder) headers(body string) http.Header {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.signedBy(f.current, f.keys[f.current], body)
}

func (f *finder) signedBy(name string, key *ecdsa.PrivateKey, body string) http.Header {
	f.t.Helper()
	digest := sha256.Sum256([]byte(body))
	der, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		f.t.Fatal(err)
	}
	h := http.Header{"Content-Type": {"application/json"}}
	h.Set(f.header+"-Public-Key-Identifier", name)
	h.Set(f.header+"-Public-Key-Signature", base64.StdEncoding.EncodeToString(der))
	return h
}

// found is the body of a report about tokens.
func found(t *testing.T, tokens ...string) string {
	t.Helper()
	var all []leak.Found
	for _, token := range tokens {
		all = append(all, leak.Found{Token: token, Type: "lyd_api_key", URL: "https://github.com/o/r/blob/4fe2/a.py?token=hush", Source: "commit"})
	}
	body, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// send posts to a node and returns the status and what was answered.
func send(t *testing.T, n *servertest.Node, method, path, body string, header http.Header) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, n.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
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

// post sends a report that is signed as it should be.
func (f *finder) post(n *servertest.Node, body string) (int, string) {
	f.t.Helper()
	return send(f.t, n, http.MethodPost, f.path, body, f.headers(body))
}

func codeOf(t *testing.T, n *servertest.Node, credential string) string {
	t.Helper()
	said, err := n.Admin.Verify(t.Context(), lanyard.VerifyRequest{Credential: credential, API: "open", Consistency: "strict"})
	if err != nil {
		t.Fatal(err)
	}
	return said.Code
}

func leaksOf(t *testing.T, n *servertest.Node) []lanyard.Leak {
	t.Helper()
	var page lanyard.Page[lanyard.Leak]
	status, said := send(t, n, http.MethodGet, "/v1/leaks", "", http.Header{"Authorization": {"Bearer " + n.AdminKey}})
	if err := json.Unmarshal([]byte(said), &page); status != 200 || err != nil {
		t.Fatalf("GET /v1/leaks = %d %.200q, %v", status, said, err)
	}
	return page.Items
}

func strangers(t *testing.T, many int) []string {
	t.Helper()
	all := make([]string, many)
	for i := range all {
		s, err := secret.New("lyd", secret.Key, secret.Live, id.Chars(id.New[id.Key]()), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = s.Reveal()
	}
	return all
}

// TestFindersRefuse: what is not signed, not whole or not in bounds does nothing, says so, and neither the answer nor the log repeats a
// secret.
func TestFindersRefuse(t *testing.T) {
	gitHub, gitLab := newFinder(t, "Github", "/v1/leaks/github"), newFinder(t, "Gitlab", "/v1/leaks/gitlab")
	const token = "agreed-with-our-own-gitlab"
	var log safeBuffer
	n := servertest.Start(t, servertest.Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Settings: func(s *config.Settings) {
		s.LeakGitHubKeysURL, s.LeakGitLabKeysURL, s.LeakGitLabToken = gitHub.URL, gitLab.URL, secret.Of(token)
	}})
	shop := n.Open(t)
	k := n.Key(t, shop)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	body := found(t, k.Secret)
	long := "[" + strings.Repeat(" ", 10<<20) + body[1:]
	many := found(t, slices.Repeat([]string{"x"}, leak.MaxFound+1)...)
	for _, f := range []*finder{gitHub, gitLab} {
		first := f.keys["first"]
		twice := f.headers(body)
		twice.Add(f.header+"-Public-Key-Signature", twice.Get(f.header+"-Public-Key-Signature"))
		unsigned := http.Header{"Content-Type": {"application/json"}}
		text := f.headers(body)
		text.Set("Content-Type", "text/plain")
		for name, tt := range map[string]struct {
			body   string
			header http.Header
			status int
		}{
			"nothing signed": {body, unsigned, 401}, "signed by a stranger": {body, f.signedBy("first", stranger, body), 401}, "a key nobody published": {body, f.signedBy("made up", stranger, body), 503},
			"another curve": {body, f.signedBy("first", other, body), 401}, "another body": {body, f.signedBy("first", first, body+" "), 401}, "a body cut short": {body[:len(body)-3], f.headers(body), 401},
			"two signatures": {body, twice, 401}, "10 MB": {long, f.headers(long), 400}, "too many": {many, f.headers(many), 400},
			"no JSON": {body[:len(body)-3], f.headers(body[:len(body)-3]), 400}, "no array": {`{}`, f.headers(`{}`), 400}, "nothing": {"", f.headers(""), 400}, "text": {body, text, 400},
			"a form that is none": {`[{"token":7}]`, f.headers(`[{"token":7}]`), 400},
		} {
			status, said := send(t, n, http.MethodPost, f.path, tt.body, tt.header)
			if status != tt.status && (name != "a key nobody published" || status != 401) || !strings.Contains(said, `"code"`) || strings.Contains(said, k.Secret[30:]) {
				t.Errorf("%s, %s = %d %.200q, want %d and a problem", f.path, name, status, said, tt.status)
			}
		}
		if f.asked > 1 {
			t.Errorf("%s was asked for its keys %d times, want once", f.header, f.asked)
		}
	}
	for name, header := range map[string]http.Header{
		"no token": {}, "another token": {"Authorization": {token + "x"}}, "half of it": {"Authorization": {token[:10]}}, "two": {"Authorization": {token, token}}, "Basic": {"Authorization": {"Basic " + token}},
		"a key of the server": {"Authorization": {"Bearer " + n.AdminKey}}, "a signature": gitLab.headers(body),
	} {
		header.Set("Content-Type", "application/json")
		for _, route := range []string{"GET /v1/revocable_token_types", "POST /v1/revoke_tokens"} {
			method, path, _ := strings.Cut(route, " ")
			if status, said := send(t, n, method, path, body, header); status != 401 || !strings.Contains(said, `"unauthenticated"`) {
				t.Errorf("%s with %s = %d %.200q, want 401", route, name, status, said)
			}
		}
	}
	if got := codeOf(t, n, k.Secret); got != "valid" {
		t.Errorf("after what was refused the key is %s", got)
	}
	if all := leaksOf(t, n); len(all) != 0 {
		t.Errorf("%d leaks, want none", len(all))
	}
	if text := log.String(); strings.Contains(text, k.Secret[30:]) || strings.Contains(text, token) || !strings.Contains(text, "/v1/leaks/github") {
		t.Error("the log holds a secret, or nothing of the requests")
	}
}

// safeBuffer is a buffer that many write to.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestGitHubReports: what GitHub found is dead when it has its answer, in GitHub's form; a replay changes nothing; a new key of GitHub's is
// found; without its keys nothing is believed.
func TestGitHubReports(t *testing.T) {
	gitHub, clock := newFinder(t, "Github", "/v1/leaks/github"), servertest.NewClock()
	n := servertest.Start(t, servertest.Options{Now: clock.Now, Settings: func(s *config.Settings) { s.LeakGitHubKeysURL = gitHub.URL }})
	shop, ctx := n.Open(t), t.Context()
	k, deleted, other := n.Key(t, shop), n.Key(t, shop), n.Key(t, shop)
	if err := n.Admin.DeleteKey(ctx, deleted.ID); err != nil {
		t.Fatal(err)
	}
	gitHub.setDown(true)
	body := found(t, k.Secret, "nonsense", strangers(t, 1)[0], deleted.Secret, k.Secret, k.Secret[:len(k.Secret)-1]+"0", `KEY="`+k.Secret+`"`)
	if status, said := gitHub.post(n, body); status != 503 || !strings.Contains(said, `"unavailable"`) {
		t.Errorf("without GitHub's keys = %d %.200q, want 503", status, said)
	}
	if got := codeOf(t, n, k.Secret); got != "valid" {
		t.Errorf("then the key is %s, want valid", got)
	}
	gitHub.setDown(false)
	clock.Advance(2 * time.Minute)
	for range 2 { // a replay changes nothing
		status, said := gitHub.post(n, body)
		var verdicts []map[string]string
		if err := json.Unmarshal([]byte(said), &verdicts); status != 200 || err != nil {
			t.Fatalf("the report = %d %.200q, %v", status, said, err)
		}
		var labels []string
		for _, v := range verdicts {
			labels = append(labels, v["label"])
		}
		sum := sha256.Sum256([]byte(k.Secret))
		if got := strings.Join(labels, " "); got != "true_positive false_positive false_positive true_positive true_positive false_positive true_positive" ||
			verdicts[0]["token_hash"] != hex.EncodeToString(sum[:]) || verdicts[0]["token_type"] != "lyd_api_key" || strings.Contains(said, k.Secret[30:]) {
			t.Errorf("the answer is %s", said)
		}
	}
	all := leaksOf(t, n)
	if len(all) != 1 || all[0].Source != "github/commit" || all[0].Place != "https://github.com/o/r/blob/4fe2/a.py" || all[0].Outcome != "revoked" {
		t.Errorf("the leaks are %+v, want the key, by GitHub, with a clean place", all)
	}
	if a, b := codeOf(t, n, k.Secret), codeOf(t, n, other.Secret); a != "revoked" || b != "valid" {
		t.Errorf("the key is %s and another %s, want revoked and valid", a, b)
	}
	gitHub.rotate("second")
	clock.Advance(2 * time.Minute)
	if status, said := gitHub.post(n, found(t, other.Secret)); status != 200 || codeOf(t, n, other.Secret) != "revoked" {
		t.Errorf("a report signed by a new key = %d %.200q", status, said)
	}
}

// TestGitLabReports: GitLab.com as it signs, and a GitLab that somebody runs as it shows its token.
func TestGitLabReports(t *testing.T) {
	gitLab := newFinder(t, "Gitlab", "/v1/leaks/gitlab")
	const token = "agreed-with-our-own-gitlab"
	n := servertest.Start(t, servertest.Options{Settings: func(s *config.Settings) {
		s.LeakGitLabKeysURL, s.LeakGitLabToken = gitLab.URL, secret.Of(token)
	}})
	shop := n.Open(t)
	k, own := n.Key(t, shop), n.Key(t, shop)
	if status, said := gitLab.post(n, found(t, k.Secret)); status != 204 || said != "" {
		t.Errorf("GitLab.com = %d %q, want 204", status, said)
	}
	for _, shown := range []string{token, "Bearer " + token} {
		header := http.Header{"Authorization": {shown}, "Content-Type": {"application/json"}}
		status, said := send(t, n, http.MethodGet, "/v1/revocable_token_types", "", header)
		if status != 200 || !strings.Contains(said, `"lyd_api_key"`) || !strings.Contains(said, `"gitleaks_rule_id_lyd_personal_access_token"`) {
			t.Errorf("the types = %d %q", status, said)
		}
		status, said = send(t, n, http.MethodPost, "/v1/revoke_tokens", `[{"type":"gitleaks_rule_id_lyd_api_key","token":"`+own.Secret+`","location":"https://gitlab.example/a/-/raw/b?private_token=hush"}]`, header)
		if status != 204 || said != "" {
			t.Errorf("our own GitLab = %d %q, want 204", status, said)
		}
	}
	all := leaksOf(t, n)
	if len(all) != 2 || all[1].Source != "gitlab/commit" || all[0].Source != "gitlab_self_managed" || all[0].Place != "https://gitlab.example/a/-/raw/b" {
		t.Errorf("the leaks are %+v", all)
	}
	if a, b := codeOf(t, n, k.Secret), codeOf(t, n, own.Secret); a != "revoked" || b != "revoked" {
		t.Errorf("the keys are %s and %s, want revoked", a, b)
	}
}

// TestReportEverywhere: from the moment GitHub posts a report at one node to the first refusal at the other, on PostgreSQL.
func TestReportEverywhere(t *testing.T) {
	gitHub := newFinder(t, "Github", "/v1/leaks/github")
	o := servertest.Options{DatabaseURL: pgtest.Start(t), Master: servertest.Master(t), Settings: func(s *config.Settings) { s.LeakGitHubKeysURL = gitHub.URL }}
	a, b := servertest.Start(t, o), servertest.Start(t, o)
	shop := a.Open(t)
	var slowest time.Duration
	for range 10 {
		k := a.Key(t, shop)
		h := heat(t, b, k)
		began := time.Now()
		h.revokedAt(began)
		if status, said := gitHub.post(a, found(t, append(strangers(t, 100), k.Secret)...)); status != 200 {
			t.Fatalf("the report = %d %.200q", status, said)
		}
		if took := h.cool(t); took > slowest {
			slowest = took
		}
	}
	t.Logf("the last yes of the other node was to a request sent %s after the report was", slowest)
	if slowest > 5*time.Second { // 2 s are promised; a machine that does much else gets more
		t.Errorf("the other node said yes %s after the report was posted, want under 5 s", slowest)
	}
}

// TestManyUnknown: 10,000 credentials that nobody issued are looked through in one report, decisions go on meanwhile, and nothing is left.
func TestManyUnknown(t *testing.T) {
	for name, database := range map[string]string{"SQLite": "", "PostgreSQL": pgtest.Start(t)} {
		t.Run(name, func(t *testing.T) {
			gitHub := newFinder(t, "Github", "/v1/leaks/github")
			n := servertest.Start(t, servertest.Options{DatabaseURL: database, Settings: func(s *config.Settings) { s.LeakGitHubKeysURL = gitHub.URL }})
			shop := n.Open(t)
			k := n.Key(t, shop)
			body := found(t, strangers(t, leak.MaxFound)...)
			alone := decisions(t, n, k, 1000)
			done := make(chan string, 1)
			began := time.Now()
			go func() {
				status, said := gitHub.post(n, body)
				done <- fmt.Sprintf("%d with %d false positives", status, strings.Count(said, "false_positive"))
			}()
			beside := decisions(t, n, k, 1000)
			if got, want := <-done, fmt.Sprintf("200 with %d false positives", leak.MaxFound); got != want {
				t.Errorf("the report = %s, want %s", got, want)
			}
			t.Logf("%d bytes took %s; decisions alone median %s worst %s, beside it median %s worst %s", len(body), time.Since(began), alone[len(alone)/2], alone[len(alone)-1], beside[len(beside)/2], beside[len(beside)-1])
			lines, err := n.Store.Audit(t.Context(), audit.ServerReach(), audit.Filter{Action: "key.leak", Limit: 10})
			if err != nil || len(lines) != 0 {
				t.Errorf("%d lines of leaks, %v, want none", len(lines), err)
			}
		})
	}
}

// decisions asks again and again, and returns how long each took, the shortest first.
func decisions(t *testing.T, n *servertest.Node, k lanyard.NewKey, many int) []time.Duration {
	t.Helper()
	var took []time.Duration
	for range many {
		began := time.Now()
		if d, err := n.Admin.Verify(t.Context(), lanyard.VerifyRequest{Credential: k.Secret, API: "open"}); err != nil || !d.Allowed {
			t.Fatalf("a decision = %v, %v", d, err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took
}

// TestRevokeAfter: under notice a key works until its time has come, whoever asks, and no longer.
func TestRevokeAfter(t *testing.T) {
	clock := servertest.NewClock()
	n := servertest.Start(t, servertest.Options{Now: clock.Now, Settings: func(s *config.Settings) {
		s.LeakRules = leak.Rules{secret.Key: {Policy: leak.RevokeAfter, After: time.Hour}}
	}})
	shop, ctx := n.Open(t), t.Context()
	k := n.Key(t, shop)
	if status, _ := report(t, n, "text/plain", k.Secret); status != 202 {
		t.Fatalf("the report = %d", status)
	}
	all := leaksOf(t, n)
	if len(all) != 1 || all[0].Outcome != "waiting" || all[0].DueAt == nil || all[0].DueAt.Sub(all[0].FoundAt) != time.Hour {
		t.Fatalf("the leaks are %+v, want one that waits an hour", all)
	}
	clock.Advance(time.Hour - time.Second)
	if ended, err := n.Manage.EndLeaked(ctx); ended != 0 || err != nil || codeOf(t, n, k.Secret) != "valid" {
		t.Errorf("a second before EndLeaked = %d, %v, and the key is %s", ended, err, codeOf(t, n, k.Secret))
	}
	clock.Advance(time.Second)
	if _, err := n.Manage.EndLeaked(ctx); err != nil || codeOf(t, n, k.Secret) != "revoked" { // the server's own look may have been faster
		t.Errorf("when it is due EndLeaked = %v, and the key is %s", err, codeOf(t, n, k.Secret))
	}
	if all := leaksOf(t, n); all[0].Outcome != "revoked" {
		t.Errorf("then the leak is %+v, want revoked", all)
	}
}
