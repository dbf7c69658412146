package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

const adasPassword = "blue cabbage under 9 moons"

// running is a command that waits for somebody.
type running struct {
	t    *testing.T
	out  bytes.Buffer
	code chan int
	mu   sync.Mutex
	said []byte        // on stderr
	more chan struct{} // something was said
}

func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, p...)
	select {
	case r.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (r *running) stderr() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.said)
}

// start begins a command beside the test.
func start(t *testing.T, env map[string]string, args ...string) *running {
	t.Helper()
	r := &running{t: t, code: make(chan int, 1), more: make(chan struct{}, 1)}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	go func() {
		err := run(ctx, args, func(name string) string { return env[name] }, strings.NewReader(""), &r.out, r)
		r.code <- report(err, r)
	}()
	return r
}

// says waits for a line of stderr, and returns its first group.
func (r *running) says(line string) string {
	r.t.Helper()
	want := regexp.MustCompile(line)
	for {
		if found := want.FindStringSubmatch(r.stderr()); found != nil {
			return found[1]
		}
		select {
		case <-r.more:
		case code := <-r.code:
			r.t.Fatalf("the command ended with %d: %s", code, r.stderr())
		}
	}
}

func (r *running) ends() result {
	r.t.Helper()
	code := <-r.code
	return result{code, r.out.String(), r.stderr()}
}

// signedInAt types name and password.
func signedInAt(b *servertest.Browser, p *servertest.Page) *servertest.Page {
	if p.Has("sign-in") {
		return b.Press(p, "sign-in", map[string]string{"login": "ada@demo.test", "password": adasPassword})
	}
	return p
}

// people is a server with a user, her team, its API and apps.
func people(t *testing.T) (n *servertest.Node, shop servertest.Shop, env map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	n = servertest.Start(t, servertest.Options{})
	shop = n.Open(t)
	u, err := n.Manage.CreateUser(t.Context(), audit.Command("test"), lanyard.UserInput{Email: "ada@demo.test", Name: "Ada", Password: adasPassword})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Admin.PutMember(t.Context(), shop.Team.ID, u.ID, lanyard.MemberInput{Role: "owner"}); err != nil {
		t.Fatal(err)
	}
	return n, shop, map[string]string{"LANYARD_URL": n.URL, "XDG_CONFIG_HOME": t.TempDir()}
}

// TestLogin: signed in, a person needs no LANYARD_TOKEN; signed out, nothing of it works any more.
func TestLogin(t *testing.T) {
	n, _, env := people(t)
	if got := command(t, env, "", "whoami"); got.code == exitDone || !strings.Contains(got.stderr, "lanyard login") {
		t.Errorf("whoami before the login = %+v, want to be told how to sign in", got)
	}
	b := n.Browser(t)
	no, yes := start(t, env, "login"), start(t, env, "login")
	for cmd, answer := range map[*running]string{no: "deny", yes: "approve"} {
		p := signedInAt(b, b.Get("/device"))
		p = b.Press(p, "go-on", map[string]string{"user_code": cmd.says(`type   (\S+)\n`)})
		b.Press(p, answer, nil)
	}
	if got := no.ends(); got.code != exitNo || !strings.Contains(got.stderr, "the answer there was no") || got.stdout != "" {
		t.Errorf("a login that was refused = %+v", got)
	}
	if got := yes.ends(); got.code != exitDone || got.stdout != "Signed in to "+n.URL+" as Ada <ada@demo.test>.\n" {
		t.Fatalf("login = %+v", got)
	}
	file := filepath.Join(env["XDG_CONFIG_HOME"], "lanyard", "login.json")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file of logins: %v, %v, want 0600", info.Mode(), err)
	}
	if got := command(t, env, "", "whoami"); got.code != exitDone || !strings.Contains(got.stdout, "ada@demo.test") {
		t.Errorf("whoami = %+v, want Ada", got)
	}
	if got := command(t, env, "", "apps", "list"); got.code != exitDone || !strings.Contains(got.stdout, "WeatherDashboard") {
		t.Errorf("apps list = %+v, want her team's", got)
	}
	before := keptLogin(t, file, n.URL, func(e *signedIn) { e.Expiry = time.Unix(1, 0) })
	if got := command(t, env, "", "apps", "list"); got.code != exitDone {
		t.Errorf("apps list after the token's end = %+v, want it renewed", got)
	}
	after := keptLogin(t, file, n.URL, nil)
	if after.RefreshToken == before.RefreshToken || after.AccessToken == before.AccessToken {
		t.Error("the login was not renewed")
	}
	if got := command(t, env, "", "logout"); got.code != exitDone {
		t.Errorf("logout = %+v", got)
	}
	if got := command(t, env, "", "apps", "list"); got.code == exitDone || !strings.Contains(got.stderr, "lanyard login") {
		t.Errorf("apps list after the logout = %+v", got)
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {after.RefreshToken}, "client_id": {cliClient}}
	if status := postForm(t, n.URL+"/oauth/token", form); status != http.StatusBadRequest {
		t.Errorf("the refresh token after the logout = %d, want 400", status)
	}
	stolen := maps.Clone(env)
	stolen["LANYARD_TOKEN"] = after.AccessToken
	if got := command(t, stolen, "", "apps", "list"); got.code == exitDone {
		t.Errorf("the access token after the logout = %+v, want it refused", got)
	}
}

// keptLogin reads what is kept for a server, after an optional change of the file.
func keptLogin(t *testing.T, file, server string, change func(*signedIn)) signedIn {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all logins
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	entry, ok := all.Servers[server]
	if !ok {
		t.Fatalf("nothing is kept for %s", server)
	}
	if change != nil {
		changed := entry
		change(&changed)
		all.Servers[server] = changed
		if text, err = json.Marshal(all); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return entry
}

func postForm(t *testing.T, address string, form url.Values) int {
	t.Helper()
	res, err := http.PostForm(address, form)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}

// TestToken: a badge for an app of one's own, by the browser of this machine and for the app itself.
func TestToken(t *testing.T) {
	n, shop, env := people(t)
	env["LANYARD_TOKEN"] = n.AdminKey
	_, err := n.Admin.CreateApp(t.Context(), lanyard.AppInput{
		Name: "PostPal", TeamID: shop.Team.ID, Type: "public", OAuthSettings: lanyard.OAuthSettings{RedirectURIs: []string{"http://127.0.0.1/callback"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	asked := []string{"token", "--app", "PostPal", "--scope", "openid", "--scope", "email"}
	b := n.Browser(t)
	for _, answer := range []string{"deny", "approve"} {
		cmd := start(t, env, asked...)
		address := cmd.says(`\n    (http\S+)\n`)
		p := signedInAt(b, b.Get(address))
		if !p.Has(answer) {
			t.Fatalf("the address leads to %s (%d): %.300s", p.URL, p.Status, p.Text())
		}
		p = b.Press(p, answer, nil)
		if p.Away == nil || p.Away.Hostname() != "127.0.0.1" || p.Away.Path != "/callback" {
			t.Fatalf("the answer leads to %v", p.Away)
		}
		// What any page could send ends nothing.
		forged := *p.Away
		query := forged.Query()
		query.Set("state", "guessed")
		forged.RawQuery = query.Encode()
		for _, address := range []string{forged.String(), "http://" + p.Away.Host + "/", "http://" + p.Away.Host + "/callback"} {
			if status := getStatus(t, address); status != http.StatusBadRequest && status != http.StatusNotFound {
				t.Errorf("GET %s = %d, want it refused", address, status)
			}
		}
		status := getStatus(t, p.Away.String())
		got := cmd.ends()
		if answer == "deny" {
			if status != http.StatusBadRequest || got.code != exitNo || got.stdout != "" {
				t.Errorf("a refusal = %d, %+v", status, got)
			}
			continue
		}
		if status != http.StatusOK || got.code != exitDone || strings.Count(got.stdout, "\n") != 1 || !strings.Contains(got.stderr, "If stolen: ") {
			t.Fatalf("token = %d, %+v, want the token alone on stdout", status, got)
		}
		who := maps.Clone(env)
		who["LANYARD_TOKEN"] = strings.TrimSpace(got.stdout)
		if got := command(t, who, "", "whoami"); got.code != exitDone || !strings.Contains(got.stdout, "ada@demo.test") {
			t.Errorf("whoami with the token = %+v, want Ada", got)
		}
		if got := command(t, who, "", "inspect", "--from", "LANYARD_TOKEN"); got.code != exitDone || !strings.Contains(got.stdout, "at: an opaque access token") {
			t.Errorf("inspect = %+v, want an access token", got)
		}
	}
}

func getStatus(t *testing.T, address string) int {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

// TestTokenForItself: an app gets a token for itself with its secret, which is never on the command line.
func TestTokenForItself(t *testing.T) {
	n, shop, env := people(t)
	env["LANYARD_TOKEN"] = n.AdminKey
	a, err := n.Admin.CreateApp(t.Context(), lanyard.AppInput{
		Name: "nightly", TeamID: shop.Team.ID, OAuthSettings: lanyard.OAuthSettings{GrantTypes: []string{"client_credentials"}, RedirectURIs: []string{}, Scopes: []string{"news.read"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	made, err := n.Admin.CreateSecret(t.Context(), a.ID, lanyard.SecretInput{})
	if err != nil {
		t.Fatal(err)
	}
	asked := []string{"token", "--app", "nightly", "--scope", "news.read", "--client-credentials"}
	if got := command(t, env, "", append(asked, "--client-secret-from", "NOBODY")...); got.code != exitUsage {
		t.Errorf("token without the secret = %+v", got)
	}
	if got := command(t, env, n.AdminKey, asked...); got.code != exitFailed || !strings.Contains(got.stderr, "its secret is not right") || strings.Contains(got.stderr, n.AdminKey) {
		t.Errorf("token with a wrong secret = %+v", got)
	}
	env["NIGHTLY"] = made.Secret
	got := command(t, env, "", append(asked, "--client-secret-from", "NIGHTLY", "-o", "json")...)
	var issued issuedToken
	if err := json.Unmarshal([]byte(got.stdout), &issued); err != nil || got.code != exitDone || issued.Scope != "news.read" || issued.RefreshToken != "" {
		t.Fatalf("token = %+v, %v", got, err)
	}
	if issued.ExpiresIn < 800 || issued.ExpiresIn > 900 || !strings.Contains(got.stderr, "minutes.") {
		t.Errorf("a token of 15 minutes = %d s, told as %q", issued.ExpiresIn, got.stderr)
	}
	if strings.Contains(got.stdout+got.stderr, made.Secret) {
		t.Error("the secret of the app was printed")
	}
}
