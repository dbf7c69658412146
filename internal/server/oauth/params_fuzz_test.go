package oauth

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzNewParams: of an OAuth form nothing is left that two readers could take for different things: each parameter stands once, as
// text of bounded length; and what is refused leaves nothing.
func FuzzNewParams(f *testing.F) {
	for _, body := range []string{
		"grant_type=authorization_code&code=x", "a=1&a=2", "a=1&A=2", "resource=x&resource=y&audience=z&audience=", "a=%00", "a=%0A", "a=%ff", "a=%C3%A4", "a=%7f", "a", "=", "&&", "a=+b++c+",
		"scope=a%20b%20a", "%61=1&a=2", "a=" + strings.Repeat("x", maxValue), "a=" + strings.Repeat("x", maxValue+1),
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		values, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		p, err := newParams(values)
		if err != nil {
			if p.values != nil {
				t.Errorf("newParams(%q) = %v beside %v", body, p.values, err)
			}
			return
		}
		for name, given := range values {
			if len(given) != 1 && name != "resource" && name != "audience" {
				t.Errorf("newParams(%q) admits %s %d times", body, name, len(given))
			}
			for _, value := range given {
				if !utf8.ValidString(value) || len(value) > maxValue || strings.ContainsFunc(value, func(r rune) bool {
					return r < utf8.RuneSelf && unicode.IsControl(r) && !slices.Contains([]rune{'\t', '\n', '\r'}, r)
				}) {
					t.Errorf("newParams(%q) admits %s=%q", body, name, value)
				}
			}
			list := p.list(name)
			if slices.Contains(list, "") || len(list) > 0 && !slices.Equal(list, slices.Compact(slices.Clone(list))) || slices.Contains(p.all(name), "") {
				t.Errorf("newParams(%q): list %q, all %q, want no empty and no repeated words", body, list, p.all(name))
			}
		}
	})
}
