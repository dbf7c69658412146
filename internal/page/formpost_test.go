package page

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/page/pagetest"
)

func TestFormPostRefuses(t *testing.T) {
	k := New(acme())
	for _, action := range []string{"", "/cb", "javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "com.example.app:/cb", "https://u@rp.example/", "https://a;b/", "//rp.example/cb"} {
		w := ask(k, k.Handle(func(w http.ResponseWriter, r *http.Request) error {
			return k.FormPost(w, r, action, url.Values{"code": {"c"}})
		}), request(browser))
		if body := w.Body.String(); w.Code != http.StatusInternalServerError || strings.Contains(body, "<form") || strings.Contains(body, "<script") {
			t.Errorf("FormPost to %q = %d %s, want a failure", action, w.Code, body)
		}
	}
}

func TestFormPost(t *testing.T) {
	k := New(acme())
	w := ask(k, k.Handle(func(w http.ResponseWriter, r *http.Request) error {
		return k.FormPost(w, r, `https://rp.example:8443/cb?a=%20b&c=d"><script>alert(1)</script>`, url.Values{
			"code": {`"><script>alert(1)</script>`}, "state": {"a&b</form>"}, "submit": {"x"}, `"onfocus="y`: {"z"},
		})
	}), request(browser))
	body, h := w.Body.String(), w.Header()
	for _, want := range []string{
		`<form method="post" action="https://rp.example:8443/cb?a=%20b&amp;c=d%22%3e%3cscript%3ealert%281%29%3c/script%3e">`, `name="code" value="&#34;&gt;&lt;script&gt;`,
		`name="state" value="a&amp;b&lt;/form&gt;"`, `name="submit" value="x"`, `<button class="btn primary wide" id="continue">Continue</button>`, "rp.example:8443",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s:\n%s", want, body)
		}
	}
	scripts := regexp.MustCompile(`<script>([^<]*)</script>`).FindAllStringSubmatch(body, -1)
	if len(scripts) != 1 || strings.Count(body, "<script") != 1 {
		t.Fatalf("the page has the scripts %q, want one", scripts)
	}
	sum := sha256.Sum256([]byte(scripts[0][1]))
	want := "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action https:; frame-ancestors 'none'; base-uri 'none'; script-src 'sha256-" +
		base64.StdEncoding.EncodeToString(sum[:]) + "'"
	if got := h.Get("Content-Security-Policy"); got != want {
		t.Errorf("Content-Security-Policy = %q, want %q", got, want)
	}
	if h.Get("Cache-Control") != "no-store" || w.Code != http.StatusOK {
		t.Errorf("FormPost = %d, stored as %q, want 200 and no-store", w.Code, h.Get("Cache-Control"))
	}
	for _, fault := range pagetest.Faults(body, "script") {
		t.Error(fault)
	}
}
