package browser_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// TestLocalRefuses: SECURITY-CASES 14, 16: whatever somebody reads as another site is no way back, nor is a path that is not
// yet in its normal form.
func TestLocalRefuses(t *testing.T) {
	odd := []string{"", "/./account", "/account..", "/" + strings.Repeat("x", 2000)}
	for _, text := range append(servertest.Corpus(t, "testdata/elsewhere.txt"), odd...) {
		if got := browser.Local(text, "/home"); got != "/home" {
			t.Errorf("Local(%.60q) = %.60q, want the fallback", text, got)
		}
	}
}

// TestLocal: our own pages are ways back; behind a question mark anything plain may stand.
func TestLocal(t *testing.T) {
	for _, text := range []string{"/", "/account", "/account/apps", "/device?user_code=WDJB-MJHT", "/account?a=b//c:d/../e", "/which?q=https://api.test/x", "/" + strings.Repeat("x", 1999)} {
		if got := browser.Local(text, "/home"); got != text {
			t.Errorf("Local(%.60q) = %.60q, want it as it is", text, got)
		}
	}
}

// FuzzLocal: what is taken stays on this site, for a browser and for net/url.
func FuzzLocal(f *testing.F) {
	for _, text := range servertest.Corpus(f, "testdata/elsewhere.txt") {
		f.Add(text)
	}
	f.Add("/account?next=//evil.test")
	base, err := url.Parse("https://id.test/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if browser.Local(text, "") == "" {
			return
		}
		if leaves(text) {
			t.Errorf("Local(%q) is taken, and a browser leaves by it", text)
		}
		if to, err := base.Parse(text); err == nil && (to.Host != base.Host || to.Scheme != base.Scheme || strings.HasPrefix(to.Path, "//")) {
			t.Errorf("Local(%q) is taken, and net/url goes to %v", text, to)
		}
	})
}

// leaves reads a reference as browsers do (the URL standard, basic URL parser): blanks and control characters at the ends
// and line breaks anywhere are dropped, a backslash is a slash, and two slashes or a scheme begin another site.
func leaves(text string) bool {
	text = strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	text = strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(text)
	scheme, _, found := strings.Cut(text, ":")
	return strings.HasPrefix(text, "//") || found && !strings.ContainsAny(scheme, "/?#")
}
