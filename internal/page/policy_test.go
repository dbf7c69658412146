package page

import (
	"strings"
	"testing"
)

func TestSource(t *testing.T) {
	for address, want := range map[string]string{
		"": "", "/path": "", "//evil.test/": "", "javascript:alert(1)": "", "JavaScript:alert(1)": "", "data:text/html,x": "", "vbscript:x": "", "blob:https://x": "", "file:///etc": "",
		"https://": "", "https://user@rp.example/cb": "", "https://a b/": "", "https://a;b/": "", "https://a,b/": "", "https://*.example/": "", "https://x'self'/": "", "https://x\n/": "",
		"https://rp.example:99999999/": "", "https://[2001:db8::1]/": "", "https://[::1]/": "", "https://é.example/": "", "1x:/cb": "", "a_b:/cb": "",
		"https://rp.example/cb?a=b#c": "https://rp.example", "HTTPS://RP.Example/cb": "https://rp.example", "http://127.0.0.1:49152/cb": "http://127.0.0.1:49152",
		"http://localhost:8422/": "http://localhost:8422", "http://[::1]:8080/cb": "http:", "com.example.app:/cb": "com.example.app:", "cursor://anysphere/cb": "cursor:",
	} {
		if got := source(address); got != want {
			t.Errorf("source(%q) = %q, want %q", address, got, want)
		}
	}
}

// TestWay: after a form the whole chain of redirects is held to the policy, that of the app too.
func TestWay(t *testing.T) {
	for address, want := range map[string]string{
		"javascript:alert(1)": "", "https://user@rp.example/cb": "", "/path": "", "https://rp.example/cb": "https:", "http://127.0.0.1:49152/cb": "http:", "http://[::1]:8080/cb": "http:",
		"com.example.app:/cb": "com.example.app:",
	} {
		if got := way(address); got != want {
			t.Errorf("way(%q) = %q, want %q", address, got, want)
		}
	}
}

// Whatever an address holds, it opens no other directive.
func FuzzSource(f *testing.F) {
	f.Add("https://rp.example:8443/cb")
	f.Add("https://a.example; script-src *")
	f.Add("com.example.app:/cb")
	f.Fuzz(func(t *testing.T, address string) {
		got := source(address)
		if strings.Trim(got, "abcdefghijklmnopqrstuvwxyz0123456789.:+-/") != "" || strings.HasPrefix(got, "javascript") || strings.HasPrefix(got, "data") {
			t.Errorf("source(%q) = %q", address, got)
		}
	})
}
