package oauth

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
)

// FuzzBasic: whatever stands behind "Basic " in the header, what is read is neither empty nor more than one reading of the
// bytes: plain, or decoded once (RFC 6749 section 2.3.1).
func FuzzBasic(f *testing.F) {
	for _, seed := range []string{"app:secret", "app%5F1:a%3Ab", "app:a:b", ":", "app:", ":secret", "%zz:%", "a+b:c+d", "app:\x00\xff", ""} {
		f.Add(base64.StdEncoding.EncodeToString([]byte(seed)))
	}
	for _, seed := range []string{"YXBwOnNlY3JldA", "YXBwOnNlY3JldB==", " YXBwOnNlY3JldA==", "YXBw\nOnNlY3JldA==", "====", "é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, password, ok := basic(text)
		if !ok {
			return
		}
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatalf("basic(%q) is taken, but is not base64", text)
		}
		before, after, found := strings.Cut(string(raw), ":")
		if !found || name == "" || password == "" {
			t.Fatalf("basic(%q) = %q, %q, want both parts of it", text, name, password)
		}
		for _, part := range [][2]string{{name, before}, {password, after}} {
			got, sent := part[0], part[1]
			if plain, err := url.QueryUnescape(sent); got != sent && (err != nil || got != plain) {
				t.Fatalf("basic(%q) reads %q as %q", text, sent, got)
			}
		}
	})
}
