package app

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// redirects are addresses worth beginning with: good ones, and those that other servers fell for (SECURITY-CASES A).
var redirects = []string{
	"https://app.test/cb", "https://app.test/cb?x=1", "http://127.0.0.1/cb", "http://127.0.0.1:8080/cb", "http://[::1]:1/cb", "http://localhost:3000/cb", "com.example.app:/done",
	"http://127.0.0.1:080/cb", "http://127.0.0.1:/cb", "http://127.0.0.1:1@evil.test/cb", "http://127.0.0.1.evil.test/cb", "http://127.1/cb", "http://[::1]evil.test/cb", "http://[::ffff:127.0.0.1]/",
	"https://app.test/cb#x", "https://app.test\\@evil.test/cb", "https://user@app.test/cb", "https://*.app.test/cb", "HTTPS://app.test/cb", "javascript:/alert(1)", "data:/x", "", "//app.test/cb", "x:/",
}

// FuzzCheckRedirect: what may be registered is read alike by everybody, leads over https, to this machine, or to an app's own
// scheme, and carries nothing that a browser would keep to itself.
func FuzzCheckRedirect(f *testing.F) {
	for _, text := range redirects {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if CheckRedirect(text) != nil {
			return
		}
		u, err := url.Parse(text)
		if err != nil {
			t.Fatalf("CheckRedirect(%q) is nil, and url.Parse: %v", text, err)
		}
		host, errHost := netip.ParseAddr(u.Hostname())
		switch {
		case u.User != nil || u.Fragment != "" || strings.ContainsAny(text, "#*\\ \"<>\x00") || u.Scheme != strings.ToLower(u.Scheme):
			t.Errorf("CheckRedirect(%q) is nil, want it refused: %+v", text, u)
		case u.Scheme == "https" && u.Hostname() == "":
			t.Errorf("CheckRedirect(%q) is nil, though it has no host", text)
		case u.Scheme == "http" && u.Hostname() != "localhost" && (errHost != nil || !host.IsLoopback()):
			t.Errorf("CheckRedirect(%q) is nil, though http leads away from this machine", text)
		case slices.Contains([]string{"javascript", "data", "vbscript", "file", "blob", "about", ""}, u.Scheme):
			t.Errorf("CheckRedirect(%q) is nil, though a browser runs it", text)
		}
	})
}

// FuzzRedirects: an address that an app's registration admits is the same text, or the same but for the port of a loopback
// literal, by another reader's account too.
func FuzzRedirects(f *testing.F) {
	for _, registered := range redirects[:7] {
		for _, text := range redirects {
			f.Add(registered, text)
		}
	}
	f.Fuzz(func(t *testing.T, registered, text string) {
		if CheckRedirect(registered) != nil {
			return
		}
		a := &App{OAuth: OAuth{RedirectURIs: []string{registered}}}
		if !a.Redirects(registered) {
			t.Errorf("%q does not admit itself", registered)
		}
		if !a.Redirects(text) || text == registered {
			return
		}
		mine, err := url.Parse(registered)
		theirs, errText := url.Parse(text)
		if err != nil || errText != nil {
			t.Fatalf("%q admits %q, which is no address: %v, %v", registered, text, err, errText)
		}
		host := theirs.Hostname()
		if theirs.Scheme != "http" || host != "127.0.0.1" && host != "::1" || theirs.User != nil || theirs.Fragment != "" {
			t.Errorf("%q admits %q, want the same text: its host is no loopback literal", registered, text)
		}
		// Without their ports both are one text. The port is all that stands between the host and the path.
		if bare(mine, registered) != bare(theirs, text) {
			t.Errorf("%q admits %q: they differ in more than the port", registered, text)
		}
	})
}

// bare is an address without its port, as text.
func bare(u *url.URL, text string) string {
	if u.Port() == "" {
		return text
	}
	return strings.Replace(text, ":"+u.Port(), "", 1)
}
