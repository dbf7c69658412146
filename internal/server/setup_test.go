package server_test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page/pagetest"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

const setupPassword = "blue cabbage under 9 moons"

var testKey = regexp.MustCompile(`lyd_key_test_[0-9A-Za-z]{54}`)

// TestSetupRefuses: none but an admin gets there, no other site's form does anything.
func TestSetupRefuses(t *testing.T) {
	n := servertest.Start(t, servertest.Options{})
	for email, admin := range map[string]bool{"root@example.com": true, "ada@example.com": false} {
		if _, err := n.Manage.CreateUser(t.Context(), audit.Command("test"), lanyard.UserInput{Email: email, Password: setupPassword, Admin: admin}); err != nil {
			t.Fatal(err)
		}
	}
	root, ada := signedIn(t, n, "root@example.com"), signedIn(t, n, "ada@example.com")
	form := url.Values{"example": {"yes"}, "name": {"evil"}, "takes": {"key"}, "api": {"weather"}, "once": {"0123456789abcdef"}}
	for _, path := range []string{"/setup/api", "/setup/call", "/setup"} {
		if p := n.Browser(t).Get(path); p.URL.Path != "/login" {
			t.Errorf("GET %s by nobody = %d at %s, want the login", path, p.Status, p.URL)
		}
		if p := ada.Get(path); p.Status != http.StatusNotFound {
			t.Errorf("GET %s by a person = %d, want 404", path, p.Status)
		}
		if path == "/setup" {
			continue
		}
		if p := n.Browser(t).Post(path, form, nil); p.URL.Path != "/login" {
			t.Errorf("POST %s by nobody = %d at %s, want the login", path, p.Status, p.URL)
		}
		if p := ada.Post(path, form, nil); p.Status != http.StatusNotFound {
			t.Errorf("POST %s by a person = %d, want 404", path, p.Status)
		}
		if p := root.Post(path, form, http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}); p.Status != http.StatusForbidden {
			t.Errorf("POST %s from another site = %d, want 403", path, p.Status)
		}
	}
	if apis, err := n.Manage.APIs(t.Context(), audit.Command("test")); err != nil || len(apis) > 0 {
		t.Errorf("refused forms declared %v (%v)", apis, err)
	}
	if p := root.Get("/setup/call"); p.URL.Path != "/setup/api" {
		t.Errorf("the first call of no API leads to %s, want the step before", p.URL)
	}
	for path, fields := range map[string]url.Values{
		"/setup/call?api=nope": nil, "/setup/call": {"api": {"nope"}, "once": {"0123456789abcdef"}},
	} {
		p := root.Get(path)
		if fields != nil {
			p = root.Post(path, fields, nil)
		}
		if p.Status != http.StatusNotFound || testKey.MatchString(p.Body) {
			t.Errorf("%s of an API that is not there = %d, want 404", path, p.Status)
		}
	}
	page := root.Get("/setup/api")
	for name, fields := range map[string]map[string]string{
		"no name": {"name": ""}, "a bad name": {"name": "Not A Name"}, "a bad upstream": {"name": "pets", "upstream": "javascript:alert(1)"}, "a bad file": {"name": "pets", "text": "no: openapi"},
	} {
		if p := root.Press(page, "set-up-api", fields); p.Status != http.StatusBadRequest || !p.Has("set-up-api") {
			t.Errorf("%s = %d at %s, want 400 and the form", name, p.Status, p.URL)
		}
	}
}

// TestExampleIsDeclared: what the server answers itself is there for as long as an admin wants it, under its own address.
func TestExampleIsDeclared(t *testing.T) {
	n := servertest.Start(t, servertest.Options{})
	call := func() int {
		t.Helper()
		if err := n.Tail.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		return n.Browser(t).Get("/examples/weather/v1/forecast?city=Lagos").Status
	}
	if got := call(); got != http.StatusNotFound {
		t.Errorf("the example before it is declared = %d, want 404", got)
	}
	n.Open(t) // an API weather that stands elsewhere
	if got := call(); got != http.StatusNotFound {
		t.Errorf("the example beside another API of its name = %d, want 404", got)
	}
}

// TestSetup: from the link to a green first call, by the example.
func TestSetup(t *testing.T) {
	n := servertest.Start(t, servertest.Options{})
	link, err := n.FirstAdmin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	b := n.Browser(t)
	p := b.Press(sound(t, b.Get(u.RequestURI())), "create-admin", map[string]string{"name": "Root", "email": "root@example.com", "password": setupPassword})
	if p.URL.Path != "/setup/api" || p.Status != http.StatusOK {
		t.Fatalf("after the first step: %d at %s", p.Status, p.URL)
	}
	if admin := b.Get("/admin"); !strings.Contains(admin.Body, `href="/setup/api"`) {
		t.Error("the overview without an API does not lead to one")
	}
	p = b.Press(sound(t, p), "try-example", nil)
	if p.URL.Path != "/setup/call" || p.URL.Query().Get("api") != "weather" {
		t.Fatalf("after the second step: %d at %s %.500s", p.Status, p.URL, p.Text())
	}
	form := sound(t, p)
	p = sound(t, b.Press(form, "make-test-key", nil))
	secret := testKey.FindString(p.Body)
	if secret == "" || !strings.Contains(p.Text(), "Waiting for your first call") {
		t.Fatalf("the third step shows no key that waits: %d %.500s", p.Status, p.Text())
	}
	curl := regexp.MustCompile(`read -rs KEY && curl -H @- "([^"]*)" <<< "x-api-key: \$KEY"`).FindStringSubmatch(pagetest.Plain(p.Body))
	if curl == nil {
		t.Fatalf("the page shows no call: %.900s", p.Text())
	}
	waits := regexp.MustCompile(`/developers/[^"]*/first-call`).FindString(p.Body)
	for _, again := range []*servertest.Page{b.Press(form, "make-test-key", nil), b.Get("/setup/call"), b.Get(waits)} {
		if strings.Contains(again.Body, secret) || testKey.MatchString(again.Body) {
			t.Errorf("%s shows a secret again", again.URL)
		}
	}
	if status, _ := called(t, n, http.MethodGet, curl[1], http.Header{"X-Api-Key": {secret}}, ""); status != http.StatusOK {
		t.Errorf("the line shown is answered with %d, want 200", status)
	}
	if status, body := called(t, n, http.MethodGet, curl[1], nil, ""); status != http.StatusUnauthorized || !strings.Contains(body, n.Settings.PublicURL+"/errors/missing") {
		t.Errorf("the line without its key is answered with %d %s, want 401 and where it is explained", status, body)
	}
	if p := b.Get(waits); !strings.Contains(p.Text(), "Your first call arrived: GET /v1/forecast") && !strings.Contains(p.Text(), "Your first call arrived: GET /v1/alerts") {
		t.Errorf("after the call: %.600s, want it to have arrived", p.Text())
	}
	if admin := b.Get("/admin"); strings.Contains(admin.Body, `href="/setup/api"`) {
		t.Error("the overview still asks for an API")
	}
	if p := b.Get("/setup"); p.URL.Path != "/setup/api" || p.Has("try-example") || !strings.Contains(p.Body, `href="/setup/call"`) {
		t.Errorf("coming back leads to %s, want to where one can go on", p.URL)
	}
	if _, err := n.Manage.DeleteAPI(t.Context(), audit.Command("test"), "weather"); err != nil {
		t.Fatal(err)
	}
	if err := n.Tail.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status, _ := called(t, n, http.MethodGet, curl[1], http.Header{"X-Api-Key": {secret}}, ""); status != http.StatusNotFound {
		t.Errorf("the example after its end = %d, want 404", status)
	}
}

// TestSetupOwnAPI: an OpenAPI file is shown before it is declared, and where nobody answers for it the line asks for the decision.
func TestSetupOwnAPI(t *testing.T) {
	n := servertest.Start(t, servertest.Options{})
	root, err := n.Manage.CreateUser(t.Context(), audit.Command("test"), lanyard.UserInput{Email: "root@example.com", Password: setupPassword, Admin: true})
	if err != nil {
		t.Fatal(err)
	}
	// An admin who helps a customer with its bills makes nothing there.
	customer, err := n.Manage.CreateTeam(t.Context(), audit.Command("test"), lanyard.TeamInput{Name: "A customer"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Manage.SetMember(t.Context(), audit.Command("test"), customer.ID, lanyard.Member{UserID: root.ID, Role: "billing"}); err != nil {
		t.Fatal(err)
	}
	b := signedIn(t, n, "root@example.com")
	const file = `{"openapi": "3.1.0", "info": {"title": "Pets", "version": "1"}, "paths": {"/v1/pets": {"get": {"responses": {}}}}}`
	p := b.Press(b.Get("/setup/api"), "set-up-api", map[string]string{"name": "pets", "upstream": "http://localhost:9001", "text": file})
	if p.Status != http.StatusOK || !strings.Contains(p.Text(), "GET /v1/pets") || !p.Has("declare-import") {
		t.Fatalf("the file is answered with %d %.500s, want what it declares", p.Status, p.Text())
	}
	p = b.Press(sound(t, p), "declare-import", nil)
	if p.URL.Path != "/setup/call" || p.URL.Query().Get("api") != "pets" {
		t.Fatalf("after the declaration: %d at %s %.300s", p.Status, p.URL, p.Text())
	}
	api, err := n.Manage.API(t.Context(), audit.Command("test"), "pets")
	if err != nil || api.Upstream != "http://localhost:9001" {
		t.Errorf("the API declared = %+v (%v)", api, err)
	}
	p = sound(t, b.Press(p, "make-test-key", nil))
	secret := testKey.FindString(p.Body)
	line := regexp.MustCompile(`read -rs KEY && curl -H @<\(printf 'Authorization: Bearer %s' "\$KEY"\) --json @- "([^"]*)" <<< '(\S+)'`).FindStringSubmatch(pagetest.Plain(p.Body))
	if line == nil {
		t.Fatalf("the page shows no line: %.900s", p.Text())
	}
	status, body := called(t, n, http.MethodPost, line[1], http.Header{"Authorization": {"Bearer " + secret}, "Content-Type": {"application/json"}}, strings.ReplaceAll(line[2], `'"$KEY"'`, secret))
	if status != http.StatusOK || !strings.Contains(body, `"allowed":true`) {
		t.Errorf("the line shown is answered with %d %s, want allowed", status, body)
	}
	waits := regexp.MustCompile(`/developers/[^"]*/first-call`).FindString(p.Body)
	if p := b.Get(waits); !strings.Contains(p.Text(), "Your first call arrived") {
		t.Errorf("after the call: %.600s, want it to have arrived", p.Text())
	}
	if apps, err := n.Manage.Apps(t.Context(), audit.Command("test"), customer.ID, "", manage.List{}); err != nil || len(apps.Items) > 0 {
		t.Errorf("the customer's team has %d apps of the setup (%v), want none", len(apps.Items), err)
	}
	// What is declared is not replaced by the way.
	if p := b.Press(b.Get("/setup/api"), "set-up-api", map[string]string{"name": "pets", "text": file}); p.Status != http.StatusConflict && p.Status != http.StatusBadRequest || !strings.Contains(p.Text(), "here is an API of this name already") {
		t.Errorf("a name that is taken is answered with %d %.400s", p.Status, p.Text())
	}
}

func signedIn(t *testing.T, n *servertest.Node, email string) *servertest.Browser {
	t.Helper()
	b := n.Browser(t)
	if p := b.Press(b.Get("/login"), "sign-in", map[string]string{"login": email, "password": setupPassword}); p.Status != http.StatusOK {
		t.Fatalf("%s cannot sign in: %d at %s", email, p.Status, p.URL)
	}
	return b
}

// sound reads a page as a strict browser would.
func sound(t *testing.T, p *servertest.Page) *servertest.Page {
	t.Helper()
	for _, fault := range pagetest.Faults(p.Body, "script") {
		t.Errorf("%s %s", p.URL, fault)
	}
	if got := p.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("%s is kept: Cache-Control %q", p.URL, got)
	}
	return p
}

// called sends what a page says to send, to where the test's server stands.
func called(t *testing.T, n *servertest.Node, method, address string, header http.Header, body string) (status int, answer string) {
	t.Helper()
	path, below := strings.CutPrefix(address, n.Settings.PublicURL)
	if !below {
		t.Fatalf("the page calls %s, want something below %s", address, n.Settings.PublicURL)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, n.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	read, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(read)
}
