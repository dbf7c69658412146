package oauth_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// fromApp are the headers of a form that an app's own page sent.
func fromApp() http.Header {
	return http.Header{"Origin": {"https://rp.test"}, "Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}}
}

// sent posts a body as it is and follows nothing.
func sent(t *testing.T, address, kind, body string) *reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = fromApp()
	if kind != "" {
		req.Header.Set("Content-Type", kind)
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
	return &reply{status: res.StatusCode, header: res.Header, raw: string(raw)}
}

const formType = "application/x-www-form-urlencoded"

// TestAuthorizePost: a request may be a form (OpenID Connect Core section 3.1.2.1). It is answered with the same request as a
// GET, which brings the cookie that a form of another site does not.
func TestAuthorizePost(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	form := c.asked(url.Values{"resource": {"https://a.test/", "https://b.test/"}, "state": {`a&b=c "ü%20+`}, "login_hint": {"ada@demo.test"}, "unknown": {"x"}})
	r := sent(t, w.node.URL+"/oauth/authorize", formType, form.Encode())
	to, err := url.Parse(r.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if r.status != http.StatusSeeOther || to.Host != "" || to.Scheme != "" || to.Path != "/oauth/authorize" {
		t.Errorf("POST = %d to %s, want 303 to the same endpoint", r.status, to)
	}
	if diff := cmp.Diff(form, to.Query()); diff != "" {
		t.Errorf("the request as a GET (-want +got):\n%s", diff)
	}
	for _, name := range []string{"Set-Cookie", "Access-Control-Allow-Origin"} {
		if got := r.header.Get(name); got != "" {
			t.Errorf("POST has %s: %s", name, got)
		}
	}
	// The whole way, from another site's page, and again when everything is allowed.
	for range 2 {
		p := w.browser.Post("/oauth/authorize", c.asked(nil), fromApp())
		if p.Has("sign-in") {
			p = w.signIn(p)
		}
		if p.Has("approve") {
			p = w.browser.Press(p, "approve", map[string]string{"+scope-posts.write": ""})
		}
		if p.Away == nil || p.Away.Host != "rp.test" || p.Away.Query().Get("code") == "" || p.Away.Query().Get("state") != "st" {
			t.Fatalf("a login begun by a form ends at %d %s %v", p.Status, p.URL, p.Away)
		}
	}
	if p := w.browser.Post("/oauth/authorize", c.asked(url.Values{"scope": {"fly"}}), fromApp()); p.Away == nil || p.Away.Query().Get("error") != "invalid_scope" {
		t.Errorf("a form that asks for what there is not = %d to %v, want the app told", p.Status, p.Away)
	}
	if p := w.browser.Post("/oauth/authorize", url.Values{"client_id": {c.id}, "request_uri": {c.pushed()}}, fromApp()); p.Away == nil || p.Away.Query().Get("code") == "" {
		t.Errorf("a form that names a pushed request = %d to %v, want a code", p.Status, p.Away)
	}
	for what, change := range map[string]url.Values{
		"another redirect URI": {"redirect_uri": {"https://evil.test/cb"}}, "two states": {"state": {"a", "b"}}, "two redirect URIs": {"redirect_uri": {callback, "https://evil.test/cb"}}, "no client": {"client_id": nil},
	} {
		if p := w.browser.Post("/oauth/authorize", c.asked(change), fromApp()); p.Away != nil || p.Status != http.StatusBadRequest {
			t.Errorf("a form with %s = %d to %v, want a page that stays", what, p.Status, p.Away)
		}
	}
}

// TestPostAsGet: forms that become addresses, here and for a logout, are bounded, and nothing secret that stood in a body gets
// into an address.
func TestPostAsGet(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{})
	for _, path := range []string{"/oauth/authorize", "/oauth/logout"} {
		address := w.node.URL + path
		// long is a form that becomes a query of n bytes.
		long := func(n int) string {
			names := "a=&b=&client_id=" + c.id
			return "a=" + strings.Repeat("x", (n-len(names))/2) + "&b=" + strings.Repeat("x", n-len(names)-(n-len(names))/2) + "&client_id=" + c.id
		}
		if r := sent(t, address, formType, long(12<<10)); r.status != http.StatusSeeOther || r.header.Get("Location") != path+"?"+long(12<<10) {
			t.Errorf("POST %s of 12 KiB = %d, want 303", path, r.status)
		}
		good := c.asked(nil).Encode()
		for what, r := range map[string]*reply{
			"a byte more":         sent(t, address, formType, long(12<<10+1)),
			"what grows too long": sent(t, address, formType, "client_id="+c.id+"&state="+strings.Repeat("+", 3)+strings.Repeat("ü", 3<<10)),
			"65 KiB":              sent(t, address, formType, long(65<<10)),
			"in two places":       sent(t, address+"?client_id="+c.id, formType, good),
			"as text":             sent(t, address, "text/plain", good),
			"as JSON":             sent(t, address, "application/json", `{"client_id":"`+c.id+`"}`),
			"in parts":            sent(t, address, "multipart/form-data; boundary=x", good),
			"as nothing":          sent(t, address, "", good),
			"not well formed":     sent(t, address, formType, "client_id=%zz"),
		} {
			if r.status != http.StatusBadRequest || r.header.Get("Location") != "" {
				t.Errorf("POST %s, %s = %d to %.100q, want a page that stays", path, what, r.status, r.header.Get("Location"))
			}
		}
		secrets := url.Values{"client_id": {c.id}, "state": {"st"}}
		for _, name := range []string{"client_secret", "client_assertion", "password", "refresh_token", "code", "code_verifier", "access_token", "token", "device_code", "assertion"} {
			secrets.Set(name, "hush")
		}
		if r := sent(t, address, formType, secrets.Encode()); r.status != http.StatusSeeOther || r.header.Get("Location") != path+"?client_id="+c.id+"&state=st" {
			t.Errorf("POST %s with secrets = %d to %s, want them left behind", path, r.status, r.header.Get("Location"))
		}
	}
}
