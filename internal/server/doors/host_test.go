package doors

import (
	"strings"
	"testing"
)

func TestNormalHost(t *testing.T) {
	for _, test := range []struct{ host, want string }{
		{"api.example", "api.example"},
		{"API.Example", "api.example"},
		{"api.example:8421", "api.example"},
		{"api.example.", "api.example"},
		{"api.example.:443", "api.example"},
		{"[::1]:80", "[::1]"},
		{"[::1]", "[::1]"},
		{"127.0.0.1:1", "127.0.0.1"},
		{"", ""},
		{"a b", ""},
		{"a,b", ""},
		{"a@b", ""},
		{"a/b", ""},
		{"a:b", ""},
		{"a:80:80", ""},
		{"a..", ""},
		{".", ""},
		{":80", ""},
		{"a%62", ""},
		{"a;b", ""},
		{"a\\b", ""},
		{"::1", ""},
		{"[::", ""},
		{"[::1", ""},
		{"::1]", ""},
		{"[a]", ""},
		{"[1.2.3.4]", ""},
		{"[::1]x", ""},
		{"a[b]", ""},
		{"[fe80::1%eth0]", ""},
		{"[2001:DB8::1]:80", "[2001:db8::1]"},
		{strings.Repeat("a", 301), ""},
	} {
		if got, ok := normalHost(test.host); got != test.want && ok || ok != (test.want != "") {
			t.Errorf("normalHost(%q) = %q, %v, want %q", test.host, got, ok, test.want)
		}
	}
}

// A host that reads as one is the same however it is written, and holds nothing that divides it for another reader.
func FuzzNormalHost(f *testing.F) {
	for _, seed := range []string{"api.example:8421", "API.example.", "[::1]:80", "a b", "a:b:c", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		got, ok := normalHost(host)
		if !ok {
			return
		}
		if again, ok := normalHost(got); !ok || again != got || got != strings.ToLower(got) || strings.ContainsAny(got, " ,@/?#%;\\") {
			t.Errorf("normalHost(%q) = %q, which reads as %q, %v", host, got, again, ok)
		}
	})
}
