package policy

import (
	"errors"
	"net/url"
	"path"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestNormalPathRefuses(t *testing.T) {
	for _, text := range []string{
		"", "a", "*", "http://a/b", // no path at all
		"/private?x=/public", "/a#b", "/a%3fb", "/a%23b", // query and fragment: CVE-2025-54576
		"/public/../admin", "/..", "/../", "/a/..", "/./a", "/a/.", "/.", // CVE-2026-33494
		"/public/%2e%2e/admin", "/public/%2E%2e/admin", "/public/.%2e/admin", "/%2e/a", "/a%2ejson",
		"//", "//a", "/a//b", "/a//", "///",
		"/a%2fb", "/a%2Fb", "/%2f", "/..%2fadmin", "/a%5cb", `/a\b`, `/..\admin`,
		"/admin;x/", "/admin;x=1", "/;", "/..;/admin", "/a%3bx", "/a%3B", // CVE-2026-0976
		"/a\x00", "/a%00", "/a\n", "/a%0a", "/a\r\nb", "/a%0d%0aX: y", "/a\t", "/a\x7f", "/a%7f", "/a\u0085", "/a%c2%85",
		"/%252e%252e/admin", "/a%25", "/a%252fb", // a second encoding
		"/a%", "/a%2", "/a%zz", "/a%u002e", // no encoding
		"/%c0%ae%c0%ae/admin", "/a%ff", "/a\xff", "/a\xc2", // no UTF-8
		"/" + strings.Repeat("a", 8<<10),
	} {
		if got, err := NormalPath(text); !errors.Is(err, ErrAmbiguousPath) {
			t.Errorf("NormalPath(%.60q) = %.60q, %v, want ErrAmbiguousPath", text, got, err)
		}
	}
}

func TestNormalPath(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"/", "/"},
		{"/a", "/a"},
		{"/a/", "/a/"},
		{"/v1/forecast", "/v1/forecast"},
		{"/%61dmin", "/admin"},
		{"/a%20b", "/a b"},
		{"/%c3%a4", "/ä"},
		{"/ä", "/ä"},
		{"/a+b", "/a+b"},
		{"/...", "/..."},
		{"/.well-known/x", "/.well-known/x"},
		{"/a..b", "/a..b"},
		{"/@me/a:b,c=d&e!$'()*~", "/@me/a:b,c=d&e!$'()*~"},
		{"/" + strings.Repeat("a", 8<<10-1), "/" + strings.Repeat("a", 8<<10-1)},
	} {
		if got, err := NormalPath(test.in); got != test.want || err != nil {
			t.Errorf("NormalPath(%.60q) = %.60q, %v, want %.60q", test.in, got, err, test.want)
		}
	}
}

func TestNormalPathDoesNotAllocate(t *testing.T) {
	if got := testing.AllocsPerRun(100, func() {
		if _, err := NormalPath("/v1/forecast/lagos"); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("NormalPath without percent signs allocates %v times, want 0", got)
	}
}

func FuzzNormalPath(f *testing.F) {
	for _, seed := range []string{"/", "/a/b", "/a%20b", "/%2e%2e/a", "/a//b", "/a;b", "/%c3%a4", "/a%25", "/..", "/a\x00", "/a%c2%85"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := NormalPath(text)
		if err != nil {
			if got != "" || !errors.Is(err, ErrAmbiguousPath) {
				t.Fatalf("NormalPath(%q) = %q, %v, want nothing and ErrAmbiguousPath", text, got, err)
			}
			return
		}
		if again, err := NormalPath(got); again != got || err != nil {
			t.Fatalf("NormalPath(%q) = %q, %v, want its own output unchanged", got, again, err)
		}
		if cleaned := path.Clean(got); cleaned != got && cleaned+"/" != got {
			t.Fatalf("NormalPath(%q) = %q, which others would clean to %q", text, got, cleaned)
		}
		if strings.ContainsAny(got, `%;#?\`) || !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) {
			t.Fatalf("NormalPath(%q) = %q, which has more than one reading", text, got)
		}
		// Sent on in standard form, it comes to the same place.
		if back, err := NormalPath((&url.URL{Path: got}).EscapedPath()); back != got || err != nil {
			t.Fatalf("NormalPath of %q escaped = %q, %v, want it back", got, back, err)
		}
	})
}
